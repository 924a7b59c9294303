"""What objects look like at a prompt and in a notebook."""

import json
import math
import re
from functools import cache
from html import escape
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT

import cascadesim
from cascadesim.analysis.intervals import Interval
from cascadesim.scenario.listing import listed, setting
from cascadesim.shown import OVER_TIME, Shown, percent_plus_minus, plus_minus, table
from cascadesim.sparkline import CHARACTERS, PARTS, sparklines

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
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_named_is_text_in_html(kind: str) -> None:
    parsed = Tags(shown()[kind]._repr_html_())
    drawn = {"svg", "title", "path"} if OVER_TIME in repr(shown()[kind]) else {"details", "summary"}
    assert parsed.tags == {"p", "table", "thead", "tbody", "tr", "th", "td"} | drawn
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
    assert f"{OVER_TIME}, first replication" in repr(comparison)
    cells = comparison._table()["base"]
    found = comparison.percentile("base", "p99")
    assert cells["p99"] == f"{found.estimate:.3f} ± {(found.high - found.low) / 2:.3f}"
    assert (cells["p99 < 10s"], cells["p50 < 1ms"]) == ("met in 3 of 3", "missed in 3 of 3")
    assert "±" not in repr(shown()["comparison"])


def test_a_scenario_shows_its_variants_and_overrides() -> None:
    changes = shown()["scenario"]._table()["set to"]
    assert changes.to_dict() == {("base", ""): "", (SCRIPT, f"{SCRIPT}.concurrency"): "2"}
    changes = shown()["variant"]._table()["set to"]
    assert changes.to_dict() == {
        (SCRIPT, f"{SCRIPT}.concurrency"): "2",
        ("with overrides", f"{SCRIPT}.concurrency"): "3",
    }
    plain = load(variants={})
    assert repr(plain) == f"{SCRIPT} & co: a {SCRIPT}"
    changed, everything = rows(plain), Tags(plain._repr_html_()).rows
    assert changed == {}
    assert [f"{SCRIPT}.work.exponential.mean", "100ms"] in everything


def rows(scenario: cascadesim.Scenario) -> dict[str, list[str]]:
    """Return the cells of what variants change, by dotted path."""
    html, _, _ = scenario._repr_html_().partition("<details")
    return {path: cells for path, *cells in Tags(html).rows}


def test_html_has_what_each_variant_changes_side_by_side() -> None:
    path = f"{SCRIPT}.concurrency"
    assert rows(shown()["scenario"]) == {"": ["as it stands", "base", SCRIPT], path: ["1", "", "2"]}
    assert rows(shown()["variant"]) == {"": [SCRIPT, "with overrides"], path: ["2", "3"]}
    unset = load(variants={"a": {f"{SCRIPT}.queue_limit": 3}})
    assert rows(unset)[f"{SCRIPT}.queue_limit"] == ["", "3"]


@pytest.mark.parametrize("name", ["incident-60s", "incident-120s", "incident-179s"])
def test_every_setting_is_listed_by_a_path_that_sets_it(name: str) -> None:
    scenario = cascadesim.load(ROOT / "scenarios" / name)
    found = listed(scenario.document.data)
    written = Tags(scenario._repr_html_()).text
    for path, value in found.items():
        assert setting(scenario.document.data, path) == value
        assert path in written
    again = scenario.override(found)
    assert again.document.data == scenario.document.data
    # Nothing is left out: what a text of the file holds beside them is what they stand in.
    others = {**scenario.document.data, "variants": {}, "sweep": {}}
    assert sum(map(leaves, found.values())) == leaves(others)


def leaves(data: Any) -> int:
    if not isinstance(data, dict | list):
        return 1
    return sum(map(leaves, data.values() if isinstance(data, dict) else data))


def points(svg: str) -> list[tuple[float, float]]:
    """Return the points of a path, in pixels from the left and from the bottom."""
    path = svg.partition(' d="')[2].partition('"')[0]
    height = float(svg.partition(' height="')[2].partition('"')[0])
    pairs = [each.split() for each in re.findall(r"[ML]([0-9. ]+)", path)]
    return [(float(x), height - float(y)) for x, y in pairs]


def test_a_sparkline_is_the_slowest_request_of_each_part_of_time() -> None:
    replay = shown()["replay"]
    records = {name: result.records for name, result in replay.results.items()}
    drawn = sparklines(records)
    slowest: dict[str, dict[int, float]] = {}
    for name, result in replay.results.items():
        frame = result.frame[result.frame.measured]
        places = (frame.arrival_s // (20 / PARTS)).clip(upper=PARTS - 1)
        slowest[name] = frame.groupby(places).latency_s.max().to_dict()
    top = max(max(each.values()) for each in slowest.values())  # one scale for all
    for name, line in drawn.items():
        xs, ys = zip(*points(line.svg), strict=True)
        assert ys == pytest.approx([20 * v / top for v in slowest[name].values()], abs=0.051)
        assert xs == pytest.approx([120 * i / (PARTS - 1) for i in slowest[name]], abs=0.051)
        each = PARTS // CHARACTERS
        for i, block in enumerate(line.blocks):
            values = [v for place, v in slowest[name].items() if place // each == i]
            assert block == ("▁▂▃▄▅▆▇█"[round(7 * max(values) / top)] if values else " ")
        assert f"{max(slowest[name].values()):.3f} s" in line.title
        assert f"<title>{escape(line.title)}</title>" in line.svg
        assert 'stroke="currentColor"' in line.svg  # of a light and of a dark theme
    assert repr(replay).count(drawn["base"].blocks) >= 1


def test_a_sparkline_has_a_gap_where_nothing_arrives_and_says_what_is_not_known() -> None:
    late = load(
        drain="0s",
        variants={},
        observations=[],
        workload={"arrivals": {"constant": {"rate": "6/min"}}},
        stages={"a": {"work": {"constant": "19s"}}},
    )
    result = cascadesim.run(late)
    (line,) = sparklines({"a": result.records}).values()
    assert len(points(line.svg)) == result.summary.requests
    assert line.svg.count("h0") == result.summary.requests  # each a dot
    assert line.blocks.strip("▁▂▃▄▅▆▇█") != ""
    assert "takes > " in line.title


def test_without_requests_there_is_no_sparkline() -> None:
    empty = load(workload={"arrivals": {"constant": {"rate": "1/min"}}}, observations=[])
    result = cascadesim.run(empty.override({"warmup": "5s"}))
    assert result.summary.requests == 0
    assert OVER_TIME not in repr(result)
    assert "<svg" not in result._repr_html_()


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
