"""Small answers of field trials: a mistake is said, with what would be right."""

import pytest

from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError
from cascadesim.views.page import Cell, Kind, Page, left, table
from cascadesim.views.terminal import text

PLAIN = """\
name: small
horizon: 10min
workload: {arrivals: {constant: {rate: 1/s}}}
stages:
  svc: {work: {constant: 10ms}}
"""


def test_a_fault_beyond_the_horizon_is_an_error_with_both_instants(field) -> None:
    with pytest.raises(ScenarioError) as caught:
        field("fault-beyond-the-horizon")
    assert caught.value.mark.line == 5
    assert caught.value.problem == (
        "the fault would begin at t = 2400.00 s, when the run has ended; "
        "expected below horizon and drain, 600.00 s"
    )


def test_a_fault_while_requests_drain_is_none() -> None:
    fault = "faults: [{on: svc, from: 11min, for: 1min, outage: {}}]"
    assert loads(f"{PLAIN}drain: 2min\n{fault}").model.faults[0].start == 660
    with pytest.raises(ScenarioError, match=r"t = 660\.00 s.*, 660\.00 s"):
        loads(f"{PLAIN}drain: 1min\n{fault}")


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("10min", "10m", '"10m" has the unknown unit "m"; write "10min"'),
        ("10min", "1h 30m", '"1h 30m" has the unknown unit "m"; write "1h 30min"'),
        ("1/s", "90/m", '"90/m" has the unknown unit "m"; write "90/min"'),
        ("10ms}", "10ms}, timeout: 5s", "policies: [deadline: {timeout: …}]"),
        ("10ms}", "10ms}, retries: 3", "policies: [retry: {attempts: …}]"),
        ("10ms}", "10ms}, breaker: {}", "policies: [breaker: {…}]"),
        ("10ms}", "10ms}, pool: 20", "a mapping such as {connect_time: 20ms, size: 20}, got 20"),
        ("{constant: 10ms}", "10ms", "expected a mapping with one of: constant, "),
        ("10ms}", "10ms}, tracker: 30s", "a mapping such as {timeout: …}"),
        (
            "10ms}",
            "10ms}, stages: {svc: {work: {constant: 1ms}}}",
            "at stages.svc; names of stages are global",
        ),
    ],
)
def test_a_slip_is_told_with_what_would_be_right(old: str, new: str, right: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(PLAIN.replace(old, new))
    assert right in str(caught.value)


@pytest.mark.parametrize("width", [80, 68, 60])
@pytest.mark.parametrize("kind", ["", "setting"])
def test_a_dotted_path_is_folded_at_its_dots(width: int, kind: Kind) -> None:
    path = "workload.connections.reconnect.attempts"
    columns = ("setting", left("what changed"), left("what that does"), "p99", "answered in time")
    row = (Cell(path, kind=kind), f"{path}: 5 to 10", "one request in three waits", "1.5 s", "98 %")
    shown = table("", columns, [row])
    assert shown is not None
    lines = text(Page("", (shown,)), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "1.5" in " ".join(lines)
    parts = [part for line in lines for word in line.split() for part in word.strip(":").split(".")]
    counts = {parts.count(part) for part in path.split(".")}
    assert len(counts) == 1  # in both columns, and where the first one is repeated below
    assert counts.pop() >= 2
