"""The page with every option says all that the schema does, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Cli

from cascadesim.policies.breaker_presets import PRESETS
from cascadesim.scenario.json_schema import json_schema
from cascadesim.scenario.places import parts
from cascadesim.scenario.reference import VALUES, page
from cascadesim.values.strict import Strict

SCHEMA = json_schema()
PAGE = page()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
OPTIONS = {row[0].strip("`"): row[1:] for row in ROWS if len(row) == 5}


def models(model: type[Strict] = Strict) -> list[type[Strict]]:
    return [model, *(each for child in model.__subclasses__() for each in models(child))]


def definitions() -> dict[str, Any]:
    return {"": SCHEMA, **SCHEMA["$defs"]}


def test_the_page_beside_the_scenarios_is_the_one_that_is_made(cli: Cli) -> None:
    code, out, _ = cli("schema", "--format", "markdown")
    assert code == 0
    assert (ROOT / "scenarios" / "README.md").read_text("utf-8") == out


def test_every_property_has_its_row() -> None:
    expected = {
        f"{part.place}.{key}".lstrip(".")
        for part in parts(SCHEMA)
        for key in definitions()[part.name]["properties"]
    }
    assert set(OPTIONS) == expected
    with_options = {name for name, each in definitions().items() if each.get("properties")}
    assert {part.name for part in parts(SCHEMA)} == with_options


@pytest.mark.parametrize(
    ("option", "value", "default"),
    [
        ("horizon", "duration above 0", "required"),
        ("warmup", "duration, or `auto`", "`0s`"),
        ("workload.closed.clients", "whole number from 1 to 100000", "required"),
        ("STAGE.breaker.when_open", "`reject`, `wait`", "`reject`"),
        ("STAGE.breaker.recovery_timeout", "duration above 0", "required, or `preset`; by preset"),
        ("STAGE.breaker.window.failure_rate", "share", "none; by preset"),
        ("STAGE.pool.max_overflow", "whole number from -1", "`10`"),
        ("STAGE.pool.connect_time", "duration, or [work](#work)", "required"),
        ("WORK.gamma.cv", "number from 0.001 to 10", "required, or `shape`"),
        ("WORK.pareto.cap", "duration above 0", "none"),
        ("WORK.mixture.COMPONENT.weight", "weight", "required"),
        ("faults.N.from", "instant", "required, or `random`"),
        ("faults.N.outage", "[outage](#outage)", "one of these"),
    ],
)
def test_options_have_values_and_defaults(option: str, value: str, default: str) -> None:
    assert OPTIONS[option][:2] == [value, default]


def test_every_option_has_a_meaning_and_a_default_or_is_required() -> None:
    for option, (value, default, _, meaning) in OPTIONS.items():
        assert value, option
        assert meaning, option
        right = r"`.*`|none|required(, or .+)?|one of these"
        assert re.fullmatch(rf"({right})(; by (preset|algorithm))?", default), option


def test_the_presets_are_those_of_the_schema() -> None:
    head = next(line for line in PAGE.splitlines() if line.startswith("| preset"))
    names = re.findall(r"`(\w+)`", head)
    assert set(names) == set(PRESETS)
    by_key = {row[0].strip("`"): row[1:] for row in ROWS if len(row) == 1 + len(PRESETS)}

    def brought(key: str) -> dict[str, str]:
        return dict(zip(names, by_key[f"STAGE.breaker.{key}"], strict=True))

    recovery = {name: f"`{each.settings['recovery_timeout']}`" for name, each in PRESETS.items()}
    assert brought("recovery_timeout") == recovery
    minimum = {"resilience4j": "`100`", "polly": "`100`", "opossum": "`1`"}
    assert brought("window.minimum") == dict.fromkeys(PRESETS, "-") | minimum
    assert brought("half_open_permits")["pybreaker"] == "`all`, fixed"
    assert brought("window.strict") == dict.fromkeys(PRESETS, "-") | {"opossum": "`true`, fixed"}
    cancelled = {name: f"`{each.settings['cancelled']}`" for name, each in PRESETS.items()}
    assert brought("cancelled") == cancelled


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.M)
    anchors: list[str] = []
    for heading in headings:
        anchor = heading.lower().replace(" ", "-")
        again = sum(re.fullmatch(rf"{anchor}(-\d+)?", each) is not None for each in anchors)
        anchors.append(f"{anchor}-{again}" if again else anchor)
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert Path(ROOT / "scenarios" / target).exists(), target
    sources = PAGE.partition("## Sources")[2]
    listed = re.findall(r"^(\d+)\. \S", sources, re.M)
    assert listed == [str(i) for i in range(1, len(listed) + 1)]
    assert {*re.findall(r"\[(\d+)\]\(#sources\)", PAGE)} == {*listed}


def test_sources_are_named_of_fields_that_there_are() -> None:
    for model in models():
        assert set(model.FOLLOWS.fields) <= set(model.model_fields), model


def test_every_kind_of_value_is_explained_and_there() -> None:
    used = set(re.findall(r"'x-value': '([^']+)'", str(SCHEMA)))
    assert used == set(VALUES)
