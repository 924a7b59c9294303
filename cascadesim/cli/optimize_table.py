"""What people read of an optimization: settings, and what they came to in fresh worlds."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import FEW, too_few
from cascadesim.cli.tables import new_console, print_table, say
from cascadesim.scenario.objectives import RATES
from cascadesim.shown import (
    lower_bound,
    percent,
    plus_minus,
)
from cascadesim.studies.aims import OPTIMIZED, TODAY
from cascadesim.studies.optimization import OUTCOMES, fresh_seed
from cascadesim.studies.verdict import heading, mean_text, setting_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from cascadesim.analysis.intervals import Interval
    from cascadesim.studies.optimization import Optimization

_ON_FRONT = {True: "yes", False: "no", None: "?"}
_PERCENTILE = re.compile(r"p[0-9]")


def print_optimization(found: Optimization, out: Path | None = None) -> None:
    """Print what was tried, what is proposed, the verdict, and what `out` holds of it."""
    console = new_console()
    _print_search(console, found)
    if found.confirmation is not None:
        _print_settings(console, found)
        if len(found.measures) > 1:
            _print_front(console, found)
        else:
            _print_goal(console, found)
            _print_objectives(console, found)
        _print_outcomes(console, found)
        _print_pairs(console, found)
    _print_too_few(console, found)
    say(console, found.verdict)
    if out is not None and found.proposed is None:
        say(console, f"There is nothing to propose, so --out is not written: {out}")
    elif out is not None:
        say(console, f"{out} holds the variants {', '.join(found.labels)}.")


def _print_search(console: Console, found: Optimization) -> None:
    at = f", variant {found.scenario.variant}" if found.scenario.variant else ""
    feasible = sum(map(found.aims.feasible, found.trials))
    refused = sum(not trial.replications for trial in found.trials)
    kept = f"; {feasible} of them keep the constraints" if found.aims.constraints else ""
    not_run = f"; the scenario refuses {refused}" if refused else ""
    worlds = f"{found.replications} worlds" if found.replications > 1 else "one world"
    tried = f"{len(found.trials)} settings tried, each in {worlds}"
    say(console, f"\n{found.scenario.name}{at}: {tried}, from seed {found.seed}{kept}{not_run}.")
    if found.finalists:
        n = len(found.finalists)
        more = len(found.finalists[0].replications) - found.replications
        best = "The best of them" if n == 1 else f"{n} of the best of them"
        say(console, f"{best} met {more} more worlds, to see whether they keep the constraints.")
    console.print()


def _print_settings(console: Console, found: Optimization) -> None:
    """Print the settings that change: in a table, or in lines where there are many variants."""
    changed = {label: found.changed(trial) for label, trial in found.proposals.items()}
    paths = [path for path in found.trials[0].settings if any(path in c for c in changed.values())]
    today = found.trials[0].settings
    texts = {
        label: [setting_text(changed.get(label, {}).get(path, today[path])) for path in paths]
        for label in found.labels
    }
    if not paths:
        return
    if len(found.measures) == 1:
        rows = zip(paths, *texts.values(), strict=True)
        print_table(console, "Settings", ("path", *found.labels), rows)
        return
    say(console, "Settings:")
    for label, values in texts.items():
        settings = (f"{path}={value}" for path, value in zip(paths, values, strict=True))
        say(console, f"- {label}: {', '.join(settings)}")
    console.print()


def _print_goal(console: Console, found: Optimization) -> None:
    """Print the goal's measure, today and optimized, and their difference."""
    (measure,) = found.measures
    title = f"{heading(measure)}, {_worlds(found)}"
    if not found.proposals:
        print_table(
            console, title, ("variant", "mean"), [(TODAY, found.confirmed_text(TODAY, measure))]
        )
        return
    change = found.differences(measure)[OPTIMIZED]
    difference = _difference(measure, change.interval)
    seen = {True: "seen", False: "no difference seen", None: "not known"}[change.seen]
    if math.isnan(change.interval.estimate):
        difference, seen = "?", ""  # the difference of two lower bounds says nothing
    both = [
        (TODAY, found.confirmed_text(TODAY, measure), "", ""),
        (OPTIMIZED, found.confirmed_text(OPTIMIZED, measure), difference, seen),
    ]
    print_table(console, title, ("variant", "mean", "difference", ""), both)


def _print_front(console: Console, found: Optimization) -> None:
    """Print every goal's measure of all confirmed variants, and which are still on the front."""
    assert found.confirmation is not None
    on_front = found.on_front
    missed = {
        label: [
            each.objective.text for each in found.confirmation.objectives(label) if not each.met
        ]
        for label in found.labels
    }
    rows = [
        (
            label,
            *(found.confirmed_text(label, measure) for measure in found.measures),
            _ON_FRONT[on_front[label]],
            ", ".join(missed[label]) or "none",
        )
        for label in found.labels
    ]
    columns = ("variant", *map(heading, found.measures), "on the front", "objectives missed")
    print_table(console, f"Means, {_worlds(found)}", columns, rows)
    text = (
        "On the front: no where another is seen better in one goal and has a worse mean in none, "
        "or a constraint is missed; yes where each of the others is seen worse in some goal, or is "
        "the same in all; else ?, and where a goal is a lower bound. Differences are paired by "
        "replication, and seen at 5 % after Holm's correction for the variants and goals."
    )
    say(console, f"{text}\n")


def _print_objectives(console: Console, found: Optimization) -> None:
    assert found.confirmation is not None
    rows = [
        (
            label,
            each.objective.text,
            lower_bound(mean_text(each.objective.metric, each.value), each.at_least),
            "yes" if each.met else "no",
        )
        for label in found.labels
        for each in found.confirmation.objectives(label)
    ]
    if rows:
        title = "Objectives in those worlds (latencies in seconds)"
        print_table(console, title, ("variant", "objective", "mean", "met"), rows)


def _print_outcomes(console: Console, found: Optimization) -> None:
    """Print what shows that the service is of use, whatever the goals are."""
    measures = [each.measure for each in OUTCOMES]
    rows = [
        (label, *(found.confirmed_text(label, name) for name in measures)) for label in found.labels
    ]
    print_table(console, "Outcomes in those worlds", ("variant", *map(heading, measures)), rows)


def _print_too_few(console: Console, found: Optimization) -> None:
    """Warn of percentiles that rest on few requests where the run is stationary."""
    runs = found.trials[0].replications
    requests = min((each.requests for each in runs), default=0)
    own = (each.metric for each in found.aims.constraints if each.request_class is None)
    names = dict.fromkeys([*found.measures, *own])
    few = too_few(requests, [name for name in names if _PERCENTILE.match(name)])
    if requests and few and not found.scenario.model.has_planned_faults:
        text = f"fewer than {FEW} of {requests} measured requests of a world lie beyond"
        say(console, f"Warning: {text} {', '.join(few)}; a longer horizon tells more.\n")


def _print_pairs(console: Console, found: Optimization) -> None:
    """Print which share of the requests gets better and worse than today."""
    assert found.confirmation is not None
    for label in found.proposals:
        pairs = found.confirmation.pairs(label)
        requests = sum(each.requests for each in found.confirmation.replications[label])
        if pairs is not None and requests:
            better, worse = (percent(count / requests) for count in pairs)
            say(console, f"{label}: {better} of the requests get better than today, {worse} worse.")
    if found.proposals:
        console.print()


def _worlds(found: Optimization) -> str:
    assert found.confirmation is not None
    count, seed = found.confirmation.count, fresh_seed(found.seed)
    return f"in {count} fresh worlds from seed {seed}, with 95 % intervals"


def _difference(measure: str, value: Interval) -> str:
    if measure not in RATES or math.isnan(value.half_width):
        return plus_minus(value, sign="+")
    return f"{value.estimate:+.2%} ± {value.half_width:.2%}"
