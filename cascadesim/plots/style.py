"""What figures share: colours, markers and hatches that tell things apart, names, and axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from cascadesim.plan.causes import CAUSES
from cascadesim.scenario.objectives import RATES
from cascadesim.values.errors import ScenarioError, short
from cascadesim.values.outcome import Outcome
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.run import Result

# Okabe and Ito's colours, told apart by colour-blind readers; the markers by those who see grey.
# There are 7 and 8 of them, so that a pair comes again only after 56 lines.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
MOST = len(COLOURS) * len(MARKERS)

WIDTH = 8  # inches, 1200 pixels in a file
_CHARACTERS = 118  # of a legend's text beside each other, over that width
_FEW_DECADES = (10, 1e4)  # largest to least latency, where an axis has ticks at 1, 2 and 5
_TITLE = 58  # characters of a title on one line


class Look(NamedTuple):
    """A colour, with the hatch or the marker that stands for it in grey."""

    colour: str
    sign: str


# Waits first, then work, as bars are drawn.
CAUSE_LOOKS = {
    name: Look(CAUSES[name].colour, CAUSES[name].hatch)
    for name in sorted(CAUSES, key=lambda name: not CAUSES[name].is_wait)
}
OUTCOME_LOOKS = {
    Outcome.OK: Look("#0072B2", "o"),
    Outcome.DEGRADED: Look("#56B4E9", "s"),
    Outcome.REJECTED: Look("#E69F00", "v"),
    Outcome.SHED: Look("#8C6D31", "<"),
    Outcome.TIMED_OUT: Look("#D55E00", "X"),
    Outcome.FAILED: Look("#000000", "P"),
    Outcome.DISCONNECTED: Look("#009E73", "D"),
    Outcome.UNFINISHED: Look("#CC79A7", "^"),
}
STATE_LOOKS = {
    "closed": Look("#BBBBBB", ""),
    "half-open": Look("#F0E442", "...."),
    "open": Look("#D55E00", ""),
}
OBJECTIVE: dict[str, Any] = {"color": "0.3", "linestyle": "--", "linewidth": 1}


def new_axes(height: float, width: float = WIDTH) -> Axes:
    """Return the Axes of a new figure, `height` inches high."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def line_look(i: int) -> Look:
    """Return the colour and the marker of line `i`."""
    return Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])


def fill(cause: str) -> dict[str, Any]:
    """Return how a bar of seconds with this cause is filled."""
    return _fill(CAUSE_LOOKS[cause])


def state_fill(state: str) -> dict[str, Any]:
    """Return how a bar of a breaker in this state is filled."""
    return _fill(STATE_LOOKS[state])


def _fill(look: Look) -> dict[str, Any]:
    return {"facecolor": look.colour, "hatch": look.sign, "edgecolor": "black", "linewidth": 0.6}


def run_name(result: Result) -> str:
    """Return the name of the scenario that ran, with its variant and other settings, in short."""
    scenario = result.scenario
    at = f", {short(scenario.variant)}" if scenario.variant else ""
    more = len(scenario.overrides)
    other = f", {more} other setting{'s' * (more > 1)}" if more else ""
    return f"{short(scenario.name)}{at}{other}"


def results_of(drawn: Result | Comparison) -> dict[str, Result]:
    """Return the runs of a comparison by label, or the one run under ""."""
    results: dict[str, Result] = getattr(drawn, "results", {"": drawn})
    return results


def name_of(drawn: Result | Comparison) -> str:
    """Return the name of a run, or of the first scenario that was compared, in short."""
    first, result = next(iter(results_of(drawn).items()))
    return short(result.scenario.name, 60) if first else run_name(result)


def check_drawable(results: Mapping[str, Result]) -> None:
    """Raise ScenarioError where there are no requests to draw, or too many variants."""
    source = next(iter(results.values())).scenario.document.source
    if not any(result.records.measured.any() for result in results.values()):
        raise ScenarioError(
            "nothing to draw: no request arrives between warm-up and horizon", source
        )
    check_few(results, source)


def check_few(variants: Sized, source: str) -> None:
    """Raise ScenarioError where there are too many variants to draw."""
    if len(variants) > MOST:
        number = len(variants)
        problem = f"{number} variants cannot be told apart; choose up to {MOST} by --variants"
        raise ScenarioError(problem, source)


def measure_label(measure: str) -> str:
    """Return the label of an axis for one of MEASURES, with its unit."""
    if measure == "goodput":
        return "goodput in replies per second"
    if measure in RATES:
        return in_words(measure)
    return "mean latency in seconds" if measure == "mean" else f"{measure} in seconds"


class LogSeconds(LogFormatter):
    """Labels the ticks that LogFormatter would, but never as powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def line_width(i: int) -> float:
    """Return the width of line `i` in points: later ones are thinner, so as not to hide equals."""
    return max(1.2, 2.6 - 0.7 * i)


def marker_size(i: int) -> float:
    """Return the width of the markers of line `i` in points, by the rule of `line_width`."""
    return max(5.5, 8.5 - 1.5 * i)


def latency_scale(ax: Axes, which: str, values: Any) -> None:
    """Make the axis "x" or "y" logarithmic, and linear near 0 if any value is 0.

    values: latencies in seconds that are drawn, shape (n,).
    """
    values = np.asarray(values, float)
    positive = values[values > 0]
    if not len(positive):
        (ax.set_xlim if which == "x" else ax.set_ylim)(-0.05, 1)
        return
    set_scale = ax.set_xscale if which == "x" else ax.set_yscale
    axis = ax.xaxis if which == "x" else ax.yaxis
    if (values == 0).any():
        least = 10.0 ** math.floor(math.log10(positive.min()))
        set_scale("symlog", linthresh=least)
        limits = (-least / 4, 1.5 * positive.max())  # or it would go below 0, where no latency is
        (ax.set_xlim if which == "x" else ax.set_ylim)(*limits)
    else:
        set_scale("log")
        if _FEW_DECADES[0] < positive.max() / positive.min() < _FEW_DECADES[1]:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(LogSeconds())


def objectives(result: Result) -> list[float]:
    """Return the first latency objective in seconds, none if there is none."""
    limit = result.summary.limit
    return [] if limit is None else [limit]


def objective_line(ax: Axes, which: str, result: Result) -> list[Line2D]:
    """Draw the first latency objective across the axis "x" or "y", and return what was drawn."""
    draw = ax.axvline if which == "x" else ax.axhline
    return [draw(at, label=f"objective {at:g} s", **OBJECTIVE) for at in objectives(result)]


def name_rows(ax: Axes, names: Sequence[str], bottom: float, top: float) -> None:
    """Name the rows 0, 1, … of the y axis, from the top down; the axis goes on to both ends."""
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(bottom, top)
    ax.tick_params(axis="y", length=0)


def entitle(ax: Axes, name: str, what: str, pad: float = 6) -> None:
    """Write what is drawn of what above the axes, on two lines where one would be too long.

    What a user named is no formula, even if it has dollar signs.
    """
    between = "" if not what else ": " if len(name) + len(what) < _TITLE else ":\n"
    ax.set_title(f"{name}{between}{what}", loc="left", parse_math=False, pad=pad)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def legend_below(ax: Axes, handles: Sequence[Any], labels: Sequence[str] | None = None) -> None:
    """Write the legend below the label of the x axis, so that the axes have the whole width.

    The labels are those of the handles if none are given.
    """
    if not handles:
        return
    labels = [str(handle.get_label()) for handle in handles] if labels is None else labels
    columns = max(1, min(len(labels), _CHARACTERS // (max(map(len, labels)) + 6)))
    columns = math.ceil(len(labels) / math.ceil(len(labels) / columns))  # evenly filled
    figure = ax.get_figure()
    assert figure is not None
    below = ax.transAxes + ScaledTranslation(0, -42 / 72, figure.dpi_scale_trans)
    if figure.axes == [ax]:  # from the left end of the figure on, as there is more room
        below = blended_transform_factory(figure.transSubfigure, below)
    place: dict[str, Any] = {"bbox_to_anchor": (0.01, 0), "bbox_transform": below}
    close: dict[str, Any] = {"borderaxespad": 0, "borderpad": 0, "fontsize": 9}
    _legend(ax, handles, labels, ncols=columns, **place, **close)


def legend_beside(ax: Axes, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Write the legend to the right of the axes."""
    _legend(ax, handles, labels, bbox_to_anchor=(1, 1))


def _legend(ax: Axes, handles: Sequence[Any], labels: Sequence[str], **style: Any) -> None:
    box = ax.legend(handles, labels, loc="upper left", frameon=False, **style)
    for text in box.get_texts():
        text.set_parse_math(False)
