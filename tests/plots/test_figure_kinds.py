"""Every figure: any names, any runs, the same bytes, and an Axes of one's own."""

import json
import warnings
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import cascadesim.plots
from cascadesim import Result
from cascadesim.plots.files import save_figure
from cascadesim.plots.kinds import KINDS, draw
from cascadesim.values.errors import ScenarioError

NAME = "x$_{a}^$\n<script>" * 9
STAGE = "s$^{_" * 18


def test_a_figure_is_a_file_with_a_function_of_its_name() -> None:
    modules = {info.name for info in iter_modules(cascadesim.plots.__path__)}
    for name in modules:
        module = import_module(f"cascadesim.plots.{name}")
        said = getattr(module, "FIGURE", None)
        assert (name in KINDS) == (said is not None)
        if said is not None:
            figure = KINDS[name]
            assert (figure.draws, figure.of) == (said["draws"], said["of"])
            assert figure.of in {"run", "variants", "either"}
            parameters = [*signature(getattr(module, name)).parameters]
            options = [option.parameter for option in figure.options]
            assert parameters[1:] == [*options, "ax"]


def run(name: str = "q", stage: str = "a", horizon: str = "40s", **more: Any) -> Result:
    breaker = {"failure_threshold": 3, "recovery_timeout": "3s", "when_open": "wait"}
    text = {
        "name": name,
        "clock": "23:59:40",
        "horizon": horizon,
        "warmup": "5s",
        "workload": {"connections": {"clients": 10, "messages": {"exponential": {"mean": "2s"}}}},
        "stages": {
            stage: {
                "work": {"exponential": {"mean": "300ms"}},
                "pool": {"kind": "queue", "connect_time": "20ms", "size": 1, "max_overflow": 1},
                "policies": [{"breaker": {"name": stage + "b"} | breaker}],
            }
        },
        "faults": [{"on": stage, "from": f"{3 * i}s", "for": "5s", "outage": {}} for i in range(4)],
        "objectives": ["p99 < 5s"],
        "variants": {"$v_{1}^$": {}},
    }
    return cascadesim.run(cascadesim.loads(json.dumps(text | more)).at("$v_{1}^$"))


@cache
def usual() -> Result:
    return run(horizon="15s")


@cache
def oddly_named() -> Result:
    return run(NAME, STAGE)


ODD = {
    "names": oddly_named,
    "unfinished": lambda: run(stages=_stuck()),
    "zeros": lambda: run(stages=_stuck("0s")),
    "other scripts": lambda: run("時間", "日本", "12s"),
    "short": lambda: run(horizon="6s", faults=[]),
}


def _stuck(work: str = "1h") -> dict[str, Any]:
    breaker = {"failure_threshold": 3, "recovery_timeout": "3s"}
    return {
        "a": {
            "work": {"constant": work},
            "pool": {"kind": "null", "connect_time": "0s"},
            "policies": [{"breaker": breaker}],
        }
    }


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
def test_any_run_is_drawn_without_a_warning(odd: str, tmp_path: Path) -> None:
    result = ODD[odd]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in KINDS:
            save_figure(lambda kind=kind: draw(kind, result), tmp_path / f"{kind}.svg")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_named_is_no_formula(kind: str) -> None:
    figure = draw(kind, oddly_named()).get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    named = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert named
    assert not any(text.get_parse_math() for text in named)
    assert not any("\n<script>" in text.get_text() for text in named)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_stay_within_the_figure_and_labels_apart(kind: str) -> None:
    figure = draw(kind, oddly_named()).get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    (ax,) = figure.axes
    beyond = _ticks_beyond(ax)
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        if not text.get_visible() or text in beyond:
            continue
        if text.get_text().strip():
            assert box.x0 >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y0 >= -1, text
            assert box.y1 <= height + 1, text
    legend = ax.get_legend()
    assert legend is not None
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())


def _ticks_beyond(ax: Axes) -> list[Text]:
    """Return the labels of ticks outside the limits, which are not drawn."""
    return [
        tick.label1
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]


@pytest.mark.parametrize(
    "ending",
    [
        "png",
        pytest.param("svg", marks=pytest.mark.slow),
        pytest.param("pdf", marks=pytest.mark.slow),
    ],
)
def test_the_same_figure_is_the_same_bytes(ending: str, tmp_path: Path) -> None:
    result, before = usual(), dict(mpl.rcParams)
    for kind in KINDS if ending == "svg" else ("latency", "timeline"):
        files = [tmp_path / f"{i}{kind}.{ending}" for i in range(2)]
        for file in files:
            save_figure(lambda kind=kind: draw(kind, result), file)
        assert files[0].read_bytes() == files[1].read_bytes()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_axes_of_ones_own(kind: str) -> None:
    figure = Figure(layout="constrained")
    first, second = figure.subplots(1, 2)
    assert draw(kind, usual(), second) is second
    assert not first.has_data()
    assert second.has_data()


@pytest.mark.parametrize("kind", KINDS)
def test_axes_have_units(kind: str) -> None:
    ax = draw(kind, usual())
    labels = f"{ax.get_xlabel()} {ax.get_ylabel()}"
    assert "second" in labels or "clock" in labels


def test_what_cannot_be_drawn_is_told() -> None:
    result = usual()
    with pytest.raises(ScenarioError, match=r'no figure "latncy"; did you mean "latency"\?'):
        draw("latncy", result)
    comparison = cascadesim.compare(result.scenario.resolved())
    for kind, each in KINDS.items():
        if each.of_variants:
            draw(kind, comparison)
        else:
            with pytest.raises(ScenarioError, match=f"{kind} draws one run"):
                draw(kind, comparison)
