"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.breakers import stuck
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.source import flow
from cascadesim.values import words
from cascadesim.values.units import duration_text
from cascadesim.views import measures
from cascadesim.views.brief import figures, in_columns
from cascadesim.views.page import Note, Page, blocks, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.studies.run import Result


def page(result: Result) -> Page:
    """Return percentiles and what they are made of, outcomes and objectives."""
    label = _label(result)
    names = PERCENTILES if result.summary.requests else ()
    made = {name: result.composition(name) for name in names}
    causes = measures.causes({label: made}, names)
    return Page(_title(result), blocks(measures.of_runs({label: result}), _stuck(result), causes))


def _stuck(result: Result) -> Iterator[Note]:
    """Yield since when a breaker does not recover."""
    for one in stuck(result.plan, result.records, result.seed):
        since, trials = duration_text(one.since), words.counted(one.trials, "trial call")
        others = words.listed(one.beside)
        why = f", as an error of the stages beside it, with {others}, ends them" if others else ""
        text = f" has not closed again; {trials} without any fault failed{why}."
        yield Note((f"Since {since} nothing recovers: ", setting(one.breaker), text), "warning")


def brief(result: Result) -> Page:
    """Return the figures of a run in a column."""
    label = _label(result)
    columns = {label: figures(measures.of_summary(result.summary), result.summary.verdicts)}
    table = in_columns(columns, {label: result})
    return Page(f"{_title(result)}; {words.SECONDS}", blocks(table))


def _title(result: Result) -> str:
    scenario = result.scenario
    at = f", variant {scenario.variant}" if scenario.variant else ""
    given = "".join(f", {path}={flow(value)}" for path, value in scenario.overrides.items())
    return f"{scenario.name}{at}{given}, seed {result.seed}"


def _label(result: Result) -> str:
    return result.scenario.variant or result.scenario.name
