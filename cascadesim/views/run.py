"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.source import flow
from cascadesim.values import words
from cascadesim.views import measures
from cascadesim.views.brief import figures, in_columns
from cascadesim.views.page import Page, blocks

if TYPE_CHECKING:
    from cascadesim.studies.run import Result


def page(result: Result) -> Page:
    """Return percentiles and what they are made of, outcomes and objectives."""
    label = _label(result)
    names = PERCENTILES if result.summary.requests else ()
    made = {name: result.composition(name) for name in names}
    causes = measures.causes({label: made}, names)
    return Page(_title(result), blocks(measures.of_runs({label: result}), causes))


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
