"""The page of a sweep: its best settings, and what their latency depends on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.effects import best_level
from cascadesim.analysis.figure_rules import LOWEST_BY_CHANCE
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.studies.design import settings_text
from cascadesim.values import words
from cascadesim.views import facts
from cascadesim.views.page import Cell, Note, Page, blocks, left, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.analysis.effects import Effect, Effects, Level
    from cascadesim.studies.sweep import Sweep
    from cascadesim.views.page import Block, Table

SHOWN = 20  # settings in the table of the best ones
_NONE = 0.005  # the share below which no value of a setting is better than another


def page(sweep: Sweep, percentile: str = "p99") -> Page:
    """Return the settings that answer most, with a percentile, and what that depends on."""
    effects = _effects(sweep, sweep.shares(percentile)) if len(sweep.vary) > 1 else ()
    parts = blocks(_best(sweep, percentile), _notes(sweep, percentile), effects)
    return Page(title_of(sweep), parts)


def brief(sweep: Sweep) -> Page:
    """Return the settings that answer most, then those with the lowest p99."""
    return Page(title_of(sweep), blocks(_best(sweep, "p99"), _left_out(sweep, "")))


def title_of(sweep: Sweep) -> str:
    """Return what was varied, and how it was run."""
    replications = sweep.design.replications
    runs = f"{replications} replications each" if replications > 1 else "one run each"
    of = f"{words.counted(len(sweep.settings), 'setting')} of {', '.join(sweep.vary)}"
    return f"{facts.at_variant(sweep.scenario)}: {of}; {runs}, seed {sweep.seed}"


def _best(sweep: Sweep, percentile: str) -> Table | None:
    shown = {place: figures(sweep, place, percentile) for place in sweep.ranked(percentile)[:SHOWN]}
    columns = (left(name) if "missed" in name else name for name in next(iter(shown.values()), {}))
    last = "; lower bounds (>) last" if any(sweep.at_least(percentile)) else ""
    rows = (
        (Cell(settings_text(sweep.settings[place]), place, "value"), *cells.values())
        for place, cells in shown.items()
    )
    return table(
        f"Most answered first, then lowest {percentile} in seconds{last}",
        ("setting", *columns),
        rows,
    )


def figures(sweep: Sweep, place: int, percentile: str = "p99") -> dict[str, Cell]:
    """Return the figures of the setting at a place by their names."""
    runs = sweep.runs[place]
    cells = {
        words.heading(measure): facts.amount(
            measure, runs.measure(measure).estimate, at_least=runs.at_least(measure)
        )
        for measure in (ANSWERED, "error_rate", "goodput")
    }
    value = facts.mean(percentile, runs.measure(percentile), runs.at_least(percentile))
    cells[words.heading(percentile)] = value
    if sweep.scenario.objectives:
        cells["objectives missed"] = facts.missed(runs.objectives)
    return cells


def _notes(sweep: Sweep, percentile: str) -> Iterator[Note | None]:
    n = len(sweep.settings)
    yield _left_out(sweep, "; --format csv has them all")
    if sweep.design.replications > 1 and n > 1:
        text = f"The lowest of {n} settings is the lowest partly by chance: to confirm it, compare "
        text = f"{text}it with another --seed, or let optimize do so."
        yield Note(text, code=LOWEST_BY_CHANCE.code)
    if few := len(sweep.too_few(percentile)):
        where = f" in {few} of {n} settings"
        yield facts.too_few([percentile], "measured requests of a run", where)
    if sweep.too_short:
        yield facts.GUESS


def _left_out(sweep: Sweep, more: str) -> Note | None:
    left_out = len(sweep.settings) - SHOWN
    return Note(f"{left_out} more settings are left out{more}.") if left_out > 0 else None


def _effects(sweep: Sweep, effects: Effects) -> Iterator[Block | None]:
    """Yield what a measure depends on, most first."""
    measure = effects.measure
    if all(math.isinf(effect.rank) for effect in effects.effects):
        yield Note(f"What {measure} depends on is not known: {effects.note}.", code=effects.code)
        return
    levels, errors = sweep.levels(measure), sweep.levels("error_rate")  # of the same values
    rows = []
    for effect in effects.effects:
        best = best_level([one for one in levels if one.setting == effect.setting], measure)
        value, rate = Cell("any", kind="faint"), Cell("")
        if best is not None and effect.rank >= _NONE:
            value, rate = Cell(best.text, best.along, "value"), _rate(errors[levels.index(best)])
        rows.append((setting(effect.setting), *_shares(effect), value, rate))
    title = f"What {measure} depends on, most first"
    yield table(title, ("setting", "first order", "total", "best value", "error rate"), rows)
    yield Note("Shares of the variance: first order alone, total together with others.")
    yield Note(f"Best value: of the lowest mean {measure}; error rate: the mean there.")
    if not math.isnan(effects.noise):
        yield Note(f"Chance between replications is {effects.noise:.1%} of the variance.")
    if effects.note:
        yield Note(f"{effects.note[0].upper()}{effects.note[1:]}.", code=effects.code)


def _rate(level: Level) -> Cell:
    return facts.amount("error_rate", level.mean, at_least=level.at_least)


def _shares(effect: Effect) -> tuple[Cell, Cell]:
    return (
        _share(effect.first_order, effect.first_order_high),
        _share(effect.total_order, effect.total_order_high),
    )


def _share(share: float, high: float) -> Cell:
    """Return a share with half its interval; estimates beyond 0 and 1 are brought back."""
    if math.isnan(share):
        return Cell("-", math.inf)
    text = f"{min(max(share, 0.0), 1.0):.1%}"
    return Cell(text if math.isnan(high) else f"{text} ± {high - share:.1%}", share)
