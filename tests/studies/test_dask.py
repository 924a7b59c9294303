"""Against a real Dask scheduler and worker processes on loopback."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.studies import execution
from cascadesim.studies.execution import Execution
from cascadesim.studies.sweep import Sweep
from cascadesim.values.errors import ScenarioError

SHORT = {"horizon": "6min30s", "drain": "1min"}
VARY = ["agent.deadline.timeout=2s,5s,15s", "agent.concurrency=25..75:25"]


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.workers: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._scheduler = self._start("scheduler", "--port", "0")
        self.address = self._address()

    def _address(self) -> str:
        while self._scheduler.poll() is None:
            with suppress(FileNotFoundError, json.JSONDecodeError):  # it may be half written
                return str(json.loads(self._file.read_text())["address"])
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def _start(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(self._file)]
        with (self._folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "dask", kind, *common, *options]
            return subprocess.Popen(command, stdout=log, stderr=log)

    def add_worker(self) -> None:
        # Without a nanny, which would start another in the place of one that is killed.
        folder = str(self._folder)
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", folder)
        self.workers.append(self._start("worker", *options))

    def close(self) -> None:
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    from distributed import Client

    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.add_worker()
    cluster.add_worker()
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield cluster
    cluster.close()


def scenario() -> cascadesim.Scenario:
    return cascadesim.load(ROOT / "scenarios" / "incident-60s").at("after").override(SHORT)


@pytest.fixture(scope="module")
def here() -> Sweep:
    return cascadesim.sweep(scenario(), VARY, replications=3, execution=Execution(1))


def on(cluster: Cluster, store: Path | None = None) -> Execution:
    return Execution(backend="dask", scheduler=cluster.address, store=store)


def csv(swept: Sweep) -> str:
    return swept.frame.to_csv()


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(cluster: Cluster, here: Sweep) -> None:
    swept = cascadesim.sweep(scenario(), VARY, replications=3, execution=on(cluster))
    assert csv(swept) == csv(here)
    compared = [
        cascadesim.compare(
            cascadesim.load(ROOT / "scenarios" / "incident-60s"),
            variants=["before", "after"],
            settings=SHORT,
            precision="p50=20%",
            replications=8,
            execution=where,
        )
        for where in (on(cluster), Execution(1))
    ]
    assert compared[0].frame.to_csv() == compared[1].frame.to_csv()


@pytest.mark.slow
def test_the_command_line_takes_a_scheduler(cluster: Cluster, here: Sweep, cli: Cli) -> None:
    vary = [word for text in VARY for word in ("--vary", text)]
    shorter = [word for path, value in SHORT.items() for word in ("--set", f"{path}={value}")]
    options = ["--variant", "after", "--replications", 3, "--format", "csv", "--no-store", *shorter]
    dask = ["--backend", "dask", "--scheduler", cluster.address]
    code, out, err = cli("sweep", ROOT / "scenarios" / "incident-60s", *vary, *options, *dask)
    assert (code, err) == (0, "")
    assert out == here.frame.to_csv(index=False)


@pytest.mark.slow
def test_what_a_cluster_did_is_kept_here(cluster: Cluster, here: Sweep, tmp_path: Path) -> None:
    where = on(cluster, tmp_path)
    cascadesim.sweep(scenario(), VARY, replications=2, execution=where)
    # Nothing is left to ask of a scheduler that is not there.
    nowhere = Execution(backend="dask", scheduler="tcp://127.0.0.1:1", store=tmp_path)
    swept = cascadesim.sweep(scenario(), VARY, replications=2, execution=nowhere)
    assert len(swept.replications) == len(here.replications)
    for two, three in zip(swept.replications, here.replications, strict=True):
        assert two == three[:2]


@pytest.mark.slow
def test_a_lost_worker_changes_nothing(cluster: Cluster, here: Sweep) -> None:
    victim, survivor = cluster.workers

    def kill(share: float) -> None:
        if share >= 0.25 and victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            victim.wait()

    swept = cascadesim.sweep(scenario(), VARY, replications=3, execution=on(cluster), progress=kill)
    assert victim.returncode == -signal.SIGKILL
    assert survivor.poll() is None
    assert csv(swept) == csv(here)


@pytest.mark.slow
def test_workers_with_other_code_are_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "code_version", lambda: "9.9.9-abc")
    with pytest.raises(ScenarioError, match=r"a worker has .*, this is 9\.9\.9-abc"):
        cascadesim.sweep(scenario(), VARY[:1], execution=on(cluster))


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line(here: Sweep, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.add_worker()

    def lose(share: float) -> None:
        if share >= 0.25:
            cluster.close()

    store = tmp_path / "store"
    with pytest.raises(ScenarioError, match="is gone; what is done is kept"):
        cascadesim.sweep(
            scenario(), VARY, replications=3, execution=on(cluster, store), progress=lose
        )
    again = Execution(1, store=store)
    seen: list[float] = []
    swept = cascadesim.sweep(
        scenario(), VARY, replications=3, execution=again, progress=seen.append
    )
    assert seen[0] >= 0.25
    assert csv(swept) == csv(here)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://127.0.0.1:1", "does not answer"),
        ("127.0.0.1:x", "is no scheduler"),
        ("nowhere://x", "is no scheduler"),
        ("foo", "is no scheduler"),
    ],
)
def test_a_scheduler_that_is_not_there_is_one_line(
    address: str, says: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "PATIENCE", 1)
    options = ["--variant", "after", "--no-store", "--backend", "dask", "--scheduler", address]
    code, out, err = cli("sweep", ROOT / "scenarios" / "incident-60s", "--vary", VARY[0], *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"--scheduler {address}: {says}; expected the address of one")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_without_a_scheduler_there_is_a_cluster_on_this_machine(here: Sweep) -> None:
    where = Execution(2, backend="dask")
    assert csv(cascadesim.sweep(scenario(), VARY, replications=3, execution=where)) == csv(here)
