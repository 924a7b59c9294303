"""Percentiles of variants: a dumbbell for each percentile, from the first variant to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.errors import ScenarioError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from cascadesim.experiment.compare import Comparison

# Okabe and Ito's colours, told apart by colour-blind readers; the markers by those who see grey.
_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def percentiles(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the latency percentiles of each variant on a logarithmic axis in seconds.

    A percentile that falls among unfinished requests is drawn hollow, as it is a lower bound. The
    first latency objective of the first scenario is a dashed line.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8, 4), layout="constrained").add_subplot()
    rows = np.arange(len(PERCENTILES))[::-1]
    summaries = {label: result.summary for label, result in comparison.results.items()}
    values = np.array([[s.percentiles[p].seconds for p in PERCENTILES] for s in summaries.values()])
    ax.hlines(rows, values.min(axis=0), values.max(axis=0), color="0.75", linewidth=2, zorder=1)
    for i, (label, summary) in enumerate(summaries.items()):
        hollow = [summary.percentiles[p].at_least for p in PERCENTILES]
        colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
        faces = ["white" if lower_bound else colour for lower_bound in hollow]
        ax.scatter(values[i], rows, c=faces, edgecolors=colour, marker=marker, s=60, label=label)
    limit = next(iter(summaries.values())).limit
    if limit is not None:
        ax.axvline(limit, color="0.3", linestyle="--", linewidth=1, label=f"objective {limit:g} s")
    ax.set_axisbelow(True)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(rows, PERCENTILES)
    ax.set_xlabel("latency in seconds")
    ax.set_title(next(iter(comparison.results.values())).scenario.name, loc="left")
    ax.grid(axis="x", color="0.9")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def save_percentiles(comparison: Comparison, path: Path) -> None:
    """Write the figure of `percentiles` to a file, its kind taken from the name's ending.

    Raises ScenarioError where the kind is not known or the file cannot be written.
    """
    from cascadesim.experiment.run import write_files

    kinds = (".png", ".svg", ".pdf")
    if path.suffix not in kinds:
        raise ScenarioError(f"ends in none of {', '.join(kinds)}", str(path))
    figure = percentiles(comparison).get_figure(root=True)
    assert figure is not None
    # No date or version in the file: the same figure is the same bytes.
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    write_files(
        path.parent,
        {path.name: lambda file: figure.savefig(file, dpi=150, metadata=metadata[path.suffix])},
    )
