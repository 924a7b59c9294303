"""The tables of a sweep: its best settings, and what they depend on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.analysis.effects import best_level
from cascadesim.analysis.percentiles import FEW
from cascadesim.cli.tables import new_console, print_table, say
from cascadesim.studies.design import settings_text
from cascadesim.studies.sweep import SHOWN
from cascadesim.values.words import lower_bound, percent

if TYPE_CHECKING:
    from rich.console import Console

    from cascadesim.analysis.effects import Effect, Effects, Level
    from cascadesim.studies.sweep import Sweep

_NONE = 0.005  # the share below which no value of a setting is better than another


def print_sweep(sweep: Sweep, percentile: str) -> None:
    """Print one percentile, goodput, error rate and objectives missed of settings, best first.

    Below it stands what the percentile depends on, where several settings are varied.
    """
    console = new_console()
    number, n = sweep.design.replications, len(sweep.settings)
    worlds = f"{number} replications each" if number > 1 else "one run each"
    say(console, f"\n{n} settings, {worlds}, seed {sweep.seed}:")
    say(console, f"{', '.join(sweep.vary)}\n")
    places = sweep.ranked(percentile)[:SHOWN]
    shown = {place: sweep.row(place, percentile) for place in places}
    rows = ((settings_text(sweep.settings[place]), *row.values()) for place, row in shown.items())
    columns = ("setting", *shown[places[0]])
    last = ", lower bounds (>) last" if any(sweep.at_least(percentile)) else ""
    print_table(console, f"{percentile} in seconds, lowest first{last}", columns, rows)
    if n > SHOWN:
        say(console, f"({n - SHOWN} more are left out; --format csv has them all)\n")
    if number > 1 and n > 1:
        text = f"the lowest of {n} settings is the lowest partly by chance; to confirm it in fresh"
        say(console, f"({text} worlds, compare with another --seed, or optimize)\n")
    _print_warnings(console, sweep, percentile)
    if len(sweep.vary) > 1:
        _print_effects(console, sweep, sweep.shares(percentile))


def _print_warnings(console: Console, sweep: Sweep, percentile: str) -> None:
    few = len(sweep.too_few(percentile))
    if few:
        text = f"Fewer than {FEW} measured requests of a run lie beyond {percentile}"
        settings = f"in {few} of {len(sweep.settings)} settings"
        say(console, f"Warning: {text} {settings}; a longer horizon tells more.\n")
    if sweep.too_short:
        text = "a run is too short, or its first fault too early, to tell where the warm-up ends"
        say(console, f"Warning: {text}, so that of its horizon is a guess.\n")


def _print_effects(console: Console, sweep: Sweep, found: Effects) -> None:
    if all(math.isnan(effect.rank) or math.isinf(effect.rank) for effect in found.effects):
        say(console, f"What {found.measure} depends on is not known: {found.note}.\n")
        return
    levels = sweep.levels(found.measure)
    errors = sweep.levels("error_rate")  # the same levels
    rows = []
    for effect in found.effects:
        own = [level for level in levels if level.setting == effect.setting]
        best = best_level(own, found.measure)
        if best is None or effect.rank < _NONE:
            value, rate = "any", ""
        else:
            value, rate = best.text, _rate(errors[levels.index(best)])
        rows.append((effect.setting, _first(effect), _total(effect), value, rate))
    title = f"What {found.measure} depends on, most first"
    columns = ("setting", "first order", "total", "best value", "error rate")
    print_table(console, title, columns, rows)
    say(console, "(shares of the variance: first order alone, total together with others)")
    say(console, f"(best value: of the lowest mean {found.measure}; error rate: the mean there)")
    if not math.isnan(found.noise):
        say(console, f"(chance between replications is {found.noise:.1%} of the variance)")
    if found.note:
        say(console, f"({found.note})")
    console.print()


def _rate(level: Level) -> str:
    return lower_bound(percent(level.mean), level.at_least)


def _first(effect: Effect) -> str:
    return _share(effect.first_order, effect.first_order_high)


def _total(effect: Effect) -> str:
    return _share(effect.total_order, effect.total_order_high)


def _share(share: float, high: float) -> str:
    """Return a share with half its interval; estimates beyond 0 and 1 are brought back."""
    if math.isnan(share):
        return "-"
    text = f"{min(max(share, 0.0), 1.0):.1%}"
    return text if math.isnan(high) else f"{text} ± {high - share:.1%}"
