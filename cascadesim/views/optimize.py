"""The page of an optimization: settings, and their figures in fresh replications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import too_few
from cascadesim.studies.aims import OPTIMIZED, TODAY
from cascadesim.studies.optimization import OUTCOMES, fresh_seed
from cascadesim.studies.verdict import setting_text
from cascadesim.values import words
from cascadesim.views import facts, measures
from cascadesim.views.brief import in_columns
from cascadesim.views.page import (
    Cell,
    Column,
    Note,
    Page,
    blocks,
    left,
    listing,
    name,
    setting,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cascadesim.studies.optimization import Optimization
    from cascadesim.views.page import Block, Listing, Table, Words

_ON_FRONT = {True: "yes", False: "no", None: "?"}
_PERCENTILE = re.compile(r"p[0-9]")
_WHAT_FRONT_MEANS = (
    "On the front: no where another is seen better in one goal and has a worse mean in none, or a "
    "constraint is missed; yes where each of the others is seen worse in some goal, or is the same "
    "in all; else ?, and where a goal is a lower bound. Differences are paired by replication, and "
    "seen at 5 % after Holm's correction for the variants and goals."
)


def page(search: Optimization, out: Path | None = None) -> Page:
    """Return what was tried, what is proposed, the verdict, and what the file `out` holds."""
    confirmed = () if search.confirmation is None else _confirmed(search)
    parts = blocks(_finalists(search), _too_few(search), confirmed, Note(search.verdict))
    return Page(_title(search), (*parts, *blocks(_written(search, out))))


def brief(search: Optimization) -> Page:
    """Return the verdict, and the figures of each variant in a column."""
    title = f"{_tried(search)}. {search.verdict}"
    if search.confirmation is None:
        return Page(title)
    return Page(
        title, blocks(in_columns({label: _figures(search, label) for label in search.labels}))
    )


def _tried(search: Optimization) -> str:
    return f"{facts.at_variant(search.scenario)}: {len(search.trials)} settings tried"


def _title(search: Optimization) -> str:
    runs = f"{words.counted(search.replications, 'replication')} each"
    feasible = sum(map(search.aims.feasible, search.trials))
    refused = sum(not trial.replications for trial in search.trials)
    kept = f"; {feasible} of them keep the constraints" if search.aims.constraints else ""
    not_run = f"; the scenario refuses {refused}" if refused else ""
    return f"{_tried(search)}, {runs} from seed {search.seed}{kept}{not_run}"


def _finalists(search: Optimization) -> Note | None:
    if not search.finalists:
        return None
    n = len(search.finalists)
    more = len(search.finalists[0].replications) - search.replications
    best = "The best of them was" if n == 1 else f"{n} of the best of them were"
    also = words.counted(more, "more replication")
    return Note(f"{best} run in {also}, to see whether the constraints are kept.")


def _confirmed(search: Optimization) -> Iterator[Block | None]:
    yield _settings(search)
    if len(search.measures) > 1:
        yield _front(search)
        yield Note(_WHAT_FRONT_MEANS)
    else:
        yield _goal(search)
        assert search.confirmation is not None
        judged = {label: search.confirmation.objectives(label) for label in search.labels}
        yield from measures.objectives(judged, search.confirmation.count)
    yield _outcomes(search)
    yield listing("Requests beside the same ones today:", _pairs(search))


def _settings(search: Optimization) -> Table | Listing | None:
    """Return the settings that change: in a table, or in a list where there are many variants."""
    values = _values(search)
    paths = list(values[TODAY])
    if len(search.measures) == 1:
        rows = ((setting(path), *(cells[path] for cells in values.values())) for path in paths)
        return table("Settings", ("path", *values), rows)
    items = (
        (
            name(label),
            ": ",
            setting(", ".join(f"{path}={cell.text}" for path, cell in cells.items())),
        )
        for label, cells in values.items()
    )
    return listing("Settings:", items) if paths else None


def _values(search: Optimization) -> dict[str, dict[str, Cell]]:
    """Return the settings in which any variant differs from today, by variant and path."""
    changed = {label: search.changed(trial) for label, trial in search.proposals.items()}
    today = search.trials[0].settings
    paths = [path for path in today if any(path in settings for settings in changed.values())]
    return {
        label: {
            path: Cell(setting_text(changed.get(label, {}).get(path, today[path])), kind="value")
            for path in paths
        }
        for label in search.labels
    }


def _goal(search: Optimization) -> Table | None:
    """Return the goal's measure, today and optimized, and their difference."""
    (measure,) = search.measures
    title = f"{facts.heading(measure)}, {_fresh(search)}"
    today = (Cell(TODAY), _mean(search, TODAY, measure))
    if not search.proposals:
        return table(title, ("variant", "mean"), [today])
    change = search.differences(measure)[OPTIMIZED]
    difference = facts.difference(measure, change.interval, change.bound)
    optimized = (Cell(OPTIMIZED), _mean(search, OPTIMIZED, measure))
    rows = [(*today, Cell(""), Cell("")), (*optimized, difference, facts.seen(change.seen))]
    return table(title, ("variant", "mean", "difference", left("")), rows)


def _front(search: Optimization) -> Table | None:
    """Return every goal's measure of all confirmed variants, and which are still on the front."""
    assert search.confirmation is not None
    rows = (
        (
            name(label),
            *(_mean(search, label, measure) for measure in search.measures),
            Cell(_ON_FRONT[search.on_front[label]]),
            facts.missed(search.confirmation.objectives(label)),
        )
        for label in search.labels
    )
    goals = map(Column, map(facts.heading, search.measures))
    columns = (left("variant"), *goals, left("on the front"), left("objectives missed"))
    return table(f"Means, {_fresh(search)}", columns, rows)


def _outcomes(search: Optimization) -> Table | None:
    """Return what shows that the service is of use, whatever the goals are."""
    names = [goal.measure for goal in OUTCOMES]
    rows = (
        (name(label), *(_mean(search, label, measure) for measure in names))
        for label in search.labels
    )
    return table("Outcomes in those replications", ("variant", *map(words.heading, names)), rows)


def _pairs(search: Optimization) -> Iterator[Words]:
    """Yield which share of the requests of each variant gets better and worse."""
    for label in search.proposals:
        runs = search.confirmed_runs[label]
        requests = sum(run.requests for run in runs.replications)
        if runs.pairs is not None and requests:
            better, worse = (words.percent(count / requests) for count in runs.pairs)
            yield name(label), f": {better} of the requests get better and {worse} worse."


def _too_few(search: Optimization) -> Note | None:
    """Return a warning of percentiles that rest on few requests where the run is stationary."""
    requests = min((run.requests for run in search.trials[0].replications), default=0)
    limited = (one.metric for one in search.aims.constraints if one.request_class is None)
    names = dict.fromkeys([*search.measures, *limited])
    few = too_few(requests, [measure for measure in names if _PERCENTILE.match(measure)])
    if not requests or not few or search.scenario.model.has_planned_faults:
        return None
    return facts.too_few(few, f"of {requests} measured requests of a replication")


def _written(search: Optimization, out: Path | None) -> Note | None:
    if out is None:
        return None
    if search.proposed is None:
        return Note(("There is nothing to propose, so --out is not written: ", name(str(out))))
    return Note((name(str(out)), f" holds the variants {words.listed(search.labels)}."))


def _figures(search: Optimization, label: str) -> Mapping[str, Cell]:
    """Return the settings of a variant, its figures, and whether it keeps the constraints."""
    missed = search.missed(label)
    return {
        **_values(search)[label],
        **{facts.heading(measure): _mean(search, label, measure) for measure in search.shown},
        **{one.text: facts.met(one.text not in missed) for one in search.aims.constraints},
    }


def _mean(search: Optimization, label: str, measure: str) -> Cell:
    return facts.mean(measure, search.confirmed(label, measure), search.at_least(label, measure))


def _fresh(search: Optimization) -> str:
    assert search.confirmation is not None
    runs = words.counted(search.confirmation.count, "fresh replication")
    return f"{runs} from seed {fresh_seed(search.seed)}, with 95 % intervals"
