"""Calls in processes of this machine, which end with the process that waits for them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, TypeVar

from cascadesim.values.stops import STOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

T = TypeVar("T")

_WATCH = 0.5  # seconds between two looks at whether the parent is there


def in_processes(
    workers: int, function: Callable[..., T], calls: Sequence[tuple[object, ...]], *, ordered: bool
) -> Generator[T]:
    """Yield what a function returns for the arguments of each call, `ordered` or as they are done.

    In this process where one worker is enough. Closing it cancels what has not begun.
    """
    workers = min(workers, len(calls))
    if workers <= 1:
        yield from (function(*call) for call in calls)
        return
    from joblib import Parallel, delayed  # slow to import, and not every command needs it

    kind = "generator" if ordered else "generator_unordered"
    parallel = Parallel(n_jobs=workers, return_as=kind, initializer=_begin, initargs=(os.getpid(),))
    with held_stops():
        results = parallel(delayed(function)(*call) for call in calls)
    try:
        # `yield from` would close them itself, before the warning is silenced.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            # Only after an interrupt or an error is anything cancelled, and that is meant.
            warnings.filterwarnings("ignore", message=".* have been cancelled")
            warnings.filterwarnings("ignore", message="resource_tracker: ")
            results.close()


@contextmanager
def held_stops() -> Iterator[None]:
    """Hold back signals that stop a command while processes start, which inherit that.

    They would print a traceback, or end before the process that tells them to.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        _start_trackers()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # to start them lets some through again
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_trackers() -> None:
    """Start the processes that clear away what a killed process leaves, Python's and joblib's.

    They outlive it, and are to say nothing of what they clear away.
    """
    from joblib.externals.loky.backend import resource_tracker as tracker_of_joblib

    sys.warnoptions.append("ignore:resource_tracker")  # which trackers take over
    try:
        resource_tracker.ensure_running()
        tracker_of_joblib.ensure_running()
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")


def _begin(parent: int) -> None:
    """Let a worker leave signals to its parent, and end with it."""
    for stop in STOPS:
        signal.signal(stop, signal.SIG_IGN)
    if sys.platform != "win32":  # where a process keeps the number of a parent that is gone
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent is gone, whatever it does."""
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(1)
