"""A percentile over the settings of a sweep: a line over one, a heat map over two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.units import parse_duration

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.experiment.sweep import Sweep


def sweep(result: Sweep, percentile: str = "p99", ax: Axes | None = None) -> Axes:
    """Draw a percentile in seconds over the settings, with 95 % intervals where it is a line.

    Raises ScenarioError for more than two varied settings, and for a sample of two.
    """
    frame = result.frame
    frame = frame[frame["percentile"] == percentile]
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8, 4.5), layout="constrained").add_subplot()
    if len(result.vary) == 1:
        _line(frame, result.vary[0], percentile, ax)
    elif len(result.vary) == 2 and len(frame) == frame[list(result.vary)].map(str).nunique().prod():
        _heat_map(frame, result.vary, percentile, ax)
    else:
        message = "can be drawn over one setting, or over a grid of two"
        raise ScenarioError(message, "sweep")
    ax.set_title(f"{result.scenario.name}: {percentile}", loc="left", parse_math=False)
    return ax


def _line(frame: pd.DataFrame, path: str, percentile: str, ax: Axes) -> None:
    numbers: Any = frame[path].map(_number)
    if numbers.isna().any():
        numbers = range(len(frame))  # words, in their order
        ax.set_xticks(numbers, frame[path].map(str).tolist(), parse_math=False)
    else:
        order = numbers.argsort()
        frame, numbers = frame.iloc[order], numbers.iloc[order]
    ax.fill_between(numbers, frame["low_s"], frame["high_s"], color="#0072B2", alpha=0.2)
    ax.plot(numbers, frame["latency_s"], color="#0072B2", marker="o")
    highest = frame[["latency_s", "high_s"]].max().max()
    ax.set_ylim(0, 1.05 * highest if highest > 0 else 1)
    ax.set_xlabel(_label(frame, path), parse_math=False)
    ax.set_ylabel(f"{percentile} in seconds")
    ax.grid(color="0.9")
    ax.spines[["top", "right"]].set_visible(False)


def _heat_map(frame: pd.DataFrame, paths: tuple[str, ...], percentile: str, ax: Axes) -> None:
    down, across = paths
    words = frame[list(paths)].map(str)  # a value may be a list
    ordered = {path: list(dict.fromkeys(words[path])) for path in paths}
    keys = zip(words[down], words[across], strict=True)
    cells = dict(zip(keys, frame["latency_s"], strict=True))
    table = [[cells[row, column] for column in ordered[across]] for row in ordered[down]]
    image = ax.imshow(table, cmap="cividis", aspect="auto", origin="lower")
    ax.set_xticks(range(len(ordered[across])), [str(v) for v in ordered[across]])
    ax.set_yticks(range(len(ordered[down])), [str(v) for v in ordered[down]])
    ax.set_xlabel(across, parse_math=False)
    ax.set_ylabel(down, parse_math=False)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(f"{percentile} in seconds")
    if len(table) * len(table[0]) <= 100:
        values = [value for row in table for value in row]
        middle = (min(values) + max(values)) / 2
        for y, row in enumerate(table):
            for x, value in enumerate(row):
                colour = "black" if value > middle else "white"
                ax.text(x, y, f"{value:.3g}", ha="center", va="center", color=colour)


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return parse_duration(value)
    except PydanticCustomError:
        return float("nan")


def _label(frame: pd.DataFrame, path: str) -> str:
    return f"{path} in seconds" if isinstance(frame[path].iloc[0], str) else path
