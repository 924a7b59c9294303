"""The figure of connections, against schedules by hand and the levels of the trace."""

import json
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

import cascadesim
from cascadesim import Result, Scenario
from cascadesim.plots.connections import connections, states
from cascadesim.plots.style import MOST
from cascadesim.plots.thin import PIXELS
from cascadesim.values.errors import ScenarioError

# All handshakes take 2 s. The server restarts from 10 s to 15 s; the clients come back 3 s after
# that and after each failure, at 13 s in vain and at 16 s.
SHAKE = {"timeout": "5s", "stages": {"login": {"work": {"constant": "2s"}}}}
SHOWN = {1: "connecting", 5: "connected", 12: "waiting", 17: "connecting", 25: "connected"}


def scenario(**changes: Any) -> Scenario:
    clients = {
        "clients": 4,
        "messages": {"exponential": {"mean": "2s"}},
        "handshake": SHAKE,
        "reconnect": {"base": "3s", "cap": "3s", "jitter": "none"},
    }
    text = {
        "name": "q",
        "horizon": "20s",
        "drain": "10s",
        "workload": {"connections": clients},
        "stages": {"a": {"work": {"constant": "10ms"}}},
        "faults": [{"on": "connections", "from": "10s", "for": "5s", "restart": {}}],
        "variants": {
            "patient": {},
            "few": {"workload.connections.clients": 2},
            "leaving": {"workload.connections.reconnect.attempts": 1},
        },
    }
    return cascadesim.loads(json.dumps(text | changes))


@pytest.fixture(scope="module")
def patient() -> Result:
    return cascadesim.run(scenario())


def filled(ax: Axes, at: float, height: float) -> list[str]:
    """Return the states that are drawn at a point."""
    return [
        str(each.get_label())[1:]
        for each in ax.collections
        if any(path.contains_point((at, height)) for path in each.get_paths())
    ]


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_all_clients_are_where_they_are_by_hand(patient: Result) -> None:
    ax = connections(patient)
    for at, state in SHOWN.items():
        for height in (0.1, 2.0, 3.9):
            assert filled(ax, at, height) == [state] * (state != "waiting")
        assert filled(ax, at, 4.02) == []
    assert ax.get_xlim() == (0, 30)
    assert ax.get_ylabel() == "clients"
    assert ax.get_title(loc="left") == "q: clients and their connections"
    assert legend(ax) == [
        *("connected", "connecting", "waiting to connect", "the last messages", "fault")
    ]


def test_states_are_stacked_from_the_ground() -> None:
    """Of four clients that begin at 0, 2, 4 and 6 s, two are connected at 5 s, and one connects."""
    changes = {"workload.connections.connect_over": "8s"}
    ax = connections(cascadesim.run(scenario().override(changes)))
    assert [filled(ax, 5, height) for height in (0.5, 1.5, 2.5, 3.5)] == [
        *(["connected"], ["connected"], ["connecting"], [])
    ]


def test_variants_are_bands_on_one_scale_with_their_ends() -> None:
    ax = connections(cascadesim.compare(scenario()))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["patient", "few", "leaving"]
    ends = ["at the end\n4 of 4", "at the end\n2 of 2", "at the end\n0 of 4"]
    assert [text.get_text() for text in ax.texts] == ["connections: restart", *ends]
    for row, height in ((0, 0.8), (1, 0.4)):  # from the ground of its band
        ground = row + 0.4
        for at, state in SHOWN.items():
            inside = (filled(ax, at, ground - share * height) for share in (0.02, 0.98))
            assert list(inside) == [[state] * (state != "waiting")] * 2
            assert filled(ax, at, ground - 1.02 * height) == []
    # One handshake that fails, at 13 s, and they are gone.
    assert [filled(ax, at, 2.2) for at in (5, 12, 14, 25)] == [
        ["connected"],
        [],
        ["gone"],
        ["gone"],
    ]
    assert "gone for good" in legend(ax)


def test_only_faults_of_all_variants_are_shaded() -> None:
    variants = {"with": {}, "without": {"faults": []}}
    ax = connections(cascadesim.compare(scenario(variants=variants)))
    assert "fault" not in legend(ax)


@pytest.mark.slow
def test_long_runs_keep_the_bursts() -> None:
    """Clients close their connections every 5 s, so some instants in 1/1200 have a handshake."""
    more = {
        "workload.connections.lifetime": {"constant": "5s"},
        "workload.connections.connect_over": "5s",
        "login.work.constant": "50ms",
        "horizon": "10000s",
    }
    result = cascadesim.run(scenario(faults=[], variants={}).override(more))
    found, levels = states(result), result.trace.levels
    assert len(levels["connections.connecting"].at) > PIXELS == len(found.at)
    assert sum(found.counts.values()).tolist() == [4] * PIXELS  # type: ignore[union-attr]
    level = levels["connections.connecting"]
    for i in range(0, PIXELS - 1, 50):
        start, end = found.at[i : i + 2]
        carried = level.value[np.searchsorted(level.at, start, side="right") - 1]
        within = level.value[(level.at > start) & (level.at < end)]
        assert found.counts["connecting"][i] == max([carried, *within])


def test_what_has_no_connections_is_told() -> None:
    arrivals = {"arrivals": {"constant": {"rate": "1/s"}}}
    plain = scenario(workload=arrivals, faults=[], variants={"a": {}, "b": {}})
    for drawn in (cascadesim.run(plain), cascadesim.compare(plain)):
        with pytest.raises(ScenarioError, match="no connections to draw") as error:
            connections(drawn)
        assert "\n" not in str(error.value)
    both = cascadesim.compare(plain, scenario(), variants=[])
    assert len(connections(both).get_yticklabels()) == 3  # of five variants


def test_too_many_variants_are_told() -> None:
    variants = {f"v{i}": {} for i in range(MOST + 1)}
    many = cascadesim.compare(scenario(horizon="2s", drain="0s", faults=[], variants=variants))
    with pytest.raises(ScenarioError, match="cannot be told apart"):
        connections(many)
