"""`cascadesim schema`: the JSON Schema, and that the scenarios keep it."""

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT, Cli

import cascadesim


def test_schema_is_the_file_beside_the_scenarios(cli: Cli) -> None:
    code, out, _ = cli("schema")
    assert code == 0
    assert (ROOT / "scenarios" / "scenario.schema.json").read_text("utf-8") == out
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


@cache
def validator(schema: Path) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema.read_text("utf-8")))


@pytest.mark.parametrize("file", sorted((ROOT / "scenarios").glob("*/*.yaml")), ids=str)
def test_scenarios_name_their_schema_and_keep_it(file: Path) -> None:
    first = file.read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../scenario.schema.json"
    schema = (file.parent / first.partition("=")[2]).resolve()
    validator(schema).validate(cascadesim.load(file).document.data)
