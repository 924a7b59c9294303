import sys
from pathlib import Path
from typing import Any

import pytest
from kit import plan_of

from cascadesim.scenario.objectives import parse_objective
from cascadesim.studies import execution
from cascadesim.studies.execution import Execution, Interrupted
from cascadesim.studies.replications import Job, Replication, Variant, replicate
from cascadesim.values.errors import ScenarioError


def queue(mean: str) -> dict[str, Any]:
    return {
        "name": "queue",
        "horizon": "30s",
        "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
        "stages": {"server": {"work": {"exponential": {"mean": mean}}, "concurrency": 1}},
    }


OBJECTIVES = (parse_objective("p90 < 400ms"),)
SLOW, FAST, SLOWER = (
    Variant(plan_of(queue(mean)), OBJECTIVES) for mean in ("100ms", "80ms", "110ms")
)
JOBS = [Job((SLOW, FAST), 3, number) for number in range(6)]


@pytest.fixture(scope="module")
def directly() -> list[list[Replication]]:
    return [replicate(job) for job in JOBS]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Return a list that grows by each job that is run in this process."""
    ran: list[Job] = []

    def counted(job: Job) -> list[Replication]:
        ran.append(job)
        return replicate(job)

    monkeypatch.setattr(execution, "replicate", counted)
    return ran


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_any_number_of_processes_gives_the_same(
    directly: list[list[Replication]], jobs: int
) -> None:
    assert Execution(jobs).run(JOBS) == directly
    assert Execution(jobs).run([]) == []


def test_progress_goes_up_to_one() -> None:
    for jobs in (1, 2):
        seen: list[float] = []
        Execution(jobs).run(JOBS, seen.append)
        assert seen == pytest.approx([n / 6 for n in range(1, 7)])


def test_what_is_kept_is_not_run_again(
    directly: list[list[Replication]], simulated: list[Job], tmp_path: Path
) -> None:
    where = Execution(1, store=tmp_path)
    assert where.run(JOBS[:2]) == directly[:2]
    assert where.run(JOBS) == directly
    assert simulated == JOBS  # the first two once
    seen: list[float] = []
    assert where.run(JOBS, seen.append) == directly
    assert simulated == JOBS
    assert seen == [1.0]


def test_another_variant_is_run_beside_the_first_alone(
    simulated: list[Job], tmp_path: Path
) -> None:
    where = Execution(1, store=tmp_path)
    where.run(JOBS[:1])
    job = Job((SLOW, FAST, SLOWER), 3, 0)
    assert where.run([job]) == [replicate(job)]
    assert simulated[1:] == [Job((SLOW, SLOWER), 3, 0)]
    # Beside another first it gets better and worse in other requests, so it is another result.
    other = Job((FAST, SLOWER), 3, 0)
    assert where.run([other]) == [replicate(other)]
    assert simulated[2:] == [other]


@pytest.mark.parametrize(("jobs", "kept"), [(1, True), (1, False), (2, True)])
def test_an_interrupt_keeps_what_is_done(
    directly: list[list[Replication]], tmp_path: Path, jobs: int, kept: bool
) -> None:
    def interrupt(share: float) -> None:
        if share == 0.5:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        Execution(jobs, store=tmp_path if kept else None).run(JOBS, interrupt)
    says = "interrupted with 3 runs done"
    more = ", which are kept; the same command goes on from there"
    assert str(stopped.value) == (says + more if kept else says)
    seen: list[float] = []
    assert Execution(1, store=tmp_path).run(JOBS, seen.append) == directly
    assert seen[0] == (0.5 if kept else pytest.approx(1 / 6))


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScenarioError, match="cannot be written"):
        Execution(1, store=tmp_path / "file" / "store").run(JOBS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"backend": "threads"}, "--backend threads: expected processes or dask"),
        ({"scheduler": "tcp://x:1"}, "--scheduler tcp://x:1: goes with --backend dask"),
        ({"jobs": 0}, "--jobs 0: expected -1 or a number from 1"),
    ],
)
def test_executions_that_there_are_not(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ScenarioError) as wrong:
        Execution(**arguments)
    assert str(wrong.value) == says


def test_dask_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ScenarioError, match=r"pip install 'cascadesim\[cluster\]'"):
        Execution(backend="dask").run(JOBS)
