"""Figures of matplotlib inside the page: the same figure is the same text."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascadesim.plots.dumbbell import dumbbell
from cascadesim.plots.files import save_figure
from cascadesim.plots.pool import pool
from cascadesim.plots.timeline import timeline
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes

    from cascadesim.report.data import Report

MOST_POOLS = 3  # pictures of pools, so that the file stays small


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: its data: address, a caption, and the words that stand for it (alt)."""

    source: str
    caption: str
    alt: str


def percentiles_pictures(report: Report) -> list[Picture]:
    """Return the percentiles of the variants, if they can be drawn."""
    caption = "Latency percentiles of the variants"
    alt = f"{caption}, in seconds on a logarithmic axis. The table below has the figures."
    return _drawn([(lambda: dumbbell(report.comparison), caption, alt)])


def observed_pictures(report: Report) -> list[Picture]:
    """Return the timelines of the observed requests, in the first variant."""
    first = report.comparison.first
    result = report.comparison.results[first]
    figures = []
    for i, row in enumerate(_observed_rows(report)):
        at = report.replay.observation(i)["at"]
        caption = f"Where the request that was replied to at {at} spent its time, in {first}"
        alt = f"{caption}: a line for each wait and each work. The table above has the most of it."
        figures.append((lambda row=row: timeline(result, row), caption, alt))
    return _drawn(figures)


def _observed_rows(report: Report) -> list[int]:
    observation = report.comparison.results[report.comparison.first].records.observation.tolist()
    return [observation.index(i) for i in range(len(report.scenario.model.observations))]


def pool_pictures(report: Report) -> list[Picture]:
    """Return the connection pools that measured requests waited for longest, MOST_POOLS at most."""
    waits = {
        (label, part.where.removesuffix(".pool")): float(
            result.records.seconds[result.records.measured, i].sum()
        )
        for label, result in report.comparison.results.items()
        for i, part in enumerate(result.records.parts)
        if part.cause == "pool_wait"
    }
    longest = sorted((pool for pool in waits if waits[pool]), key=lambda pool: -waits[pool])
    figures = []
    for label, stage in sorted(longest[:MOST_POOLS], key=list(waits).index):
        result = report.comparison.results[label]
        caption = f"Connections of {stage} over time, in {label}"
        alt = f"{caption}: how many are in use and open, and how many callers wait."
        figures.append((lambda run=result, stage=stage: pool(run, stage), caption, alt))
    return _drawn(figures)


def _drawn(figures: Iterable[tuple[Callable[[], Axes], str, str]]) -> list[Picture]:
    """Return the pictures that can be drawn: not of nothing, and not of too many variants."""
    pictures = []
    for draw, caption, alt in figures:
        try:
            pictures.append(Picture(_image(draw), caption, alt))
        except ScenarioError:
            continue
    return pictures


def _image(draw: Callable[[], Axes]) -> str:
    """Return the figure of the Axes that `draw` returns as a data: address of an SVG image.

    As an image, and not as part of the page, it can neither run anything nor share names with it.
    """
    with tempfile.TemporaryDirectory(prefix="cascadesim-") as folder:
        file = Path(folder) / "figure.svg"
        save_figure(draw, file)
        content = file.read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}"
