"""A progress bar on standard error, for what takes more than a second and has a reader."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cascadesim.scenario.errors import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 1.0  # seconds before a bar appears


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None] | None]:
    """Yield a function that takes the share done, or None where nobody watches.

    The bar appears once the block has lasted PATIENCE, whether or not it has told a share by then,
    and is gone after it. One block is one bar: put all that a command computes and writes into it,
    and print afterwards.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)  # what a user named is not markup
    bar = Progress(
        *(text, BarColumn(), TimeRemainingColumn()),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = bar.add_task(cut(one_line(label)), total=1.0)
    patience = threading.Timer(PATIENCE, bar.start)
    patience.daemon = True
    patience.start()
    try:
        yield lambda share: bar.update(task, completed=share)
    finally:
        patience.cancel()
        patience.join()  # so that it starts no bar after this
        if bar.live.is_started:
            bar.stop()
