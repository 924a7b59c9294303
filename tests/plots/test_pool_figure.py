"""The figure of a pool, against the levels of the trace."""

import json
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

import cascadesim
from cascadesim import Result
from cascadesim.plots.pool import pool
from cascadesim.plots.thin import PIXELS
from cascadesim.records import Level
from cascadesim.values.errors import ScenarioError

QUEUE = {"kind": "queue", "connect_time": "20ms", "size": 2, "max_overflow": 2, "timeout": "9s"}
NULL = {"kind": "null", "connect_time": "20ms", "max_connections": 6}


def run(horizon: str = "30s", **pools: Any) -> Result:
    work = {"exponential": {"mean": "800ms"}}
    stages = {name: {"work": work, "pool": each} for name, each in pools.items()}
    text = {
        "name": "q",
        "horizon": horizon,
        "drain": "10s",
        "workload": {"arrivals": {"poisson": {"rate": "5/s"}}},
        "stages": stages or {"a": {"work": work}},
    }
    return cascadesim.run(cascadesim.loads(json.dumps(text)))


@pytest.fixture(scope="module")
def queue() -> Result:
    return run(db=QUEUE)


def steps(ax: Axes, label: str) -> tuple[list[float], list[float]]:
    (line,) = (each for each in ax.lines if each.get_label() == label)
    assert line.get_drawstyle() == "steps-post"
    x, y = line.get_data()
    return list(x), list(y)


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def value(level: Level, at: float) -> int:
    return int(level.value[np.searchsorted(level.at, at, side="right") - 1])


def test_steps_are_those_of_the_trace(queue: Result) -> None:
    ax, levels = pool(queue), queue.trace.levels
    for label, name in (("_checked out", "checked_out"), ("callers waiting", "waiting")):
        x, y = steps(ax, label)
        level = levels[f"db.pool.{name}"]
        assert x == [*level.at, 40]
        assert y == [*level.value, level.value[-1]]
    x, y = steps(ax, "open, idle ones too")
    assert y[:-1] == [
        value(levels["db.pool.checked_out"], at) + value(levels["db.pool.idle"], at)
        for at in x[:-1]
    ]
    assert ax.get_xlim() == (0, 40)
    assert ax.get_ylabel() == "connections or callers"


def test_limits_are_lines(queue: Result) -> None:
    ax = pool(queue)
    flat = {
        str(line.get_label()): set(line.get_ydata())
        for line in ax.lines
        if len(line.get_xdata()) == 2
    }
    assert flat["size 2"] == {2}
    assert flat["size + max_overflow 4"] == {4}
    assert "max_connections: unlimited" in legend(ax)


def test_overflow_is_what_is_beyond_size(queue: Result) -> None:
    within, beyond = pool(queue).collections
    assert (within.get_label(), beyond.get_label()) == ("_within", "_overflow")
    assert within.get_paths()[0].get_extents().y1 == 2
    out = queue.trace.levels["db.pool.checked_out"].value.max()
    assert max(path.get_extents().y1 for path in beyond.get_paths()) == out == 4
    assert min(path.get_extents().y0 for path in beyond.get_paths()) == 2
    assert not within.get_hatch()
    assert beyond.get_hatch()


def test_a_pool_that_keeps_nothing_has_the_limit_of_the_server() -> None:
    ax = pool(run(db=NULL))
    assert "max_connections 6" in legend(ax)
    assert not [label for label in legend(ax) if label.startswith(("size", "open", "overflow"))]
    assert ax.get_title(loc="left").endswith("pool of db, a new connection each time")
    far = pool(run(db=NULL | {"max_connections": 10_000}))
    assert "max_connections: 10000, far above" in legend(far)
    assert far.get_ylim()[1] < 100


def test_long_runs_are_thinned_to_the_most_of_each_pixel() -> None:
    result = run("1000s", db=QUEUE)
    x, y = steps(pool(result), "callers waiting")
    level = result.trace.levels["db.pool.waiting"]
    assert len(level.at) > PIXELS
    assert len(x) == PIXELS + 1
    assert max(y) == level.value.max()
    for i in range(0, PIXELS, 50):
        inside = level.value[(level.at >= x[i]) & (level.at < x[i + 1])]
        assert y[i] == max([value(level, x[i]), *inside])


def test_several_pools_are_chosen_by_name() -> None:
    result = run(first=QUEUE, second=NULL)
    for name in ("second", "second.pool"):
        assert "pool of second" in pool(result, name).get_title(loc="left")
    with pytest.raises(ScenarioError, match="has 2 pools; choose one by --pool: first, second"):
        pool(result)
    with pytest.raises(ScenarioError, match=r'no pool "secnd"; did you mean "second"\?'):
        pool(result, "secnd")
    with pytest.raises(ScenarioError, match="no pool to draw: no stage has one"):
        pool(run())
