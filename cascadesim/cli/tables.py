"""What people read: results as tables for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import JustifyMethod

    from cascadesim.analysis.contradictions import RetryCost
    from cascadesim.studies.check import Check, Opening


def new_console() -> Console:
    """Return a console that prints what it is given, and colours nothing by itself."""
    return Console(highlight=False, soft_wrap=False)


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table whose first column is a name and whose others are figures."""
    cells = list(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for i, column in enumerate(columns):
        figure = i > 0 and column not in ("setting", "objectives missed")
        justify: JustifyMethod = "right" if figure else "left"
        # Headings are often longer than their figures, and break so that the table stays narrow.
        width = max((len(row[i]) for row in cells), default=0)
        heading = textwrap.fill(column, max(width, 1), break_long_words=False)
        table.add_column(Text(heading), justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: what a user named is not markup
    console.print(Text(title, style="bold"))
    console.print(table)


def say(console: Console, text: str) -> None:
    """Print text as it is, wrapped at the width of the terminal."""
    console.print(Text(text))


def words(name: str) -> str:
    """Return a name such as "timed_out" in words."""
    return name.replace("_", " ")


def print_check(check: Check) -> None:
    """Print what the settings amount to."""
    console = new_console()
    variant = f", variant {check.scenario.variant}" if check.scenario.variant else ""
    say(console, f"\n{check.scenario.name}{variant}: valid\n")
    if check.openings:
        print_table(
            console,
            "Breakers against a dead dependency, at the mean arrival rate",
            ("breaker", "dependency", "failing calls", "opens after", "calls reaching it"),
            map(_opening, check.openings),
        )
    if check.retries:
        print_table(
            console,
            "Retries of a call that fails throughout",
            ("retry", "waits", "calls per request", "sustained"),
            map(_retry, check.retries),
        )
    title = "Worst-case latency that the settings allow, in seconds"
    print_table(console, title, ("path", "worst case"), _worst_case(check))
    for found in check.contradictions:
        say(console, f"Warning {found.code}: {', '.join(found.settings)}: {found.problem}")
    if not check.contradictions:
        say(console, "No settings that contradict each other.")


def _opening(o: Opening) -> tuple[str, ...]:
    if o.after is None or o.reached is None:
        return o.breaker, o.dead, str(o.failing_calls), "never" if o.never else "not seen", "-"
    return o.breaker, o.dead, str(o.failing_calls), duration_text(o.after), str(o.reached)


def _retry(r: RetryCost) -> tuple[str, ...]:
    waits = ", ".join(_range(*wait) for wait in r.waits) or "none"
    return r.path, waits, f"x{r.load}", f"x{r.sustained:g}"


def _worst_case(check: Check) -> Iterable[tuple[str, str]]:
    for stage, bound in check.bounds.items():
        yield stage, _limit(bound.total)
        for path, seconds in sorted(bound.terms.items(), key=lambda term: -term[1]):
            if seconds:
                yield f"  {path}", _limit(seconds)
    for name, bound in check.paths.items():
        through = "all of them" if name is None else "its path"
        which = "a request" if name is None else f"a request of {name}"
        yield f"{which} through {through}", _limit(bound.total)


def _limit(seconds: float) -> str:
    return "unbounded" if math.isinf(seconds) else f"{seconds:.3f}"


def _range(shortest: float, longest: float) -> str:
    if shortest == longest:
        return duration_text(longest)
    return f"{duration_text(shortest)} to {duration_text(longest)}"
