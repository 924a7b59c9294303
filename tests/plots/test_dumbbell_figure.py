"""The figure of percentiles: every variant told apart, whatever it is called."""

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plots.dumbbell import dumbbell
from cascadesim.plots.files import save_figure
from cascadesim.studies.compare import Comparison
from cascadesim.values.errors import ScenarioError

SCENARIO = """\
name: {name}
horizon: {horizon}
workload: {{arrivals: {{constant: {{rate: 10/s}}}}}}
stages:
  agent: {{work: {{uniform: {{low: {low}, high: 40ms}}}}}}
  log: {{work: {{constant: {log}}}}}
objectives: {objectives}
variants:
"""


def known(settings: dict[str, str]) -> dict[str, str]:
    usual = {"name": "some", "horizon": "3s", "low": "20ms", "log": "1ms", "objectives": "[]"}
    return usual | settings


def comparison(*variants: str, **settings: str) -> Comparison:
    text = SCENARIO.format(**known(settings))
    lines = variants or ("before: {}", "after: {agent.work.uniform.low: 30ms}")
    return cascadesim.compare(cascadesim.loads(text + "".join(f"  {v}\n" for v in lines)))


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def ticks(ax: Axes) -> set[str]:
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    return {
        tick.label1.get_text()
        for tick in (*ax.xaxis.get_major_ticks(), *ax.xaxis.get_minor_ticks())
        if low <= tick.get_loc() <= high and tick.label1.get_text()
    }


@pytest.mark.parametrize(
    "drawn",
    [
        comparison("'$x_{y}^$': {}", "_a: {}", name='"$x_{y}^$ [/x]"'),
        comparison(*(f"{i:03d}{'n' * 97}: {{}}" for i in range(30)), name="n" * 200),
        comparison("日本: {}", "'\\u200f': {}", name="時間"),
        comparison("zero: {agent.work: {constant: 0s}, log.work: {constant: 0s}}", "not: {}"),
        comparison("some: {}", objectives="[p99 < 0s]"),
        comparison("zero: {agent.work: {constant: 0s}, log.work: {constant: 0s}}"),
        comparison("none: {horizon: 1ms, workload.arrivals.constant.rate: 1/h}", "some: {}"),
    ],
    ids=["formula", "many and long", "other scripts", "a zero", "zero bound", "zeros", "a gap"],
)
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_any_variants_are_drawn_without_a_warning(
    drawn: Comparison, kind: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(lambda: dumbbell(drawn), tmp_path / f"p.{kind}")
    assert (tmp_path / f"p.{kind}").stat().st_size > 1000


def test_every_variant_is_in_the_legend_with_both_ends_of_its_name() -> None:
    long = "a" * 50 + "z" * 50
    shown = legend(dumbbell(comparison("_a: {}", "b: {}", f"{long}: {{}}")))
    assert shown == ["_a", "b", f"{'a' * 15}…{'z' * 16}"]


def test_56_variants_are_told_apart_and_more_are_refused() -> None:
    names = [f"v{i}: {{}}" for i in range(57)]
    ax = dumbbell(comparison(*names[:56], horizon="1s"))
    box = ax.get_legend()
    assert box is not None
    looks = {(to_hex(line.get_color()), line.get_marker()) for line in box.get_lines()}
    assert len(looks) == 56
    with pytest.raises(ScenarioError, match="57 variants cannot be told apart; choose up to 56"):
        dumbbell(comparison(*names, horizon="1s"))


def test_the_legend_fits_beside_30_variants() -> None:
    figure = dumbbell(comparison(*(f"v{i}: {{}}" for i in range(30)))).get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    box = figure.axes[0].get_legend()
    assert box is not None
    assert box.get_window_extent().y0 >= 0


def test_equal_variants_do_not_hide_each_other() -> None:
    ax = dumbbell(comparison("a: {}", "b: {}"))
    first, second = (np.asarray(marks.get_offsets()) for marks in ax.collections)
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    assert (first[:, 1] > second[:, 1]).all()


def test_ticks_are_plain_numbers() -> None:
    assert ticks(dumbbell(comparison("a: {}", low="5ms"))) >= {"0.03", "0.04"}
    zero = "zero: {agent.work: {constant: 0s}, log.work: {constant: 0s}}"
    assert "0" in ticks(dumbbell(comparison(zero, "some: {}")))
    for label in ticks(dumbbell(comparison("a: {}", low="1us"))):
        assert float(label) > 0


def test_no_requests_are_nothing_to_draw() -> None:
    drawn = comparison("a: {}", horizon="1ms")
    message = "<text>: nothing to draw: no request arrives between warm-up and horizon"
    with pytest.raises(ScenarioError, match=message):
        dumbbell(drawn)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "PNG"])
def test_the_same_figure_is_the_same_bytes(kind: str, tmp_path: Path) -> None:
    drawn, before = comparison(), dict(mpl.rcParams)
    first, second = tmp_path / f"1.{kind}", tmp_path / f"2.{kind}"
    save_figure(lambda: dumbbell(drawn), first)
    save_figure(lambda: dumbbell(drawn), second)
    assert first.read_bytes() == second.read_bytes()
    assert dict(mpl.rcParams) == before


def test_an_axes_of_ones_own() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert dumbbell(comparison(), ax) is ax
    assert ax.get_title(loc="left") == "some"
    assert ax.get_yticklabels()[0].get_text() == "p50"


def replicated(count: int = 4, **settings: str) -> Comparison:
    text = SCENARIO.format(**known(settings)) + "  before: {}\n  after: {log.work.constant: 5ms}\n"
    execution = cascadesim.Execution(jobs=1)
    return cascadesim.compare(cascadesim.loads(text), replications=count, execution=execution)


def test_replications_are_drawn_as_means_with_intervals() -> None:
    drawn = replicated()
    ax = drawn.plot()
    assert ax.get_xlabel() == "latency in seconds: mean of 4 replications (bars: 95 % intervals)"
    bars = [c for c in ax.collections if isinstance(c, LineCollection)]
    marks = [np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)]
    for label, bar, mark in zip(drawn.results, bars, marks, strict=True):
        for p, segment, (x, y) in zip(PERCENTILES, bar.get_segments(), mark, strict=True):
            found = drawn.percentile(label, p)
            np.testing.assert_allclose(segment, [[found.low, y], [found.high, y]])
            assert x == found.estimate
    assert legend(ax) == ["before", "after"]  # bars are no variants of their own


def test_a_single_run_has_no_bars() -> None:
    ax = comparison().plot()
    assert ax.get_xlabel() == "latency in seconds"
    assert not [c for c in ax.collections if isinstance(c, LineCollection)]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_an_interval_that_reaches_below_0_is_drawn_without_a_warning(
    kind: str, tmp_path: Path
) -> None:
    drawn = replicated(2, horizon="300ms", low="0ms")
    assert drawn.percentile("before", "p50").low < 0
    save_figure(drawn.plot, tmp_path / f"p.{kind}")
    low, _ = drawn.plot().get_xlim()
    assert low > 0
