"""Execution: on which cores or machines replications run, and where they are kept.

None of it changes a figure.
"""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim.outputs import optional
from cascadesim.studies.processes import held_stops, in_processes
from cascadesim.studies.replications import Job, replicate
from cascadesim.studies.store import Key, Store, code_version, digest
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from cascadesim.studies.replications import Replication, Variant

    Results = Generator[tuple[int, list[Replication]]]  # with the job's place, as they are done

BACKENDS = ("processes", "dask")
PATIENCE = 10  # seconds for a Dask scheduler to answer
_ADDRESS = re.compile(r"(?:[a-z]+://)?[^\s/]+:[0-9]+")


class Interrupted(KeyboardInterrupt):
    """An interrupt, which says what is done and kept."""


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how replications run.

    `jobs` is the number of processes, -1 for one on each core. `backend` is "processes" (joblib's)
    or "dask", with the address of a `scheduler`, or else a cluster of `jobs` processes on this
    machine. What is in the `store`, a folder, is not run again; see `Store`.
    """

    jobs: int = -1
    backend: str = "processes"
    scheduler: str | None = None
    store: str | Path | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ScenarioError(f"expected {' or '.join(BACKENDS)}", f"--backend {self.backend}")
        if self.scheduler is not None and self.backend != "dask":
            raise ScenarioError("goes with --backend dask", f"--scheduler {self.scheduler}")
        if self.jobs != -1 and self.jobs < 1:
            raise ScenarioError("expected -1 or a number from 1", f"--jobs {self.jobs}")

    @property
    def workers(self) -> int:
        """Return how many processes there are on this machine."""
        from joblib import cpu_count  # slow to import, and not every command needs it

        return int(cpu_count()) if self.jobs == -1 else self.jobs

    @contextmanager
    def open(self) -> Iterator[Runner]:
        """Give a runner; processes, connections and the store are its own until the end.

        Raises ScenarioError for a store that cannot be written, and where the runner needs Dask or
        its scheduler and has none.
        """
        with ExitStack() as stack:
            store = None if self.store is None else stack.enter_context(Store(Path(self.store)))
            compute = _Dask(self, stack) if self.backend == "dask" else _Processes(self.workers)
            yield Runner(compute, store)

    def run(
        self, jobs: Sequence[Job], progress: Callable[[float], None] | None = None
    ) -> list[list[Replication]]:
        """Return the replications of each job; see `Runner.run`."""
        with self.open() as runner:
            return runner.run(jobs, progress)


HERE = Execution()


class Runner:
    """Runs jobs, but those that the store has."""

    def __init__(self, compute: _Processes | _Dask, store: Store | None) -> None:
        self.ahead = compute.ahead  # jobs to ask for at once, so that nobody is idle
        self._compute = compute
        self._store = store
        self._done = 0  # by earlier calls

    def run(
        self, jobs: Sequence[Job], progress: Callable[[float], None] | None = None
    ) -> list[list[Replication]]:
        """Return the replications of each job, one for each of its variants, in order.

        `progress` is called with the share of jobs that are done. Raises Interrupted.
        """
        rows = self._stored(jobs)
        missing = [i for i, row in enumerate(rows) if None in row]
        done = len(jobs) - len(missing)
        try:
            if progress is not None and done:
                progress(done / len(jobs))
            parts = [_remaining(jobs[i], rows[i]) for i in missing]
            with closing(self._compute(parts)) as results:
                for place, replications in results:
                    self._keep(jobs[missing[place]], rows[missing[place]], replications)
                    done += 1
                    if progress is not None:
                        progress(done / len(jobs))
        except KeyboardInterrupt:
            if self._store is not None:  # it may have come between keeping a run and counting it
                done = sum(None not in row for row in self._stored(jobs))
            raise Interrupted(self._interrupted(self._done + done)) from None
        self._done += done
        return [[replication for replication in row if replication is not None] for row in rows]

    def _stored(self, jobs: Sequence[Job]) -> list[list[Replication | None]]:
        if self._store is None:
            return [[None] * len(job.variants) for job in jobs]
        keys = [[_key(job, variant) for variant in job.variants] for job in jobs]
        kept = self._store.find({key for row in keys for key in row})
        return [[kept.get(key) for key in row] for row in keys]

    def _keep(
        self, job: Job, row: list[Replication | None], replications: list[Replication]
    ) -> None:
        """Put what was run in its places, and into the store."""
        for place, replication in zip(_places(row), replications, strict=True):
            if row[place] is None:
                row[place] = replication
                if self._store is not None:
                    self._store.add(_key(job, job.variants[place]), replication)

    def _interrupted(self, done: int) -> str:
        text = f"interrupted with {done} run{'' if done == 1 else 's'} done"
        kept = ", which are kept; the same command goes on from there"
        return text if self._store is None else text + kept


def _places(row: list[Replication | None]) -> list[int]:
    """Return which variants to run: those that are missing, and the first to stand beside."""
    return [i for i, replication in enumerate(row) if i == 0 or replication is None]


def _remaining(job: Job, row: list[Replication | None]) -> Job:
    return replace(job, variants=tuple(job.variants[i] for i in _places(row)))


def _key(job: Job, variant: Variant) -> Key:
    return Key(digest(variant, job.variants[0]), job.seed, job.number)


def _numbered(place: int, job: Job) -> tuple[int, list[Replication]]:
    return place, replicate(job)


class _Processes:
    """Processes on this machine, or none where one is enough."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.ahead = 1 if workers == 1 else 4 * workers

    def __call__(self, jobs: Sequence[Job]) -> Results:
        yield from in_processes(self._workers, _numbered, list(enumerate(jobs)), ordered=False)


class _Dask:
    """A Dask cluster, by its own interface: a task a job, which it repeats if a worker is lost."""

    ahead = 16  # workers may come and go

    def __init__(self, execution: Execution, stack: ExitStack) -> None:
        self._execution = execution
        self._stack = stack
        self._distributed = optional("distributed", "Dask", "cluster", "--backend dask")

    def __call__(self, jobs: Sequence[Job]) -> Results:
        if not jobs:
            return
        # Tasks are not pure to Dask, so that a scheduler answers none from an earlier run.
        tasks = self._client.map(
            _on_worker, range(len(jobs)), jobs, version=code_version(), pure=False
        )
        try:
            for future in self._distributed.as_completed(tasks, loop=self._client.loop):
                yield self._result(future)
        finally:
            self._client.cancel(tasks)

    @cached_property
    def _client(self) -> Any:
        """Connect at first use, as a store may have all results."""
        # What it tells of workers that come and go, and of a lost connection, is told here.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        address = self._execution.scheduler
        if address is None:
            with held_stops():
                cluster = self._distributed.LocalCluster(
                    n_workers=self._execution.workers,
                    threads_per_worker=1,
                    dashboard_address=":0",
                    silence_logs=logging.CRITICAL,
                )
            self._stack.enter_context(cluster)
            address = cluster.scheduler_address
        expected = "expected the address of one, such as tcp://host:8786"
        if not _ADDRESS.fullmatch(address):
            raise ScenarioError(f"is no scheduler; {expected}", f"--scheduler {address}")
        try:
            client = self._distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError):
            raise ScenarioError(f"does not answer; {expected}", f"--scheduler {address}") from None
        return self._stack.enter_context(client)

    def _result(self, future: Any) -> tuple[int, list[Replication]]:
        where = f"--scheduler {self._execution.scheduler or 'of this machine'}"
        try:
            result: tuple[int, list[Replication]] = future.result()
        except self._distributed.KilledWorker:
            message = "lost every worker that tried one of the runs; have they enough memory?"
            raise ScenarioError(message, where) from None
        except (self._distributed.CancelledError, self._distributed.comm.CommClosedError):
            message = "is gone; what is done is kept where there is a store"
            message += ", and the same command goes on from there"
            raise ScenarioError(message, where) from None
        except ImportError as error:
            message = f"a worker cannot run cascadesim: {error}; install it there, too"
            raise ScenarioError(message, where) from None
        return result


def _on_worker(place: int, job: Job, version: str) -> tuple[int, list[Replication]]:
    if code_version() != version:
        message = f"a worker has {code_version()}, this is {version}"
        raise ScenarioError(f"{message}; install the same packages on both", "cascadesim")
    return _numbered(place, job)
