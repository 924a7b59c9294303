"""The figures by name: which there are, and what each draws."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cascadesim.studies.compare import Comparison, side_by_side
from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.run import Result


@dataclass(frozen=True, slots=True)
class Kind:
    """A figure: where its function lives, and whether it draws a run, variants, or either."""

    module: str
    function: str
    of_run: bool = False
    of_variants: bool = False
    replicated: bool = False  # whether it shows more than replication 0


KINDS = {
    "dumbbell": Kind("percentiles", "percentiles", of_variants=True, replicated=True),
    "curve": Kind("curve", "curve", of_variants=True, replicated=True),
    "ecdf": Kind("curve", "ecdf", of_variants=True),
    "attribution": Kind("attribution", "attribution", of_run=True, of_variants=True),
    "latency": Kind("latency", "latency", of_run=True),
    "breakers": Kind("breakers", "breakers", of_run=True),
    "pool": Kind("pool", "pool", of_run=True),
    "connections": Kind("connections", "connections", of_run=True, of_variants=True),
    "timeline": Kind("timeline", "timeline", of_run=True),
}


def draw(kind: str, drawn: Result | Comparison, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw one of KINDS of a run, or of a comparison of variants.

    A figure of variants draws a run as the only one. `options` are those of the figure's function:
    `name` of a pool, `request` of a timeline. Raises ScenarioError where there is no such figure,
    for a comparison where one run is drawn, and what the function raises.
    """
    several = isinstance(drawn, Comparison)
    first = drawn.results[drawn.first] if isinstance(drawn, Comparison) else drawn
    source = first.scenario.document.source
    if kind not in KINDS:
        raise ScenarioError(f"no figure {show(kind)}; {suggest(kind, list(KINDS))}", source)
    found = KINDS[kind]
    if several and not found.of_variants:
        raise ScenarioError(f"{kind} draws one run; take it from the results", source)
    if not isinstance(drawn, Comparison) and not found.of_run:
        drawn = alone(drawn)
    function = getattr(import_module(f"cascadesim.plots.{found.module}"), found.function)
    axes: Axes = function(drawn, ax=ax, **options)
    return axes


def alone(result: Result) -> Comparison:
    """Return a comparison of one run with nothing."""
    return side_by_side({result.scenario.variant or result.scenario.name: result})
