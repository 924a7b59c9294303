"""The command that prints rules, and what is asked of a rule."""

import json

import pytest
from conftest import Cli
from ruamel.yaml import YAML

from cascadesim.analysis.all_rules import all_rules
from cascadesim.plan.cause_rules import CAUSE_RULES
from cascadesim.plan.causes import CAUSES
from cascadesim.values.rules import Rule

RULES = all_rules()
SECTIONS = ("What it says", "Why it is bad", "Example", "What to do instead")


def test_every_cause_has_a_rule() -> None:
    assert tuple(CAUSE_RULES) == tuple(CAUSES)


def test_codes_and_names_are_unique() -> None:
    assert list(RULES) == [rule.code for rule in RULES.values()]
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)
    assert {"T01", "B01", "P01", "P02", "Q01", "H01", "L01", "W01", "A01"} <= set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_page_has_all_sections_in_80_columns(cli: Cli, rule: Rule) -> None:
    code, out, err = cli("rule", rule.code)
    assert (code, err) == (0, "")
    assert cli("rule", rule.name) == (0, out, "")
    assert [line[3:] for line in out.splitlines() if line.startswith("## ")] == list(SECTIONS)
    assert max(map(len, out.splitlines())) <= 80
    assert all((rule.says, rule.why, rule.instead))
    assert YAML(typ="safe").load(rule.example)  # an example is YAML, and says something


def test_the_list_has_a_line_for_each(cli: Cli) -> None:
    _, out, _ = cli("rule")
    assert [line.split()[0] for line in out.splitlines()[: len(RULES)]] == list(RULES)
    assert "T01  inner-timeout-beyond-outer" in out


def test_json_has_all_of_them(cli: Cli) -> None:
    _, out, _ = cli("rule", "--format", "json")
    assert [each["code"] for each in json.loads(out)] == list(RULES)
    _, one, _ = cli("rule", "p01", "--format", "json")
    assert json.loads(one)["name"] == "pool-timeout-beyond-caller"


def test_an_unknown_rule_is_one_line(cli: Cli) -> None:
    code, out, err = cli("rule", "bulkhead-never-ful")
    assert (code, out) == (2, "")
    assert err.strip().endswith('no such rule; did you mean "bulkhead-never-full"?')


def test_check_names_the_code(cli: Cli) -> None:
    _, out, _ = cli("check", "scenarios/incident-60s", "--variant", "before")
    assert "[T03]" in out
