"""The JSON Schema says what loading does, as far as a JSON Schema can."""

from collections.abc import Iterator
from typing import Any

import pytest
from everything import ALL, swap
from jsonschema import Draft202012Validator

from cascadesim.scenario.json_schema import json_schema
from cascadesim.scenario.load import loads
from cascadesim.scenario.schema.workload import Workload
from cascadesim.scenario.source import parse
from cascadesim.values.errors import ScenarioError
from cascadesim.values.strict import Choice

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "", SCHEMA
    yield from SCHEMA["$defs"].items()


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(parse(text, "f").data))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "cascadesim scenario"
    assert "$id" not in SCHEMA


def test_it_accepts_scenarios_with_every_key() -> None:
    for text in ALL:
        assert list(VALIDATOR.iter_errors(parse(text, "f").data)) == []
        loads(text)


def test_the_scenarios_with_every_key_have_every_key() -> None:
    used = set()

    def visit(data: Any) -> None:
        for key in data if isinstance(data, dict | list) else ():
            used.add(str(key))
            visit(data[key] if isinstance(data, dict) else key)

    for text in ALL:
        visit(parse(text, "f").data)
    known = {key for _, schema in objects() for key in schema.get("properties", {})}
    assert known - used == {"p90", "p95"}


@pytest.mark.parametrize("name", [name for name, _ in objects()])
def test_every_property_is_described(name: str) -> None:
    schema = dict(objects())[name]
    for key, setting in schema.get("properties", {}).items():
        assert setting.get("description"), f"{name}.{key} has no description"
        assert "title" not in setting


def test_every_default_is_a_valid_value() -> None:
    for _, schema in objects():
        for setting in schema.get("properties", {}).values():
            if "default" in setting:
                whole = setting | {"$defs": SCHEMA["$defs"]}
                assert Draft202012Validator(whole).is_valid(setting["default"]), setting


def choices(base: type[Choice] = Choice) -> Iterator[type[Choice]]:
    """Yield the choices that stand in the schema, not those that only lend them their keys."""
    for choice in base.__subclasses__():
        if choice.__name__ in SCHEMA["$defs"]:
            yield choice
        yield from choices(choice)


def test_a_choice_has_exactly_one_kind() -> None:
    for choice in choices():
        kinds = SCHEMA["$defs"][choice.__name__]["oneOf"]
        expected: list[Any] = [{"required": [kind]} for kind in choice.kinds()]
        if choice is Workload:  # whose classes may do without
            expected.append({"required": ["classes"], "not": {"anyOf": list(expected)}})
        assert kinds == expected


REFUSED = [
    ("name: every", "nmae: every"),
    ("concurrency: 20", "concurency: 20"),
    ("leak: 0.1%", "leaks: 0.1%"),
    ("- retry:", "- retri:"),
    ("horizon: 10min", "horizon: 600"),
    ("horizon: 10min", 'horizon: "600"'),
    ("horizon: 10min", "horizon: 3 parsecs"),
    ("horizon: 10min\n", ""),
    ("median: 15ms", "median: 15"),
    ("rate: 4/s", "rate: 4"),
    ("failure_rate: 1%", "failure_rate: 1.5"),
    ("concurrency: 20", "concurrency: 0"),
    ("concurrency: 20", "concurrency: true"),
    ("seed: 7", "seed: -1"),
    ("sigma: 0.5", "sigma: 0"),
    ("when_open: wait", "when_open: wiat"),
    ("kind: queue", "kind: null"),
    ("outcomes: [rejected]", "outcomes: []"),
    ("{constant: 1ms}", "{}"),
    ("{constant: 1ms}", "{constant: ~}"),
    ("{constant: 1ms}", "{constant: 1ms, uniform: {low: 0s, high: 1s}}"),
    ("partition: {}", "partition: {}, restart: {}"),
    ("from: 1min, for: 45s", "for: 45s"),
    ("from: 1min, for: 45s", "from: 1min, for: ~"),
    ("from: 1min, for: 45s", "from: 1min, for: 45s, random: {mtbf: 1min, mttr: 1s}"),
    ("from: 1min, for: 45s", "for: 45s, random: {mtbf: 1min, mttr: 1s}"),
    ("from: 1min, for: 45s", "random: {mtbf: 1min}"),
    ("on: agent", "on: []"),
    ("on: agent", "on: [agent, agent]"),
    (", partition: {}", ""),
    ("outage: {fail_after: 1s}", "outage: ~"),
    (", p99: 80ms", ""),
    ("p99: 80ms", "p99: 80ms, sigma: 1"),
    ('clock: "23:29:00"', "clock: 25:00"),
    ("name: outer", 'name: "a b"'),
    ("  auth:", "  a.b:"),
    ("      agent:", "      a.b:"),
    ("p99 < 5s", "p101 < 5s"),
    ("before: {}", "before: []"),
    ("extends: after", "extends: 3"),
    ("agent.deadline.timeout", "agent..timeout"),
    ("cv: 1.5", "cv: 1.5, shape: 2"),
    ("cv: 1.5", "cv: 0"),
    ("weight: 60%, ", ""),
    ("weight: 60%", "weight: -1"),
    ("weight: 60%", "weight: true"),
    (", alpha: 1.5", ""),
    (", alpha: 1.5", ", p99: 9s"),
    (", alpha: 1.5", ", alpha: 1.5, p99: 9s"),
    (", alpha: 1.5", ", alpha: ~"),
    ("unit: ms", "unit: parsec"),
    (", unit: ms", ""),
    ("from: 6h, ", ""),
    ("rate: 2/min", "rate: -2/min"),
    ("period: 24h", "period: 0h 5"),
    ("spacing: even", "spacing: odd"),
    ("speed: 2", "speed: 0"),
    ("speed: 2, share: 50%", "speed: 2, share: 1.5"),
    (", column: at", ""),
    ("{clients: 50, ", "{"),
    ("clients: 50", "clients: 0"),
    ("{closed: ", "{arrivals: {poisson: {rate: 4/s}}, closed: "),
    ("clients: 500", "clients: 0"),
    ("ordering: independent", "ordering: any"),
    ("base: 2s", "bass: 2s"),
    ("attempts: 9", "attempts: 0"),
    ("idle_timeout: 60s", "idle_timeout: never"),
]


@pytest.mark.parametrize(("old", "new"), REFUSED)
def test_it_refuses_what_loading_refuses(old: str, new: str) -> None:
    text = swap(old, new, next(text for text in ALL if old in text))
    assert not accepts(text)
    with pytest.raises(ScenarioError):
        loads(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tracker: {timeout: 30s}", "tracker: null"),
        ("horizon: 10min", "horizon: 9min 60 s"),
        ("failure_rate: 1%", "failure_rate: 0.01"),
        ("before: {}", 'before: {"faults.0.for": 3s, seed: 3, extends: after}'),
        ("fail_after: 1s", ""),
    ],
)
def test_it_accepts_what_loading_accepts(old: str, new: str) -> None:
    assert accepts(swap(old, new))
    loads(swap(old, new))
