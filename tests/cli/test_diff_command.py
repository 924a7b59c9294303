"""`cascadesim diff`: changed settings, what they do, and revisions of a git repository."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from diffed import QUICK, SLOW, VARIANTS, put

import cascadesim
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.studies.compare import compare


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_worse_setting_is_told_and_exits_with_1(cli: Cli) -> None:
    both = put("old.yaml"), put("new.yaml", stages=SLOW)
    code, out, err = cli("diff", *both, *QUICK)
    assert (code, err) == (1, "")
    assert out.startswith("<!-- cascadesim diff -->\n\n### ❌ 1 objective newly missed\n\n")
    assert "| `a.concurrency` | `20` | `1` |" in out
    objective = next(line for line in out.splitlines() if line.startswith("| `p99 < 600ms` |"))
    assert objective.endswith("| **newly missed** |")
    assert re.search(r"(?m)^- `p99 < 600ms`: `a\.concurrency`, for \d+% of the p99", out)
    # The figures are those of a comparison.
    expected = compare(*map(cascadesim.load, both), replications=8)
    (label,) = expected.differences
    for name in PERCENTILES:
        difference = expected.differences[label][name]
        mean, half = difference.interval.estimate, difference.interval.half_width
        seen = "seen" if difference.seen else "not seen"
        row = next(line for line in out.splitlines() if line.startswith(f"| {name} |"))
        assert row.endswith(f" | {mean:+.3f} ± {half:.3f} | {seen} |")
    assert "{} requests got better and {} worse.".format(*expected.pairs(label) or ()) in out
    # The command it tells gives the same bytes, on any number of workers.
    (command,) = re.findall(r"(?m)^\$ cascadesim (.*)$", out)
    assert cli(*shlex.split(command), "--jobs", "2", "--no-store")[1] == out


def test_the_other_way_round_an_objective_is_newly_met(cli: Cli) -> None:
    both = put("new.yaml", stages=SLOW), put("old.yaml")
    code, out, _ = cli("diff", *both, *QUICK)
    assert code == 0
    assert "### ✅ No objective newly missed, 1 objective newly met\n" in out
    code, out, _ = cli("diff", *both, *QUICK, "--format", "json")
    (found,) = json.loads(out)["scenarios"]
    (pair,) = found["variants"]
    assert (code, found["status"], found["passed"], found["replications"]) == (
        0,
        "changed",
        True,
        8,
    )
    assert found["changes"] == [
        {"kind": "changed", "path": "a.concurrency", "old": 1, "new": 20},
    ]
    assert [each["verdict"] for each in pair["objectives"]] == ["newly met", "met"]
    assert pair["measures"]["p99"]["seen"] is True
    assert pair["measures"]["p99"]["difference"]["high"] < 0


def test_a_table_for_a_terminal(cli: Cli) -> None:
    both = put("old.yaml"), put("new.yaml", stages=SLOW)
    code, out, _ = cli("diff", *both, *QUICK, "--format", "table", "--replications", "3")
    assert code == 1
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith("\n1 objective newly missed\n")
    assert re.search(r"(?m)^a\.concurrency +20 +1$", out)
    assert re.search(r"(?m)^- p99 < 600ms: a\.concurrency, for \d+% of the p99", out)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "the settings are the same."),
        ({"horizon": "1min"}, "No setting changed that a run could tell, so nothing was simulated"),
        ({"summary": "other words"}, "| `summary` | - | `other words` |"),
    ],
)
def test_nothing_is_simulated_where_nothing_changed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], says: str
) -> None:
    def simulate(*_: object, **__: object) -> None:
        raise AssertionError("nothing changed")

    monkeypatch.setattr("cascadesim.studies.run.simulate", simulate)
    both = put("old.yaml"), put("new.yaml", **more)
    code, out, err = cli("diff", *both)
    assert (code, err) == (0, "")
    assert says in out
    assert cli("diff", *both, "--format", "table")[0] == 0


def test_only_variants_that_changed_are_run_or_those_that_are_named(cli: Cli) -> None:
    changed = {"slow": {"a.concurrency": 2}, "fast": {"a.concurrency": 19}, "new": {}}
    both = put("old.yaml", variants=VARIANTS), put("new.yaml", variants=changed)
    options = (*QUICK, "--replications", "2", "--format", "json")
    found = json.loads(cli("diff", *both, *options)[1])["scenarios"][0]
    assert [each["variant"] for each in found["variants"]] == ["slow", "fast"]
    assert [each["path"] for each in found["changes"]] == [
        "variants.slow.a.concurrency",
        "variants.fast.a.concurrency",
        "variants.gone",
        "variants.new",
    ]
    found = json.loads(cli("diff", *both, *options, "--variant", "fast")[1])["scenarios"][0]
    assert [each["variant"] for each in found["variants"]] == ["fast"]
    assert found["left_out"] == ["slow"]
    _, out, _ = cli("diff", *both, *QUICK, "--replications", "2", "--variants", "fast")
    assert "\nChanged too, and not run: `slow`.\n" in out
    # A setting of the scenario that one variant overrides changes the others alone.
    both = put("old.yaml", variants=VARIANTS), put("new.yaml", variants=VARIANTS, stages=SLOW)
    found = json.loads(cli("diff", *both, *options)[1])["scenarios"][0]
    assert [each["variant"] for each in found["variants"]] == ["gone"]


def test_a_comment_is_no_longer_than_github_takes(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = put("old.yaml", variants=VARIANTS), put("new.yaml", variants=VARIANTS, stages=SLOW)
    command = ("diff", *both, *QUICK, "--replications", "2")
    code, whole, _ = cli(*command)
    monkeypatch.setattr("cascadesim.views.markdown.LONGEST", len(whole) - 1)
    assert cli(*command)[0] == code
    monkeypatch.setattr("cascadesim.views.markdown.LONGEST", 1500)
    short = cli(*command)[1]
    assert len(short) <= 1500 < len(whole)
    title = next(line for line in whole.splitlines() if "Variant <code>gone</code>" in line)
    told = title.removeprefix("<details open><summary>").removesuffix("</summary>")
    assert f"\n- {told}\n" in short


def test_another_objective_is_judged_too(cli: Cli) -> None:
    tighter = ["p99 < 1ms", "error_rate < 1%", "goodput > 1/s"]
    both = put("old.yaml"), put("new.yaml", objectives=tighter)
    code, out, _ = cli("diff", *both, *QUICK, "--replications", "2")
    assert code == 1
    assert "| `objectives.0` | `p99 < 600ms` | `p99 < 1ms` |" in out
    assert "| `p99 < 1ms`<br>`was p99 < 600ms` |" in out
    (row,) = (line for line in out.splitlines() if line.startswith("| `goodput > 1/s` |"))
    assert [cell.strip() for cell in row.split("|")][2::2] == ["-", "met"]
    assert "0 requests got better and 0 worse." in out


def test_a_limit_on_how_much_worse_it_may_get(cli: Cli) -> None:
    both = put("old.yaml", objectives=[]), put("new.yaml", objectives=[], stages=SLOW)
    assert cli("diff", *both, *QUICK)[0] == 0
    code, out, _ = cli("diff", *both, *QUICK, "--fail-on-worse", "p99=2%")
    assert (code, "### ❌ 1 measure worse than allowed\n" in out) == (1, True)
    assert re.search(r"(?m)^p99 is worse by more than 0\.\d{3}: \+[0-9.]+ ± [0-9.]+\.$", out)
    lax = ("--fail-on-worse", "p99=1h", "--fail-on-worse", "goodput=50%")
    assert cli("diff", *both, *QUICK, *lax)[0] == 0
    # What requests that are unfinished at the end could still move is not known to be kept.
    none = {"objectives": [], "drain": "0s"}
    both = put("old.yaml", **none), put("new.yaml", **none, stages=SLOW)
    code, out, _ = cli("diff", *both, *QUICK, "--fail-on-worse", "max=1h")
    assert (code, "### ❌ 1 measure not known\n" in out) == (1, True)
    assert "\nWhether max is worse is not known" in out


def test_a_lower_bound_is_no_evidence_of_an_improvement(cli: Cli) -> None:
    """Cut off at the horizon, the slow one's longest latency may be any, so only `old` is known."""
    stages = {"a": {"work": {"constant": "40s"}}}
    both = put("old.yaml", stages=stages), put("new.yaml", stages=stages, drain="0s")
    for versions, bound in ((both, "> "), (both[::-1], "< ")):
        _, out, _ = cli("diff", *versions, *QUICK, "--replications", "3")
        (row,) = (line for line in out.splitlines() if line.startswith("| max |"))
        _, _, old, new, difference, seen, _ = (cell.strip() for cell in row.split("|"))
        known, cut_off = (old, new) if bound == "> " else (new, old)
        assert (known, cut_off.startswith("> ")) == ("40.000 ± 0.000", True)
        assert (difference.startswith(bound), seen) == (True, "not known")


def test_another_workload_has_other_requests(cli: Cli) -> None:
    faster = {"arrivals": {"poisson": {"rate": "9/s"}}}
    both = put("old.yaml"), put("new.yaml", workload=faster)
    _, out, _ = cli("diff", *both, *QUICK, "--replications", "2")
    assert "The two did not meet the same requests, as their workloads differ." in out


def test_one_replication_shows_no_difference(cli: Cli) -> None:
    both = put("old.yaml"), put("new.yaml", stages=SLOW)
    code, out, _ = cli("diff", *both, *QUICK, "--replications", "1")
    assert code == 1
    assert "nan" not in out
    assert all(
        line.endswith("| not known |") for line in out.splitlines() if line.startswith("| p")
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["old.yaml"], "expected two scenarios, OLD and NEW, or --git main..HEAD; got 1"),
        (["old.yaml", "none.yaml"], "none.yaml: no such file"),
        (["old.yaml", "seed.yaml"], "seed.yaml: has seed 7, and old.yaml has 1, so nothing pairs"),
        (["old.yaml", "new.yaml", "--variant", "x"], 'old.yaml: no variant "x"; there are none'),
        (
            ["old.yaml", "new.yaml", "--fail-on-worse", "p98=2%"],
            '--fail-on-worse: expected MEASURE=TOLERANCE such as "p99=2%", got "p98=2%"',
        ),
        (["old.yaml", "new.yaml", "--fail-on-worse", "p99=2"], "expected a tolerance such as"),
        (
            ["old.yaml", "new.yaml", "--fail-on-worse", "p99=2%", "--replications", "1"],
            "--fail-on-worse: needs --replications 4 or more",
        ),
        (["--git", "HEAD~1..HEAD"], "--git: git says: not a git repository"),
    ],
)
def test_bad_input_is_one_line_and_2(cli: Cli, arguments: list[str], says: str) -> None:
    put("old.yaml")
    put("new.yaml", stages=SLOW)
    put("seed.yaml", stages=SLOW, seed=7)
    code, out, err = cli("diff", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err


def test_another_seed_needs_one_for_both(cli: Cli) -> None:
    both = put("old.yaml"), put("seed.yaml", stages=SLOW, seed=7)
    _, out, err = cli("diff", *both, *QUICK, "--seed", "3", "--replications", "2")
    assert (err, "2 replications from seed 3" in out) == ("", True)
    # Seeds alone say nothing of the settings.
    both = put("old.yaml"), put("seed.yaml", seed=7)
    assert "so nothing was simulated" in cli("diff", *both)[1]
