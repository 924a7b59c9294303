"""Changed settings: found between two scenarios, by the paths that `--set` takes."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import Data, examples
from strategies import Draw, scenarios

from cascadesim.scenario.load import loads
from cascadesim.scenario.paths import dotted, locate
from cascadesim.scenario.source import Document, Location
from cascadesim.studies.changes import SettingChange, setting_changes

NEW_VALUES = st.one_of(st.integers(-5, 5), st.booleans(), st.none(), st.text("abc", max_size=3))


def leaves(data: Any, at: Location = ()) -> list[Location]:
    """Return where scalars stand, except for the names of policies."""
    if not isinstance(data, dict | list):
        return [] if at[-1:] == ("name",) and "policies" in at else [at]
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [leaf for key, value in items for leaf in leaves(value, (*at, key))]


def put(data: Any, at: Location, value: Any) -> None:
    *above, last = at
    for key in above:
        data = data[key]
    data[last] = value


@st.composite
def edits(draw: Draw) -> tuple[Data, Data, set[str]]:
    """Draw a scenario, it with other values here and there, and the paths of those."""
    old = draw(scenarios())
    new = copy.deepcopy(old)
    changed = set()
    for at in draw(st.lists(st.sampled_from(leaves(old)), unique=True, max_size=8)):
        value = draw(NEW_VALUES)
        put(new, at, value)
        before = old
        for key in at:
            before = before[key]
        if json.dumps(before) != json.dumps(value):
            changed.add(dotted(old, at))
    if draw(st.booleans()):
        new["seed"] = 5
        changed.add("seed")
    return old, new, changed


@given(edits())
@pytest.mark.slow
def test_the_changes_are_those_that_were_made_and_make_old_into_new(
    drawn: tuple[Data, Data, set[str]],
) -> None:
    old, new, changed = drawn
    found = setting_changes(old, new)
    assert {change.path for change in found} == changed
    assert len(found) == len(changed)
    document = Document("old", old)
    for change in found:
        place = locate(document.data, change.path)  # as --set does
        document = document.replace(place, Document("new", change.new))
    assert json.dumps(document.data, sort_keys=True) == json.dumps(new, sort_keys=True)


@examples(20)
@given(scenarios(), scenarios())
def test_changes_back_are_the_changes_the_other_way_round(old: Data, new: Data) -> None:
    opposite = {"added": "removed", "removed": "added"}
    there = sorted(
        (opposite.get(each.kind, each.kind), repr(each.new), repr(each.old))
        for each in setting_changes(old, new)
    )
    back = sorted((each.kind, repr(each.old), repr(each.new)) for each in setting_changes(new, old))
    assert there == back
    assert (not there) == (json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True))


def test_lists_of_other_lengths_are_matched_alike_in_both_directions() -> None:
    # Which of the two equal entries SequenceMatcher takes depends on which list comes first.
    old, new = {"a": ["rejected", "timed_out"]}, {"a": ["timed_out", "rejected", "failed"]}
    there = [(change.old, change.new) for change in setting_changes(old, new)]
    back = [(change.new, change.old) for change in setting_changes(new, old)]
    assert sorted(there, key=repr) == sorted(back, key=repr)


def base() -> Data:
    return {
        "name": "service",
        "horizon": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": {
            "auth": {"work": {"constant": "10ms"}},
            "agent": {
                "work": {"constant": "20ms"},
                "policies": [
                    {"breaker": {"name": "manager", "recovery_timeout": "60s"}},
                    {"deadline": {"timeout": "5s"}},
                ],
                "stages": {"tool": {"work": {"constant": "5ms"}}},
            },
        },
        "faults": [
            {"on": "auth", "from": "1s", "for": "2s", "outage": {}},
            {"on": "agent", "from": "9s", "for": "2s", "outage": {}},
        ],
        "objectives": ["p99 < 5s", "error_rate < 1%"],
        "variants": {"before": {}, "after": {"agent.deadline.timeout": "2s"}},
    }


RETRY = {"retry": {"attempts": 2}}


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (
            ("stages", "agent", "stages", "tool", "work", "constant"),
            "6ms",
            [("changed", "tool.work.constant", "5ms", "6ms")],
        ),
        (
            ("stages", "auth", "work"),
            {"exponential": {"mean": "10ms"}},
            [
                (
                    "changed",
                    "auth.work",
                    {"constant": "10ms"},
                    {"exponential": {"mean": "10ms"}},
                )
            ],
        ),
        (
            ("stages", "agent", "policies"),
            [RETRY, *base()["stages"]["agent"]["policies"]],
            [
                ("added", "agent.retry", None, {"attempts": 2}),
                (
                    "order",
                    "agent.policies",
                    ["manager", "deadline"],
                    ["retry", "manager", "deadline"],
                ),
            ],
        ),
        (
            ("stages", "agent", "policies"),
            [*reversed(base()["stages"]["agent"]["policies"])],
            [("order", "agent.policies", ["manager", "deadline"], ["deadline", "manager"])],
        ),
        (
            ("stages", "agent", "policies"),
            [{"deadline": {"timeout": "9s"}}],
            [
                (
                    "removed",
                    "agent.manager",
                    {"name": "manager", "recovery_timeout": "60s"},
                    None,
                ),
                ("changed", "agent.deadline.timeout", "5s", "9s"),
                ("order", "agent.policies", ["manager", "deadline"], ["deadline"]),
            ],
        ),
        (
            ("stages",),
            dict(reversed(base()["stages"].items())),
            [("order", "stages", ["auth", "agent"], ["agent", "auth"])],
        ),
        (
            ("stages",),
            {**base()["stages"], "cache": {"work": {"constant": "1ms"}}},
            [
                ("added", "cache", None, {"work": {"constant": "1ms"}}),
                ("order", "stages", ["auth", "agent"], ["auth", "agent", "cache"]),
            ],
        ),
        (
            ("objectives",),
            ["error_rate < 1%", "p99 < 4s", "goodput > 1/s"],
            [
                ("changed", "objectives.0", "p99 < 5s", "p99 < 4s"),
                ("added", "objectives.2", None, "goodput > 1/s"),
            ],
        ),
        (("objectives",), ["error_rate < 1%", "p99 < 5s"], []),
        (
            ("faults",),
            [base()["faults"][1]],
            [("removed", "faults.0", base()["faults"][0], None)],
        ),
        (
            ("variants", "after"),
            {"agent.manager.recovery_timeout": "1s"},
            [
                ("removed", "variants.after.agent.deadline.timeout", "2s", None),
                ("added", "variants.after.agent.manager.recovery_timeout", None, "1s"),
            ],
        ),
        (("variants", "third"), {}, [("added", "variants.third", None, {})]),
        (("seed",), 0, [("added", "seed", None, 0)]),
    ],
)
def test_what_is_added_removed_and_moved(
    path: Location, value: Any, found: list[tuple[str, str, Any, Any]]
) -> None:
    old, new = base(), base()
    put(new, path, value)
    for data in (old, new):
        loads(json.dumps(data))  # both are scenarios
    assert setting_changes(old, new) == [SettingChange(*each) for each in found]  # type: ignore[arg-type]
