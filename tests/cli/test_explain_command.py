"""`cascadesim explain`, and what `compare` says of causes."""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import ROOT, Cli

INCIDENT = ROOT / "scenarios" / "incident-60s"
CHANGES = (
    *("--change", "agent.deadline.timeout=2s,15s"),
    *("--change", "agent.reliability_manager.recovery_timeout=10s"),
    *("--change", "agent.breaker.recovery_timeout=10s"),
)
SHORT = ("--set", "horizon=8min", "--set", "drain=2min")  # the observed request is in it
EXPLAIN = ("explain", INCIDENT, "--variant", "before", "--jobs", "1", *SHORT)


def flat(out: str) -> str:
    return " ".join(out.split())


def test_explain_says_where_the_time_went_and_what_would_have_helped(cli: Cli) -> None:
    code, out, err = cli(*EXPLAIN, *CHANGES)
    assert code == 0
    assert re.match(r"4 changes to try, a run each: (a moment|about [0-9]+ s in all)\n", err)
    assert max(map(len, out.splitlines())) <= 80
    text = flat(out)
    assert "(observation 0) arrived at 23:29:59.728 and took 60.272 s (observed: " in text
    assert "waiting for agent.reliability_manager to recover" in text
    assert "agent.reliability_manager.recovery_timeout: 60s" in text
    assert "agent.deadline.timeout 30s → 2s would have helped it most: 60.3 s → 33.1 s" in text
    assert "Together, agent.reliability_manager.recovery_timeout 60s → 10s and" in text
    steps = out[out.index("Where its time") : out.index("Single changes")]
    seconds = [Decimal(n) for n in re.findall(r" ([0-9]+\.[0-9]{3}) *\n", steps)]
    assert sum(seconds[:-1]) == seconds[-1] == Decimal("60.272")


def test_a_change_is_what_run_with_set_gives(cli: Cli) -> None:
    code, out, _ = cli(*EXPLAIN, *CHANGES, "--format", "json")
    assert code == 0
    found = json.loads(out)
    for row in found["changes"]:
        setting = f"{row['setting']}={row['changed_to']}"
        run = ("run", INCIDENT, "--variant", "before", *SHORT, "--set", setting)
        plain = json.loads(cli(*run, "--format", "json")[1])
        assert row["p99_s"] == plain["percentiles_s"]["p99"]
        assert row["error_rate"] == plain["error_rate"]
    assert sum(step["duration_s"] for step in found["steps"]) == pytest.approx(
        found["today"]["latency_s"]
    )
    code, out, _ = cli(*EXPLAIN, *CHANGES, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, len(rows)) == (0, len(found["changes"]))
    for row, plain in zip(rows, found["changes"], strict=True):
        assert list(row) == list(plain)
        assert float(row["latency_s"]) == plain["latency_s"]


def test_explain_takes_another_request_variant_and_settings(cli: Cli) -> None:
    options = ("--set", "agent.deadline.timeout=20s", "--seed", "3", "--percentile", "p99.9")
    one = (*EXPLAIN, *options, "--change", "agent.concurrency=25..50:25", "--format", "json")
    found = json.loads(cli(*one)[1])
    assert (found["seed"], found["chosen"], len(found["changes"])) == (3, "the p99.9", 2)
    short = {"horizon": "8min", "drain": "2min"}
    assert found["overrides"] == short | {"agent.deadline.timeout": "20s"}
    row = ("--set", "agent.deadline.timeout=20s", "--seed", "3", "--request", found["request"])
    again = json.loads(
        cli(*EXPLAIN, *row, "--change", "agent.concurrency=25", "--format", "json")[1]
    )
    assert again["today"] == found["today"]
    assert again["steps"] == found["steps"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--request", "99999"], "--request 99999: there are requests 0 to 3634"),
        (["--observation", "1"], "--observation 1: there are observations 0 to 0"),
        (["--percentile", "p98"], "--percentile p98: expected one of p50"),
        (["--percentile", "p99", "--request", "1"], "give only one of --request"),
        (["--change", "agent.deadline.timeout"], "expected PATH=VALUES"),
        (["--change", "agent.deadline.timeout=1s..2s"], 'expected values such as "5s,10s"'),
        (["--change", "agent.deadline.timeout=5"], 'write "5s" (seconds)'),
        (["--change", "horizon=5s"], "--change horizon: makes other requests"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_what_cannot_be_explained_is_one_line_and_2(
    cli: Cli, arguments: list[str], says: str
) -> None:
    code, out, err = cli("explain", INCIDENT, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err


def test_explain_takes_strange_names_and_lower_bounds(cli: Cli, tmp_path: Path) -> None:
    name = "<b>[red]" + "n" * 90
    stage = {
        "work": {"constant": "1s"},
        "policies": [{"deadline": {"enabled": False, "timeout": "2s"}}],
    }
    data = {
        "name": name,
        "horizon": "60s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {name: stage},
        "faults": [{"on": name, "from": "30s", "for": "1h", "hang": {}}],
    }
    file = tmp_path / "strange.yaml"
    file.write_text(json.dumps(data))
    code, out, _ = cli("explain", file, "--percentile", "max", "--jobs", "1")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    text = flat(out)
    assert "still under way when the run ended" in text
    assert "without faults.0 would have helped it: > 30.0 s (unfinished) → 1.00 s (ok)" in text
    assert name in out.replace("\n", "").replace(" ", "")


def test_compare_says_by_what_the_p99_changed(cli: Cli) -> None:
    both = ("compare", INCIDENT, "--variants", "before,after")
    _, out, _ = cli(*both)
    said = re.search(r"after: p99 (rose|fell) by ([0-9.]+) s: ([^:]*?)\.\n", out)
    assert said is not None
    parts = re.findall(r"([0-9.]+) s (less|more)", flat(said[3]))
    signs = {"more": 1, "less": -1, "rose": 1, "fell": -1}
    total = signs[said[1]] * Decimal(said[2])
    assert sum(signs[word] * Decimal(n) for n, word in parts) == total
    found = json.loads(cli(*both, "--format", "json")[1])["variants"]["after"]
    change = found["percentiles"]["p99"]["difference_s"]
    assert total == Decimal(f"{change:.1f}")
    assert "less breaker wait (agent.reliability_manager)" in flat(said[3])
    assert max(map(len, out.splitlines())) <= 80


def test_compare_says_what_changed_and_what_is_the_same(cli: Cli, tmp_path: Path) -> None:
    data = {
        "name": "small",
        "horizon": "20s",
        "drain": "20s",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1s"}}},
        "objectives": ["p50 < 9s"],
        "variants": {"one": {}, "two": {}, "three": {}, "slow": {"a.work": {"constant": "2500ms"}}},
    }
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(data))
    said = (
        "- two, three: p50 is the same. - slow: p50 rose by 1.50 s: 1.50 s more service work (a)."
    )
    for options in ((), ("--replications", "2")):
        code, out, err = cli("compare", file, *options, "--jobs", "1", "--no-store")
        assert (code, err) == (0, "")
        means = " (means over replications)" if options else ""
        assert f"What changed from one, by cause{means}: {said}" in flat(out)
