"""`cascadesim compare`: what it prints, and when it exits with what."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.studies.replications import MEASURES

INCIDENT = ROOT / "scenarios" / "incident-60s"


def test_compare_exits_with_1_where_an_objective_is_missed(cli: Cli) -> None:
    code, out, err = cli("compare", INCIDENT, "--variants", "before,after")
    assert (code, err) == (1, "")
    assert "Difference from before in seconds" in out
    assert cli("compare", INCIDENT, "--variants", "recommended")[0] == 0


def test_compare_as_csv_is_tidy(cli: Cli) -> None:
    _, out, _ = cli("compare", INCIDENT, "--variants", "before,after", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 2 * len(PERCENTILES)
    columns = "variant percentile latency_s low_s high_s difference_s difference_low_s"
    more = ["at_least", "first_at_least"]
    assert list(rows[0]) == [*columns.split(), "difference_high_s", "p_value", *more]


SESSION = ("compare", INCIDENT, "--variants", "before,session", "--jobs", "1")


def test_compare_of_replications_prints_intervals(cli: Cli) -> None:
    code, out, err = cli(*SESSION, "--replications", "3")
    assert (code, err) == (1, "")
    assert ": 3 replications from seed 1; means with half" in out
    base, *_ = (line.split() for line in out.splitlines() if line.startswith("session"))
    assert base[2] == "±"
    differences = out.partition("Difference from before")[2].partition("Differences are")[0]
    assert differences.count("no change") == len(PERCENTILES)
    assert "- session: 0 requests got better and 0 worse." in out
    assert "0 of 3" in out
    assert "nan" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_compare_sees_a_difference(cli: Cli) -> None:
    both = ("compare", INCIDENT, "--variants", "after,recommended", "--replications", "4")
    _, out, _ = cli(*both, "--jobs", "2")
    differences = out.partition("Difference from after")[2].partition("Differences are")[0]
    assert differences.count("±") == len(PERCENTILES)
    assert differences.count("not seen") < len(PERCENTILES) / 2
    better, worse = map(int, re.findall(r"(\d+) requests got better and (\d+) worse", out)[0])
    assert min(better, worse) > 0  # degraded replies are quick, and worse than slow answers
    assert max(map(len, out.splitlines())) <= 80
    assert cli(*both, "--jobs", "1")[1] == out


@pytest.mark.slow
def test_compare_replicates_until_it_is_precise(cli: Cli) -> None:
    code, out, err = cli(*SESSION, "--precision", "p50=5%", "--replications", "30")
    assert (code, err) == (1, "")
    assert ": 10 replications from seed 1;" in out
    code, out, err = cli(*SESSION, "--precision", "p50=1%", "--format", "json")
    found = json.loads(out)
    assert (code, err, found["replications"] > 5) == (1, "", True)
    row = found["variants"]["before"]["percentiles"]["p50"]
    assert (row["high_s"] - row["low_s"]) / 2 <= 0.01 * row["latency_s"]
    # As many as may be, where that is not enough.
    code, out, _ = cli(*SESSION, "--precision", "max=0.001%", "--replications", "6")
    assert (code, ": 6 replications from seed 1;" in out) == (1, True)


def test_compare_of_replications_as_json_and_csv(cli: Cli) -> None:
    code, out, err = cli(*SESSION, "--replications", "3", "--format", "json")
    assert (code, err) == (1, "")
    found = json.loads(out)
    assert (found["replications"], found["level"]) == (3, 0.95)
    session = found["variants"]["session"]
    assert (session["better"], session["worse"]) == (0, 0)
    code, out, err = cli(*SESSION, "--replications", "3", "--format", "csv")
    assert (code, err) == (1, "")
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["variant"] == "session"]
    assert len(rows) == len(PERCENTILES)
    for row in rows:
        plain = session["percentiles"][row["percentile"]]
        assert float(row["latency_s"]) == plain["latency_s"]
        assert (float(row["low_s"]), float(row["high_s"])) == (plain["low_s"], plain["high_s"])
        assert (float(row["difference_s"]), float(row["p_value"])) == (0, 1)
        assert plain["low_s"] < plain["latency_s"] < plain["high_s"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "nonsense"], 'expected MEASURE=SHARE such as "p99=2%"'),
        (["--precision", "p98=2%"], "measures: p50, p90, p95"),
        (["--precision", ""], 'expected MEASURE=SHARE such as "p99=2%"'),
        (["--replications", "0"], "invalid value for '--replications': "),
        (["--replications", "2", "--jobs", "0"], "--jobs"),
        (["--replications", "2", "--seed", "-1"], "invalid value for '--seed': "),
    ],
)
def test_wrong_replications_are_one_line_and_2(cli: Cli, arguments: list[str], says: str) -> None:
    code, out, err = cli("compare", INCIDENT, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err


def test_compare_of_different_seeds_needs_one_for_replications(cli: Cli, tmp_path: Path) -> None:
    cli("init", tmp_path / "a")
    cli("init", tmp_path / "b")
    file = tmp_path / "b" / "scenario.yaml"
    text, changed = re.subn(r"(?m)^seed: .*$", "seed: 77", file.read_text("utf-8"))
    file.write_text(text if changed else f"{text}seed: 77\n", "utf-8")
    both = ("compare", tmp_path / "a", tmp_path / "b", "--replications", "2", "--jobs", "1")
    code, out, err = cli(*both)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "the scenarios have different seeds" in err
    assert ": 2 replications from seed 5;" in cli(*both, "--seed", "5")[1]


def test_compare_applies_settings_after_the_variant(cli: Cli) -> None:
    change = ["--set", "agent.deadline.timeout=1s"]  # which the variant sets too
    plain = cli("compare", INCIDENT, "--variants", "after", "--format", "csv")[1]
    _, out, _ = cli("compare", INCIDENT, "--variants", "after", *change, "--format", "csv")
    assert out != plain
    compared = {row["percentile"]: row["latency_s"] for row in csv.DictReader(io.StringIO(out))}
    _, out, _ = cli("run", INCIDENT, "--variant", "after", *change, "--format", "csv")
    assert (
        compared.items()
        <= {m.removesuffix("_s"): v for m, v in csv.reader(out.splitlines())}.items()
    )
    code, _, err = cli("compare", INCIDENT, "--set", "agent.deadline.timeout=60")
    assert (code, err) == (
        2,
        '--set: agent.deadline.timeout: 60 has no unit; write "60s" (seconds) or "60ms" '
        "(milliseconds)\n",
    )


def plain(out: str) -> str:
    return " ".join(out.split())


def queue(folder: Path, **more: object) -> Path:
    """Return a scenario of two variants, the second of which rejects."""
    stage = {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}
    data = {
        "name": "queue",
        "horizon": "60s",
        "drain": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": stage},
        "objectives": ["p99 < 400ms", "error_rate < 1%"],
        "variants": {"wait": {}, "reject": {"a.queue_limit": 1}},
    }
    file = folder / "queue.yaml"
    file.write_text(json.dumps(data | more))
    return file


def test_rates_objectives_and_blame_are_means_over_replications(cli: Cli, tmp_path: Path) -> None:
    command = ("compare", queue(tmp_path), "--replications", "4", "--jobs", "1", "--no-store")
    code, out, err = cli(*command)
    assert (code, err) == (1, "")
    assert max(map(len, out.splitlines())) <= 80
    found = json.loads(cli(*command, "--format", "json")[1])["variants"]
    for label in ("wait", "reject"):
        measures = found[label]["measures"]
        assert list(measures) == list(MEASURES)
        error, shed = measures["error_rate"], measures["shed_rate"]
        text = f"{error['mean']:.2%} ± {error['high'] - error['mean']:.2%}"
        table = out.partition("How requests ended")[2].splitlines()
        row = next(line for line in table if line.startswith(f"{label} "))
        assert text in row
        assert shed == error  # by the queue_limit
        assert measures["p99"]["mean"] == found[label]["percentiles"]["p99"]["latency_s"]
    p99, errors = found["wait"]["objectives"]
    assert (p99["objective"], p99["met"], p99["met_in"]) == ("p99 < 400ms", False, 0)
    assert p99["value"] == found["wait"]["measures"]["p99"]["mean"]
    assert p99["blame"]["setting"] == "a.concurrency"
    assert errors["blame"] is None
    assert found["reject"]["objectives"][1]["blame"] == {
        "setting": "a.queue_limit",
        "share": 1.0,
        "blamed_in": 4,
    }
    blamed = out.partition("To blame")[2].splitlines()
    assert [line.split() for line in blamed if "queue_limit" in line] == [
        ["reject", "error_rate", "<", "1%", "100%", "4", "of", "4", "a.queue_limit"]
    ]


def test_a_single_variant_has_no_differences(cli: Cli, tmp_path: Path) -> None:
    file = queue(tmp_path, variants={})
    code, out, _ = cli("compare", file, "--replications", "2", "--jobs", "1", "--no-store")
    assert code == 1
    assert "ifference" not in out
    table = out.partition("Latency percentiles in seconds\n")[2]
    headings = re.findall(r"p[0-9.]+|max", table.partition("Percentiles are")[0])
    assert headings == [*PERCENTILES]


def test_no_measured_request_is_said_in_words(cli: Cli, tmp_path: Path) -> None:
    file = queue(tmp_path, warmup="59.999s", drain="0s")
    _, out, _ = cli("compare", file, "--replications", "3", "--jobs", "1", "--no-store")
    assert "wait, reject: no replication has a request between warm-up and horizon" in out
    assert "nan" not in out
    assert "0 measured" not in out
    _, out, _ = cli("compare", file)
    assert "no request arrives between warm-up and horizon" in out
    assert "nan" not in out


def test_a_precision_that_one_replication_cannot_tell(cli: Cli, tmp_path: Path) -> None:
    options = ("--precision", "p99=5%", "--no-store", "--jobs", "1")
    _, out, _ = cli("compare", queue(tmp_path), *options, "--replications", "1")
    assert "p99=0.05 is not known to be reached: one replication has no interval" in plain(out)
    _, out, _ = cli("compare", queue(tmp_path), *options, "--replications", "2")
    assert "p99=0.05 is not reached" in plain(out)
    none = ("--set", "warmup=59.999s", "--set", "drain=0s", "--replications", "2")
    _, out, _ = cli("compare", queue(tmp_path), *options, *none)
    assert "half the interval is: wait not known, reject not known." in plain(out)


@pytest.mark.parametrize("number", [1, 2])
def test_a_run_too_short_to_tell_its_warmup_says_so(cli: Cli, tmp_path: Path, number: int) -> None:
    command = ("compare", queue(tmp_path, warmup="auto"), "--no-store", "--jobs", "1")
    says = "the run is too short, or its first fault too early, to tell where the warm-up ends"
    _, out, _ = cli(*command, "--replications", str(number), "--set", "horizon=1s")
    assert says in plain(out)
    _, out, _ = cli(*command, "--replications", str(number))
    assert says not in plain(out)
