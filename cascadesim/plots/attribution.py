"""What percentiles are made of: stacked bars of seconds by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.patches import Patch

from cascadesim.analysis.composition import composition
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plots.style import (
    CAUSE_LOOKS,
    check_drawable,
    entitle,
    fill,
    legend_below,
    name_of,
    new_axes,
    results_of,
)
from cascadesim.values.errors import short
from cascadesim.values.units import duration_text
from cascadesim.values.words import in_words, lower_bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.run import Result

FIGURE = {
    "draws": "what percentiles are made of, by cause",
    "of": "either",
}
_BEHIND: dict[str, Any] = {"va": "center", "fontsize": 9}
SMALL = 0.1  # of the longest bar; what a shorter one is made of is hard to see


def attribution(drawn: Result | Comparison, ax: Axes | None = None) -> Axes:
    """Draw what p50 to max are made of, in seconds by cause: a bar for each, and for each variant.

    The parts of a bar add up to the percentile, and are those of the requests round it (see
    `analysis.composition`). Waits are hatched and work is plain. Behind each bar stands its
    length, after ">" where it is a lower bound, and where the bar is short its largest part. Of a
    comparison with several replications it is replication 0. Raises ScenarioError where there are
    no requests to draw, or more variants than can be told apart.
    """
    results = results_of(drawn)
    check_drawable(results)
    rows = [(name, label) for name in PERCENTILES for label in results]
    made = [composition(results[label].records, name).by_cause for name, label in rows]
    longest = max(sum(parts.values()) for parts in made)
    # One free line between percentiles, where each has several bars.
    lines = [i + (i // len(results)) * (len(results) > 1) for i in range(len(rows))]
    ax = ax or new_axes(1.6 + 0.24 * (lines[-1] + 1))
    for line, (name, label), parts in zip(lines, rows, made, strict=True):
        _bar(ax, line, parts)
        bound = results[label].summary.percentiles[name].at_least
        total = sum(parts.values())
        ax.text(total + 0.008 * (longest or 1), line, _text(parts, longest, bound), **_BEHIND)
    texts = [f"{short(label)}  {name}".strip() for name, label in rows]
    ax.set_yticks(lines, texts, parse_math=False)
    ax.set_ylim(lines[-1] + 0.7, -0.7)
    ax.set_xlim(0, 1.15 * longest or 1)  # with room for the text behind the longest
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.9")
    ax.set_xlabel("latency in seconds" + " (replication 0)" * (getattr(drawn, "count", 1) > 1))
    entitle(ax, name_of(drawn), "what percentiles are made of")
    causes = [cause for cause in CAUSE_LOOKS if any(parts[cause] > 0 for parts in made)]
    legend_below(ax, [Patch(label=in_words(cause), **fill(cause)) for cause in causes])
    return ax


def _bar(ax: Axes, line: float, parts: dict[str, float]) -> None:
    """Draw the parts one behind the other, in the order of CAUSE_LOOKS: waits, then work."""
    left = 0.0
    for cause in CAUSE_LOOKS:
        if parts[cause] > 0:
            ax.barh(line, parts[cause], 0.8, left, label=f"_{cause}", **fill(cause))
            left += parts[cause]


def _text(parts: dict[str, float], longest: float, at_least: bool) -> str:
    total = sum(parts.values())
    text = lower_bound(duration_text(total), at_least)
    if 0 < total < SMALL * longest:
        text += f", largest part {in_words(max(parts, key=lambda cause: parts[cause]))}"
    return text
