"""`cascadesim schema`: the JSON Schema, and that the scenarios keep it."""

import json
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


@pytest.mark.parametrize("file", sorted((ROOT / "scenarios").glob("*/*.yaml")), ids=str)
def test_scenarios_name_their_schema_and_keep_it(cli: Cli, file: Path) -> None:
    first = file.read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../scenario.schema.json"
    schema = json.loads((file.parent / first.partition("=")[2]).read_text("utf-8"))
    jsonschema.validate(cascadesim.load(file).document.data, schema)
