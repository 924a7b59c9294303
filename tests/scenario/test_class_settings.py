"""Classes of requests that cannot be: one line says where, and what would be right."""

import pytest
from everything import APART, CLASSES, swap

from cascadesim.scenario.load import loads
from cascadesim.values.errors import ScenarioError

AT = "workload.classes"


@pytest.mark.parametrize(
    ("text", "old", "new", "line"),
    [
        (CLASSES, "[auth, search]", "[auth, saerch]",
         f'{AT}.search.path.1: no stage "saerch"; did you mean "search"?'),
        (CLASSES, "[auth, agent]", "[auth, agent, model]",
         f'{AT}.chat.path.2: "model" is inside "agent"; a path names the stages of the top level'),
        (CLASSES, "[auth, agent]", "[auth, agent, auth]",
         f'{AT}.chat.path.2: "auth" is on the path already; a path passes it once'),
        (CLASSES, "[auth, agent]", "[]", f"{AT}.chat.path: expected at least one entry"),
        (CLASSES, "[auth, search]", "[auth]",
         'search: no class passes "search"; put it on a path, or leave it out'),
        (CLASSES, "weight: 9, ", "",
         f"{AT}.chat: needs a weight, how often a request of workload.arrivals is of it"),
        (CLASSES, "weight: 9", "arrivals: {poisson: {rate: 1/s}}",
         f"{AT}.chat.arrivals: workload.arrivals is there too; leave it out, or give weights in "
         "place of these"),
        (CLASSES.replace("10%", "0"), "weight: 9", "weight: 0",
         f"{AT}: one class needs a weight above 0"),
        (CLASSES, "weight: 9", "weight: -9",
         f'{AT}.chat.weight: expected a weight such as 3 or "5%", got -9'),
        (CLASSES, "weight: 9", "wieght: 9",
         f'{AT}.chat.wieght: unknown key "wieght"; did you mean "weight"?'),
        (CLASSES, "class: chat, ", "", "observations.0: say of which class it is: chat or search"),
        (CLASSES, "class: chat", "class: chta",
         'observations.0.class: no class "chta"; did you mean "chat"?'),
        (CLASSES, "class: chat", "class: search",
         'observations.0.work.model: requests of the class "search" do not pass "model"'),
        (CLASSES, "p99 < 5s", '"search: p99 < 5s"', f"{AT}.chat.objectives.0: is of this class "
         "alone; leave out the name before the colon"),
        (CLASSES, "chat: goodput", "chta: goodput",
         'objectives.1: no class "chta"; did you mean "chat"?'),
        (APART, "arrivals: {poisson: {rate: 9/s}}", "weight: 1",
         f"{AT}.chat: needs arrivals of its own, as workload has none that are shared by weight"),
        (APART, "chat: {", "chat: {weight: 1, ", f"{AT}.chat.weight: shares nothing by weight, as "
         "it has arrivals of its own; leave the weight out"),
        (APART, "rate: 1/s", "rate: 0/s", f"{AT}.search.arrivals.piecewise.rates: sends no "
         "requests within the horizon"),
        (APART, "[{from: 0s", "[{from: 5s, rate: 1/s}, {from: 2s",
         f"{AT}.search.arrivals.piecewise.rates.1.from: must begin after the piece before it, at "
         "5.00 s"),
        (APART, "  classes:", "  clases:", 'workload.clases: unknown key "clases"; did you mean '
         '"classes"?'),
    ],
)  # fmt: skip
def test_classes_that_cannot_be(text: str, old: str, new: str, line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(swap(old, new, text), "f.yaml")
    assert str(caught.value).split(": ", 1)[1] == line


def test_a_scenario_without_classes_knows_none() -> None:
    text = swap("class: chat, ", "", CLASSES)
    start, end = text.index("  classes:"), text.index("stages:")
    plain = text[:start] + text[end:]
    for wrong, line in (
        ('"chat: goodput > 5/s"', 'objectives.1: no class "chat"; there are no classes'),
        ("latency: 1s, class: chat", "observations.0.class: there are no classes of requests; "
         "leave it out"),
    ):  # fmt: skip
        old = ', "chat: goodput > 5/s"' if "class:" in wrong else ""
        given = plain.replace(old, "", 1).replace("latency: 1s", wrong, 1) if old else plain
        with pytest.raises(ScenarioError) as caught:
            loads(given, "f.yaml")
        assert str(caught.value).endswith(line)


def test_settings_of_classes_have_dotted_paths() -> None:
    scenario = loads(CLASSES).override({f"{AT}.search.weight": 3, f"{AT}.chat.path": ["agent"]})
    assert scenario.model.classes["search"].weight == 3
    assert scenario.model.classes["chat"].path == ["agent"]
