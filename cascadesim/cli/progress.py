"""A progress bar on standard error, for what takes more than a second and has a reader."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cascadesim.values.errors import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a bar appears
PAUSE = 5.0  # seconds from one line to the next where there is no terminal


@contextmanager
def progress_bar(
    label: str, total: int | None = None, *, plain: bool = False
) -> Iterator[Callable[[float], None] | None]:
    """Yield a function that takes the share done, or None where nobody watches.

    Where standard error is no terminal, `plain` writes a line now and then.

    With the `total` number of runs the bar counts them, and tells how many are done a second.

    The bar appears once the block has lasted PATIENCE, whether or not it has told a share by then,
    and is gone after it. One block is one bar: put all that a command computes and writes into it,
    and print afterwards.
    """
    if not sys.stderr.isatty():
        yield _lines(label) if plain else None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many runs are done a second."""

        def render(self, task: Task) -> Text:
            """Return nothing until a rate is known."""
            return Text("" if task.speed is None else f"{task.speed:.3g} runs/s")

    text = TextColumn("{task.description}", markup=False)  # what a user named is not markup
    bar = Progress(
        *(text, BarColumn(bar_width=None)),
        *(() if total is None else (MofNCompleteColumn(), Rate())),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    runs = total or 1
    task = bar.add_task(cut(one_line(label)), total=runs)
    patience = threading.Timer(PATIENCE, bar.start)
    patience.daemon = True
    patience.start()
    try:
        yield lambda share: bar.update(task, completed=round(share * runs, 6))
    finally:
        patience.cancel()
        patience.join()  # so that it starts no bar after this
        if bar.live.is_started:
            bar.stop()


def for_each(label: str, things: Sequence[Any], function: Callable[..., T]) -> list[T]:
    """Return what a function returns for each thing and its part of the progress, under one bar."""
    from cascadesim.studies.replay import part_of

    with progress_bar(label) as progress:
        return [
            function(thing, part_of(progress, i, len(things))) for i, thing in enumerate(things)
        ]


def _lines(label: str) -> Callable[[float], None]:
    """Return a function that takes the share done, and writes a line every PAUSE seconds."""
    begun = last = time.monotonic()

    def show(share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if 0 < share < 1 and now - last >= PAUSE:
            last = now
            left = (now - begun) * (1 - share) / share
            print(f"{cut(one_line(label))}: {share:.0%}, about {left:.0f} s left", file=sys.stderr)

    return show
