"""What objects look like at a prompt and in a notebook."""

import json
import math
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import cascadesim
from cascadesim.analysis.intervals import Interval
from cascadesim.shown import Shown, percent_plus_minus, plus_minus, table

SCRIPT = "<script>"
HERE = cascadesim.Execution(jobs=1)
KINDS = ("scenario", "variant", "result", "replay", "comparison", "replications")


def load(**more: object) -> cascadesim.Scenario:
    data = {
        "name": f"{SCRIPT} & co",
        "summary": f"a {SCRIPT}",
        "horizon": "20s",
        "drain": "20s",
        "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
        "stages": {SCRIPT: {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
        "observations": [{"at": "5s", "latency": "3s"}],
        "objectives": ["p99 < 10s", "error_rate < 1%", "p50 < 1ms"],
        "variants": {"base": {}, SCRIPT: {f"{SCRIPT}.concurrency": 2}},
    }
    return cascadesim.loads(json.dumps(data | more))


@cache
def shown() -> dict[str, Any]:
    scenario = load()
    replay = cascadesim.replay(scenario)
    return {
        "scenario": scenario,
        "variant": scenario.at(SCRIPT).override({f"{SCRIPT}.concurrency": 3}),
        "result": replay.results[SCRIPT],
        "replay": replay,
        "comparison": cascadesim.compare(scenario),
        "replications": cascadesim.compare(scenario, replications=3, execution=HERE),
    }


class Tags(HTMLParser):
    """The tags and the text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_named_is_text_in_html(kind: str) -> None:
    parsed = Tags(shown()[kind]._repr_html_())
    assert parsed.tags == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert SCRIPT in parsed.text


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_show_the_same_table(kind: str) -> None:
    each = shown()[kind]
    title, blank, *lines = repr(each).splitlines()
    cells = each._table()
    assert (title, blank) == (each._title(), "")
    assert max(map(len, (title, *lines))) <= 100
    text = "\n".join(lines)
    parsed = Tags(each._repr_html_()).text
    for cell in cells.to_numpy().ravel():
        assert cell in text
        assert cell in parsed


def test_a_result_shows_percentiles_goodput_errors_and_objectives() -> None:
    result = shown()["result"]
    cells = result._table()[SCRIPT]
    summary = result.summary
    assert cells["p99"] == f"{summary.percentiles['p99'].seconds:.3f}"
    assert cells["goodput /s"] == f"{summary.goodput:.3f}"
    assert cells["error rate"] == "0.00%"
    assert (cells["p99 < 10s"], cells["p50 < 1ms"]) == ("met", "missed")
    assert f"variant {SCRIPT}, seed 1" in repr(result)


def test_unfinished_requests_are_seen() -> None:
    late = load(drain="0s", variants={}, stages={"a": {"work": {"constant": "19s"}}})
    assert cascadesim.run(late)._table()[f"{SCRIPT} & co"]["p99"].startswith("> ")
    assert cascadesim.replay(late)._table()["scenario"]["max"].startswith("> ")
    comparison = cascadesim.compare(late, replications=2, execution=HERE)
    assert comparison._table()["scenario"]["max"].startswith("> ")


def test_a_replay_shows_observed_and_simulated() -> None:
    replay = shown()["replay"]
    first = replay._table().iloc[0]
    assert first["as observed"] == "3.000"
    for name in replay.results:
        seen = replay.observation(0)["variants"][name]
        assert first[name] == f"{seen['simulated_s']:.3f}"


def test_a_comparison_shows_means_and_half_intervals() -> None:
    comparison = shown()["replications"]
    assert "means of 3 replications" in repr(comparison)
    cells = comparison._table()["base"]
    found = comparison.percentile("base", "p99")
    assert cells["p99"] == f"{found.estimate:.3f} ± {(found.high - found.low) / 2:.3f}"
    assert (cells["p99 < 10s"], cells["p50 < 1ms"]) == ("met in 3 of 3", "missed in 3 of 3")
    assert "±" not in repr(shown()["comparison"])


def test_a_scenario_shows_its_variants_and_overrides() -> None:
    rows = shown()["scenario"]._table()["set to"]
    assert rows.to_dict() == {("base", ""): "", (SCRIPT, f"{SCRIPT}.concurrency"): "2"}
    rows = shown()["variant"]._table()["set to"]
    assert rows.to_dict() == {
        (SCRIPT, f"{SCRIPT}.concurrency"): "2",
        ("with overrides", f"{SCRIPT}.concurrency"): "3",
    }
    plain = load(variants={})
    assert repr(plain) == f"{SCRIPT} & co: a {SCRIPT}"
    assert Tags(plain._repr_html_()).tags == {"p"}


def test_html_cuts_no_text_off_and_no_name_breaks_a_line() -> None:
    class Long(Shown):
        def _title(self) -> str:
            return "two\nlines"

        def _table(self) -> pd.DataFrame:
            return table({"a": {"b\x1b": "x" * 200}})

    assert "x" * 200 in Long()._repr_html_()
    assert repr(Long()).splitlines()[0] == "two\\nlines"
    assert "\x1b" not in repr(Long())


def test_an_interval_that_is_not_known_is_not_shown() -> None:
    assert plus_minus(Interval(1.0, math.nan, math.nan)) == "1.000"
    assert plus_minus(Interval(math.nan, math.nan, math.nan)) == "-"
    assert plus_minus(Interval(1.0, 0.5, 1.5), sign="+") == "+1.000 ± 0.500"
    assert percent_plus_minus(Interval(0.02, 0.01, 0.03)) == "2.00% ± 1.00%"
