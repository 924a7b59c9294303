"""One rule says whether a difference is seen: all studies say the same of the same runs.

Unfinished requests make the largest latency a lower bound. It is known all the same to be larger
than another that is known and smaller; whatever else it is compared with, nobody can tell.
"""

import json
from functools import cache
from typing import Any

import pytest

import cascadesim
from cascadesim.analysis.contrast import Tolerance
from cascadesim.analysis.effects import best_level
from cascadesim.scenario.load import Scenario
from cascadesim.scenario.objectives import parse_objective
from cascadesim.studies.aims import Aims, Goal, Trial
from cascadesim.studies.baseline import baseline_of, drift
from cascadesim.studies.compare import Comparison
from cascadesim.studies.design import design
from cascadesim.studies.diff import Diff, Pair, diff
from cascadesim.studies.execution import Execution
from cascadesim.studies.gate import gate
from cascadesim.studies.no_worse import change
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.runs import LazyRuns, Simulations
from cascadesim.studies.sweep import Sweep
from cascadesim.values.errors import ScenarioError
from cascadesim.views.diff import page
from cascadesim.views.facts import difference
from cascadesim.views.markdown import page_markdown

COUNT = 8  # replications
SEED = 1
HERE = Execution(1)
KNOWN, OPEN = "known", "open"
DRAINS = [(KNOWN, KNOWN), (KNOWN, OPEN), (OPEN, KNOWN), (OPEN, OPEN)]
QUICK, SLOW = "50ms", "115ms"
DATA: dict[str, Any] = {
    "name": "queue",
    "horizon": "60s",
    "drain": "60s",
    "workload": {"arrivals": {"poisson": {"rate": "8/s"}}},
    "stages": {"a": {"work": {"exponential": {"mean": "50ms"}}, "concurrency": 1}},
}
# In the last half second nothing answers, and with no drain nobody knows how long that takes.
CUT_OFF = {"drain": "0s", "faults": [{"on": "a", "from": "59.5s", "for": "60s", "hang": {}}]}
RUNS = Simulations(1)
Case = tuple[tuple[str, str], tuple[str, str]]


def settings(work: str, end: str) -> dict[str, Any]:
    return {"a.work.exponential.mean": work} | (CUT_OFF if end == OPEN else {})


@cache
def both(case: Case) -> Scenario:
    """Return a scenario with the two variants; a gate allows a maximum that only one exceeds."""
    today, optimized = (settings(*each) for each in zip(*case, strict=True))
    variants = {"today": today, "optimized": optimized}
    return cascadesim.loads(
        json.dumps(DATA | {"variants": variants, "objectives": ["max < 10min"]})
    )


@cache
def compared(case: Case) -> Comparison:
    return cascadesim.compare(both(case), seed=SEED, replications=COUNT, execution=HERE)


@cache
def pair_of(case: Case) -> Pair:
    old, new = (both(case).at(name).resolved() for name in ("today", "optimized"))
    allowed = {"max": Tolerance()}
    (found,) = diff(old, new, (), SEED, COUNT, allowed, HERE).pairs
    return found


def optimized(case: Case, *constraints: str) -> Optimization:
    aims = Aims((Goal("max"),), tuple(map(parse_objective, constraints)))
    trials = [Trial(i, {}, None) for i in range(2)]
    return Optimization(
        *(both(case), SEED, (), aims, trials, trials[1:], []),
        proposals={"optimized": trials[1]},
        confirmation=compared(case),
    )


def lazily(case: Case) -> tuple[LazyRuns, LazyRuns]:
    one, other = (
        LazyRuns(both(case).at(name), SEED, COUNT, RUNS) for name in ("today", "optimized")
    )
    return one, other


def compare_says(case: Case) -> bool | None:
    return compared(case).differences["optimized"]["max"].seen


def decomposition_says(case: Case) -> bool | None:
    """The sentence of the headline, which is the maximum as the objective is of it."""
    made = compared(case).decomposition("optimized")
    assert made is not None
    assert made.name == "max"
    if made.seen is None:
        assert " or " in made.sentence or "is not known" in made.sentence
    return made.seen


def diff_says(case: Case) -> bool | None:
    return pair_of(case).moved["max"].seen


def comment_says(case: Case) -> bool | None:
    comment = page_markdown(page([Diff(both(case), both(case), [], [pair_of(case)])]))
    (row,) = (line for line in comment.splitlines() if line.startswith("| max |"))
    return {"seen": True, "not seen": False, "not known": None}[row.split(" | ")[-1].strip(" |")]


def limit_says(case: Case) -> bool | None:
    pair = pair_of(case)
    assert pair.passed is (not pair.unknown and not pair.worse)
    if [each.measure for each in pair.worse]:
        return True
    return None if "max" in pair.unknown else pair.moved["max"].seen


def no_worse_says(case: Case) -> bool | None:
    try:
        found = change(*lazily(case), "max")
    except ScenarioError as error:
        return None if "nobody can tell" in str(error) else False
    return found.worse or found.better


def baseline_says(case: Case) -> bool | None:
    before, after = lazily(case)
    found = drift(baseline_of(before, "test_x"), after)
    if found.verdict("max") == "unfinished" or "max" in found.unknown:
        return None
    return found.verdict("max") == "worse" or "max" in found.better


def search_says(case: Case) -> bool | None:
    return optimized(case).differences("max")["optimized"].seen


def front_says(case: Case) -> bool | None:
    """What is seen worse in the only goal is not on the front."""
    return True if False in optimized(case).on_front.values() else None


def verdict_says(case: Case) -> bool | None:
    verdict = optimized(case).verdict
    if "cannot be confirmed" in verdict:
        assert "a longer drain tells more" in verdict
        return None
    assert "max falls" in verdict or "did not hold in fresh replications: max rises" in verdict
    return True


STUDIES = [
    *(compare_says, decomposition_says, diff_says, comment_says, limit_says, no_worse_says),
    *(baseline_says, search_says, front_says, verdict_says),
]


@pytest.mark.parametrize("drains", DRAINS)
@pytest.mark.parametrize("works", [(QUICK, SLOW), (SLOW, QUICK)])
@pytest.mark.parametrize("says", STUDIES, ids=lambda each: each.__name__)
def test_a_hidden_difference_is_not_known_and_any_other_is_seen(
    says: Any, works: tuple[str, str], drains: tuple[str, str]
) -> None:
    """The slower one is seen to take longer, unless the quicker one is a lower bound."""
    hidden = drains[works.index(QUICK)] == OPEN
    assert says((works, drains)) is (None if hidden else True)


def test_a_constraint_that_only_the_optimized_settings_keep_is_a_gain_all_the_same() -> None:
    """Today's largest latency could be anything, also more than what the optimized ones reach."""
    case = ((QUICK, SLOW), (OPEN, KNOWN))
    assert verdict_says(case) is None
    assert optimized(case, "max < 10min").verdict == (
        "Today's settings miss max < 10min, and the optimized ones keep it: whether max differs is "
        "not known, but goodput falls from 7.940 replies/s to 7.852 replies/s."
    )


def test_a_few_unfinished_requests_cannot_explain_a_rate() -> None:
    """Some requests are unfinished in both: which could all be errors, and are far too few."""
    old = cascadesim.loads(json.dumps(DATA | CUT_OFF))
    (pair,) = diff(old, old.override({"a.failure_rate": "30%"}), execution=HERE).pairs
    errors = pair.moved["error_rate"]
    assert errors.at_least == (True, True)
    assert errors.before.estimate + 0.02 < errors.after.estimate
    assert errors.seen is True
    assert difference("error_rate", errors.interval).text.startswith("+")
    assert difference("max", pair.moved["max"].interval).text == "?"


@pytest.mark.parametrize("drains", DRAINS)
def test_no_study_of_single_variants_calls_a_lower_bound_good(drains: tuple[str, str]) -> None:
    case = ((QUICK, SLOW), drains)
    judged = gate([both(case)], seed=SEED, replications=COUNT, execution=HERE)
    met = {variant.name: each.met for _, variant, each in judged.judged}
    assert list(met.values()) == [drain == KNOWN for drain in drains]
    made = design(both(case), "a.concurrency=1,2")
    swept = Sweep(both(case), SEED, made, list(compared(case).runs.values()))
    best = best_level(swept.levels("max"), "max")
    assert (best is None) is (OPEN in drains)
    assert [swept.at_least("max")[place] for place in swept.ranked("max")] == sorted(
        drain == OPEN for drain in drains
    )
