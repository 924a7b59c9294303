"""Sweeps that are stopped, as people and machines stop them, and started again."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT

from cascadesim.studies.store import Store

SWEEP = [
    *(sys.executable, "-m", "cascadesim", "sweep", str(ROOT / "scenarios" / "incident-60s")),
    *("--variant", "after", "--vary", "agent.deadline.timeout=2s..20s:1s", "--replications", "4"),
    *("--set", "horizon=6min30s", "--set", "drain=1min", "--jobs", "2", "--format", "csv"),
]
RUNS = 19 * 4


def heed_interrupts() -> None:
    """Undo what a shell does to what it runs in the background: let it ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ignore_hang_ups() -> None:
    """Do as `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def start(
    store: Path, *options: str, before: Callable[[], None] = heed_interrupts
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SWEEP, "--store", str(store), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as a terminal gives
        preexec_fn=before,  # noqa: PLW1509 - it takes no lock
    )


def kept(folder: Path) -> int:
    with Store(folder) as store:
        return sum(version.replications for version in store.describe())


def wait_for_results(store: Path, process: subprocess.Popen[str], more_than: int = 0) -> None:
    while kept(store) <= more_than and process.poll() is None:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    process = start(tmp_path_factory.mktemp("whole"))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


STOPPED = re.compile(
    r"cascadesim: interrupted with (\d+) runs? done, which are kept; "
    r"the same command goes on from there\n"
)
PATIENCE = 10  # seconds in which whatever holds the pipes of a command is to end


def check_goes_on(store: Path, whole: str) -> None:
    last = start(store)
    out, err = last.communicate(timeout=60)
    assert (last.returncode, out, err) == (0, whole, "")
    assert kept(store) == RUNS


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    whole: str, tmp_path: Path, backend: str
) -> None:
    process = start(tmp_path, "--backend", backend)
    wait_for_results(tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    said = STOPPED.fullmatch(err)
    assert said, err
    assert 0 < kept(tmp_path) == int(said[1]) < RUNS
    check_goes_on(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_what_else_stops_a_command_does_as_ctrl_c(
    tmp_path: Path, backend: str, stop: signal.Signals, send: Callable[[int, int], None]
) -> None:
    process = start(tmp_path, "--backend", backend)
    wait_for_results(tmp_path, process)
    send(process.pid, stop)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (128 + stop, "")
    said = STOPPED.fullmatch(err)
    assert said, err
    assert 0 < kept(tmp_path) == int(said[1]) < RUNS


@pytest.mark.slow
def test_what_the_terminal_that_ended_does_not_stop_goes_on(whole: str, tmp_path: Path) -> None:
    process = start(tmp_path, before=ignore_hang_ups)
    wait_for_results(tmp_path, process)
    os.killpg(process.pid, signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, whole, "")


@pytest.mark.slow
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_sweep_that_is_killed_at_any_moment_goes_on(
    whole: str, tmp_path: Path, send: Callable[[int, int], None]
) -> None:
    chance = random.Random(7)
    killed = 0
    for _ in range(6):
        before = kept(tmp_path)
        process = start(tmp_path)
        if chance.random() < 0.5:
            wait_for_results(tmp_path, process, before)
        else:
            time.sleep(chance.uniform(0.1, 2.5))
        with suppress(ProcessLookupError):  # it was quicker
            send(process.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
        assert err == ""
        killed += process.returncode == -signal.SIGKILL
        assert kept(tmp_path) >= before
        assert not list(tmp_path.glob("*.damaged"))
    assert killed
    check_goes_on(tmp_path, whole)


@pytest.mark.slow
def test_two_sweeps_share_a_store(whole: str, tmp_path: Path) -> None:
    both = [start(tmp_path), start(tmp_path)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (0, whole, "")
    assert kept(tmp_path) == RUNS


SMALL = """\
name: small
horizon: 60s
workload: {arrivals: {poisson: {rate: 40/s}}}
stages:
  svc: {work: {exponential: {mean: 100ms}}, concurrency: 5}
variants:
  more: {svc.concurrency: 6}
"""
BEGUN = "import cascadesim.__main__ as c; print('begun', flush=True); c.main()"


def interrupted(scenario: Path, after: float) -> tuple[int, str]:
    """Return exit code and errors of a comparison that Ctrl-C ends so many seconds after it began.

    Python's own start is before: no code of ours can answer there.
    """
    command = ["compare", str(scenario), "--replications", "8", "--jobs", "2", "--no-store"]
    process = subprocess.Popen(
        [sys.executable, "-c", BEGUN, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - it takes no lock
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(after)
    with suppress(ProcessLookupError):  # it was quicker
        os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.slow
def test_ctrl_c_at_any_moment_prints_one_line(tmp_path: Path) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL)
    assert interrupted(scenario, after=0.05) == (130, "cascadesim: interrupted\n")
    answers = [interrupted(scenario, after=0.2 * i) for i in range(1, 20)]
    for code, errors in answers:
        if code == 0:  # it was done
            assert errors == ""
            continue
        # As a shell has it, 130; Python ends by the signal where it came inside of an `exec`.
        assert code in (130, -signal.SIGINT)
        # Nothing is said where the command is done and Python itself is ending.
        assert re.fullmatch(r"(cascadesim: interrupted( with \d+ runs? done)?\n)?", errors)
    assert len({errors for _, errors in answers}) > 1  # while it began, and while it ran
