"""Calls in processes of this machine, which leave Ctrl-C to the process that waits for them."""

from __future__ import annotations

import signal
import warnings
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

T = TypeVar("T")


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
    parallel = Parallel(n_jobs=workers, return_as=kind, initializer=_ignore_interrupts)
    with _held_interrupts():
        results = parallel(delayed(function)(*call) for call in calls)
    try:
        # `yield from` would close them itself, before the warning is silenced.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            # Only after an interrupt or an error is anything cancelled, and that is meant.
            warnings.filterwarnings("ignore", message=".* have been cancelled")
            results.close()


@contextmanager
def _held_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back while processes start: they inherit that, and would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # before, as to start it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
