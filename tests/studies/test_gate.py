"""A gate: objectives judged, as JUnit XML and as GitHub-flavoured Markdown."""

import json
import math
import re
from html import unescape
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import cascadesim
from cascadesim.scenario.load import Scenario, loads
from cascadesim.studies.execution import Execution
from cascadesim.studies.gate import Gate, gate
from cascadesim.values.errors import ScenarioError, one_line
from cascadesim.views.gate import page
from cascadesim.views.junit import junit_xml
from cascadesim.views.markdown import code, html_code, page_markdown
from cascadesim.views.page import Command, Page, blocks, left, name, table

ONE = Execution(1)


def queue(source: str = "queue.yaml", **more: object) -> Scenario:
    """Return an M/M/1 queue, at a utilization of 0.8, with one that rejects beside it."""
    data: dict[str, Any] = {
        "name": "queue",
        "horizon": "60s",
        "drain": "60s",
        "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
        "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
        "objectives": ["p99 < 400ms", "error_rate < 1%"],
        "variants": {"wait": {}, "reject": {"a.queue_limit": 1}, "fast": {"a.concurrency": 20}},
    }
    return loads(json.dumps(data | more), source)


@pytest.mark.parametrize("variants", [(), ("fast", "reject")])
def test_a_gate_judges_what_a_run_of_each_variant_comes_to(variants: tuple[str, ...]) -> None:
    scenario = queue()
    found = gate([scenario], variants, seed=3)
    (judged,) = found.scenarios
    assert [each.name for each in judged.variants] == list(variants or scenario.variants)
    for variant in judged.variants:
        summary = cascadesim.run(scenario.at(str(variant.name)), seed=3).summary
        for one, verdict in zip(variant.runs.objectives, summary.verdicts, strict=True):
            assert one.objective == verdict.objective
            assert one.value.estimate == verdict.value.estimate
            assert (one.met, one.blame) == (verdict.met, verdict.blame)
        assert variant.runs.measures["p99"].estimate == summary.percentiles["p99"].seconds
    assert found.missed == sum(not each.met for *_, each in found.judged)
    assert found.met is (found.missed == 0)


def test_a_gate_needs_something_to_judge() -> None:
    for scenarios, variants, says in (
        ([queue("q.yaml", objectives=[])], (), "q.yaml: has no objectives to judge; write some"),
        ([queue()], ("fats",), 'no variant "fats"; did you mean "fast"?'),
        (
            [queue("q.yaml"), queue("r.yaml", variants={"slow": {}})],
            ("fast",),
            "r.yaml: variants: has none of the variants fast; known: slow",
        ),
    ):
        with pytest.raises(ScenarioError, match=re.escape(says)):
            gate(scenarios, variants)
    # Without variants there is nothing else to judge, so the scenario is judged as it stands.
    found = gate([queue(), queue(name="plain", variants={})], ("fast",))
    assert [variant.name for _, variant, _ in found.judged] == ["fast", "fast", None, None]


def test_scenarios_of_the_same_name_are_told_apart() -> None:
    found = gate([queue("a.yaml"), queue("b.yaml", seed=2)], ("fast",))
    assert [(each.name, each.source) for each in found.scenarios] == [
        ("1-queue", "a.yaml"),
        ("2-queue", "b.yaml"),
    ]


# What may stand where, by the schema of the Jenkins xUnit plugin (junit-10.xsd).
SCHEMA = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "file", "id", "package", "version"},
        {"name", "tests", "failures", "errors"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "testcase": (
        {"name", "time", "classname", "group"},
        {"name"},
        {"skipped", "errors", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set(), set()),
}


def assert_valid(element: ET.Element) -> None:
    allowed, needed, children = SCHEMA[element.tag]
    assert needed <= set(element.keys()) <= allowed
    assert {child.tag for child in element} <= children
    for child in element:
        assert_valid(child)


def assert_counted(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    assert int(element.attrib["tests"]) == len(cases)
    assert int(element.attrib["failures"]) == len(list(element.iter("failure")))
    assert element.attrib["errors"] == "0"


ODD = 'a <b>&"c" | `d` \\ _e_ \x01\x85\ufffe @all [f](g) é'


@pytest.fixture(scope="module")
def judged() -> Gate:
    odd = queue("odd|.yaml", name=ODD, variants={"<v>|&`*_": {}, "fast": {"a.concurrency": 20}})
    return gate([queue(), odd], replications=3, execution=ONE)


def test_junit_xml_keeps_the_schema_and_says_what_is_missed(judged: Gate) -> None:
    text = junit_xml(judged)
    root = ET.fromstring(text.encode())
    assert_valid(root)
    for element in (root, *root.iter("testsuite")):
        assert_counted(element)
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["queue", one_line(ODD)]
    for case, (scenario, variant, each) in zip(root.iter("testcase"), judged.judged, strict=True):
        assert case.get("classname") == f"{one_line(scenario.name)}.{variant.name}"
        assert case.get("name") == each.objective.text
        failure = case.find("failure")
        assert (failure is None) is each.met
        if failure is not None:
            assert failure.text is not None
            assert each.blame is not None
            assert f"expected {each.objective.text}" in failure.attrib["message"]
            assert f"met in {each.met_in} of 3" in failure.text
            assert each.blame.setting in failure.text


def test_the_same_gate_is_the_same_bytes(judged: Gate) -> None:
    again = gate(
        [
            queue(),
            queue("odd|.yaml", name=ODD, variants={"<v>|&`*_": {}, "fast": {"a.concurrency": 20}}),
        ],
        replications=3,
        execution=Execution(2),
    )
    assert junit_xml(again) == junit_xml(judged)
    assert page_markdown(page(again, "c")) == page_markdown(page(judged, "c"))
    assert again.to_dict() == judged.to_dict()


GFM = MarkdownIt("commonmark").enable("table")


def cells(markdown: str) -> list[list[str]]:
    """Return the texts of the first table, as a reader of GitHub sees them."""
    html = GFM.render(markdown).partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [
            unescape(re.sub(r"</?(code|strong)>", "", cell))
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def test_the_markdown_has_the_verdict_on_top_and_what_is_missed_below_it(judged: Gate) -> None:
    text = page_markdown(page(judged, "cascadesim check `x`"))
    number = len(judged.judged)
    assert text.startswith(f"### ❌ {judged.missed} of {number} objectives missed\n")
    top, folded, *_ = text.split("<details>")
    for part, met in ((top, False), (folded.partition("\n")[2], True)):
        _, *rows = cells(part)
        assert [row[:2] for row in rows] == [
            [one_line(f"{scenario.name}, {variant.name}"), each.objective.text]
            for scenario, variant, each in judged.judged
            if each.met is met
        ]
        assert {row[3] for row in rows} == {"met" if met else "missed"}
    assert "cascadesim check `x`" in GFM.render(text)
    assert "3 replications from seed 1; means with half their 95 % interval" in text
    assert text.count("<details>") == text.count("</details>") == 3


def test_the_markdown_of_a_gate_that_is_met() -> None:
    text = page_markdown(page(gate([queue(objectives=["p99 < 1h"])]), "c"))
    assert text.startswith("### ✅ 3 objectives met\n\n1 replication from seed 1.\n\n<details>")


def test_no_request_measured_is_a_miss_in_words() -> None:
    found = gate([queue(warmup="59.9999s", drain="0s")], ("fast",))
    assert found.missed == 2
    assert all(math.isnan(each.value.estimate) for *_, each in found.judged)
    for text in (junit_xml(found), page_markdown(page(found, "c"))):
        assert "nan" not in text
    assert "p99 is not known, as no request arrives" in junit_xml(found)


@given(st.text(max_size=30))
def test_no_text_of_the_users_is_markup(text: str) -> None:
    """Neither in a table, nor alone, nor in HTML; runs of white space are one to a browser."""
    shown = " ".join(one_line(text).split())
    alone = table("", ("a", left("b")), [(name(text), "z")])
    (_, (cell, last)) = cells(page_markdown(Page("", blocks(alone))))
    assert (" ".join(cell.split()), last) == (shown, "z")
    for one in (code(text), html_code(text)):
        (paragraph,) = re.findall(r"(?s)^<p>(.*)</p>$", GFM.render(f"x {one}").strip())
        (inside,) = re.findall(r"(?s)^x <code>([^<]*)</code>$", paragraph)
        assert " ".join(unescape(inside).split()) == shown
    *_, fence = GFM.parse(page_markdown(Page("", (Command(text),))))
    assert (fence.type, fence.content) == ("fence", f"$ {one_line(text)}\n")
