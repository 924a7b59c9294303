"""Calls in processes of this machine, which leave Ctrl-C to the process that waits for them."""

from __future__ import annotations

import signal
import warnings
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

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


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
