"""The command that prints rules, and what is asked of a rule."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from kit import plan_of
from ruamel.yaml import YAML

from cascadesim.analysis import rules
from cascadesim.analysis.all_rules import all_rules
from cascadesim.analysis.figure_rules import (
    FEW_BEYOND,
    FEW_REPLICATIONS,
    FEW_SETTINGS,
    LOWER_BOUND,
    LOWEST_BY_CHANCE,
    NONE_MEASURED,
    PRECISION_MISSED,
    WARMUP_GUESSED,
)
from cascadesim.cli.pages import codes_that_begin
from cascadesim.plan.cause_rules import CAUSE_RULES
from cascadesim.plan.causes import CAUSES
from cascadesim.scenario.load import loads
from cascadesim.studies.check import check
from cascadesim.values.rules import Rule

RULES = all_rules()
BOTH = ("--vary", "api.concurrency=4,5", "--vary", "api.queue_limit=8,9")
RANGES = ("--vary", "api.concurrency=2..20", "--vary", "api.queue_limit=0..50")
SECTIONS = ("What it says", "Why it is bad", "Example", "What to do instead")


def test_every_cause_has_a_rule() -> None:
    assert tuple(CAUSE_RULES) == tuple(CAUSES)


def test_codes_and_names_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"T01", "B01", "P01", "P02", "Q01", "H01", "L01", "W01", "A01", "S01", "D01"} <= set(
        RULES
    )
    other = Rule("B01", "another-name", "", "", "", "")
    monkeypatch.setattr(rules, "OTHER", other, raising=False)
    with pytest.raises(ValueError, match="not the word of one rule: B01"):
        all_rules.__wrapped__()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_page_has_all_sections_in_80_columns(cli: Cli, rule: Rule) -> None:
    code, out, err = cli("rule", rule.code)
    assert (code, err) == (0, "")
    for word in (rule.code.lower(), rule.name, rule.name.replace("-", "_")):
        assert cli("rule", word) == (0, out, "")
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


def test_codes_and_names_are_completed() -> None:
    assert codes_that_begin("pool_t") == ["pool-timeout-beyond-caller"]
    assert codes_that_begin("p0") == ["P01", "P02", "P04", "P05", "P06"]


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal_a_page_is_set_in_80_columns(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = cli("rule", "T02")
    plain = re.sub(r"\x1b(\[[\d;]*m|\]8;[^\\]*\\)", "", out)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80
    assert "```" not in plain
    assert "policies:" in plain


def test_check_names_the_code(cli: Cli) -> None:
    _, out, _ = cli("check", "scenarios/incident-60s", "--variant", "before")
    assert "[T03]" in out


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merged(below.get(key), value) for key, value in above.items()}


def _scenario(example: str, rate: str = "40/s") -> dict[str, Any]:
    """Return a small scenario with an example in it: of a stage, of connections, or of all."""
    given = YAML(typ="safe").load(example)
    if "connections" in given:
        given = {"workload": given}
    elif not {"workload", "stages", "faults", "horizon", "warmup"} & set(given):
        given = {"stages": {"api": given}}
    whole = {"name": "example", "horizon": "2min", "drain": "1min"}
    if "connections" in given.get("workload", {}):
        clients = {"connections": {"clients": 100, "messages": {"constant": "1min"}}}
        data = _merged(whole | {"workload": clients}, given)
    else:
        data = _merged(whole | {"workload": {"arrivals": {"poisson": {"rate": rate}}}}, given)
    data.setdefault("stages", {"api": {}})
    for stage in (
        *data["stages"].values(),
        *data["workload"].get("connections", {}).get("handshake", {}).get("stages", {}).values(),
    ):
        stage.setdefault("work", {"constant": "100ms"})
    return data


@pytest.mark.parametrize(
    "rule", [rule for code, rule in RULES.items() if code[0] not in "ADS"], ids=lambda r: r.code
)
def test_check_reports_the_example(rule: Rule) -> None:
    found = check(loads(json.dumps(_scenario(rule.example)), "example")).contradictions
    assert rule.code in {each.code for each in found}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_example_of_a_cause_can_go_into_a_scenario(cause: str) -> None:
    plan_of(_scenario(CAUSE_RULES[cause].example))


@pytest.mark.parametrize(
    ("rule", "command", "options"),
    [
        (FEW_BEYOND, "run", ()),
        (WARMUP_GUESSED, "run", ()),
        (NONE_MEASURED, "run", ()),
        (LOWER_BOUND, "sweep", BOTH),
        (LOWEST_BY_CHANCE, "sweep", (*BOTH, "--replications", "2")),
        (PRECISION_MISSED, "compare", ("--precision", "p99=0.001%", "--replications", "2")),
        (FEW_REPLICATIONS, "compare", ("--precision", "p99=5%", "--replications", "1")),
        (FEW_SETTINGS, "sweep", (*RANGES, "--sample", "lhs:8")),
    ],
    ids=lambda each: each.code if isinstance(each, Rule) else "",
)
def test_a_doubtful_figure_is_printed_with_its_code(
    cli: Cli, tmp_path: Path, rule: Rule, command: str, options: tuple[str, ...]
) -> None:
    example = (
        "{concurrency: 4, queue_limit: 50, work: {exponential: {mean: 100ms}}}"
        if rule.example.startswith("$")
        else rule.example
    )
    file = tmp_path / "api.yaml"
    file.write_text(json.dumps(_scenario(example, "10/s")), "utf-8")
    _, out, err = cli(command, file, *options)
    assert f"[{rule.code}]" in out, err
