"""What objects look like at a prompt and in a notebook."""

import json
import re
from functools import cache
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from conftest import ROOT

import cascadesim
from cascadesim.scenario.listing import listed, setting
from cascadesim.views.brief import OVER_TIME
from cascadesim.views.notebook import WIDTH, brief
from cascadesim.views.page import Table, plain
from cascadesim.views.sparkline import CHARACTERS, PARTS, sparklines

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


def cells(each: Any) -> list[list[str]]:
    """Return the texts of the first table of what is shown, headings first."""
    table = brief(each).blocks[0]
    assert isinstance(table, Table)
    headings = [column.heading for column in table.columns]
    return [headings, *([cell.text for cell in row] for row in table.rows)]


def column(each: Any, name: str) -> dict[str, str]:
    """Return a column of that table, by the first cells of its rows."""
    headings, *rows = cells(each)
    return {row[0]: row[headings.index(name)] for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_named_is_text_in_html(kind: str) -> None:
    parsed = Tags(shown()[kind]._repr_html_())
    ours = {"p", "div", "table", "thead", "tbody", "tr", "th", "td"}
    if OVER_TIME in repr(shown()[kind]):
        assert parsed.tags == ours | {"svg", "title", "path", "span"}
    else:
        assert parsed.tags <= ours | {"details", "summary", "code", "wbr"}
    assert SCRIPT in parsed.text


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_show_the_same_table(kind: str) -> None:
    each = shown()[kind]
    lines = repr(each).splitlines()
    title = plain(brief(each).title)
    assert " ".join(lines).startswith(title)
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    parsed = Tags(each._repr_html_()).text
    headings, *rows = cells(each)
    assert all(word in text for heading in headings for word in heading.split())
    for row in rows:
        for cell in row:
            assert cell in text
            assert cell in parsed or set(cell) <= set(" ▁▂▃▄▅▆▇█")  # drawn there


def test_a_result_shows_percentiles_goodput_errors_and_objectives() -> None:
    result = shown()["result"]
    found = column(result, SCRIPT)
    summary = result.summary
    assert found["p99"] == f"{summary.percentiles['p99'].seconds:.3f}"
    assert found["goodput /s"] == f"{summary.goodput:.3f}"
    assert found["error rate"] == "0.00%"
    assert (found["p99 < 10s"], found["p50 < 1ms"]) == ("met", "missed")
    assert f"variant {SCRIPT}, seed 1" in repr(result)


def test_unfinished_requests_are_seen() -> None:
    late = load(drain="0s", variants={}, stages={"a": {"work": {"constant": "19s"}}})
    assert column(cascadesim.run(late), f"{SCRIPT} & co")["p99"].startswith("> ")
    assert column(cascadesim.replay(late), "scenario")["max"].startswith("> ")
    comparison = cascadesim.compare(late, replications=2, execution=HERE)
    assert column(comparison, "scenario")["max"].startswith("> ")


def test_a_replay_shows_observed_and_simulated() -> None:
    replay = shown()["replay"]
    headings, first, *_ = cells(replay)
    at = dict(zip(headings, first, strict=True))
    assert at["as observed"] == "3.000"
    for name in replay.results:
        seen = replay.observation(0)["variants"][name]
        assert at[name] == f"{seen['simulated_s']:.3f}"


def test_a_comparison_shows_means_and_half_intervals() -> None:
    comparison = shown()["replications"]
    assert "3 replications from seed 1; means with half their 95 % interval" in repr(comparison)
    assert f"{OVER_TIME}, first replication" in repr(comparison)
    base = column(comparison, "base")
    found = comparison.percentile("base", "p99")
    assert base["p99"] == f"{found.estimate:.3f} ± {(found.high - found.low) / 2:.3f}"
    assert (base["p99 < 10s"], base["p50 < 1ms"]) == ("met in 3 of 3", "missed in 3 of 3")
    assert "±" not in repr(shown()["comparison"])


def test_a_scenario_shows_its_variants_and_overrides() -> None:
    path = f"{SCRIPT}.concurrency"
    assert cells(shown()["scenario"]) == [
        ["variant", "setting", "as it stands", "set to"],
        ["base", "", "", ""],
        [SCRIPT, path, "1", "2"],
    ]
    assert cells(shown()["variant"]) == [
        ["variant", "setting", "set to"],
        [SCRIPT, path, "2"],
        ["with overrides", path, "3"],
    ]
    unset = load(variants={"a": {f"{SCRIPT}.queue_limit": 3}})
    assert cells(unset)[1:] == [["a", f"{SCRIPT}.queue_limit", "", "3"]]
    plain = load(variants={})
    assert repr(plain).splitlines()[0] == f"{SCRIPT} & co: a {SCRIPT}"
    assert "100ms" in repr(plain)  # as there are few settings
    everything = Tags(plain._repr_html_()).rows
    assert [f"{SCRIPT}.work.exponential.mean", "100ms"] in everything
    assert everything[0] == ["setting", "as it stands"]  # and nothing that a variant changes


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
    long = load(name="two\nlines\x1b" + "x" * 200)
    assert "x" * 200 in long._repr_html_()
    assert repr(long).startswith("two\\nlines\\x1bx")
    assert "\x1b" not in long._repr_html_()
