"""The fixture `cascade`: what passes, what fails, and what a person reads then."""

import pytest
import scipy.stats
from plugin_suite import agrees, fill, run, said

import cascadesim

pytest_plugins = ("pytester",)


def test_results_have_summary_frame_and_intervals(pytester: pytest.Pytester) -> None:
    body = """
import math, cascadesim
result = cascade.run(Q, variant="slow", settings={"a.concurrency": 2})
slow = cascadesim.load("scenarios/queue.yaml").at("slow")
once = cascadesim.run(slow.override({"a.concurrency": 2}))
assert result.result.summary.percentiles == once.summary.percentiles
assert result.result.frame.equals(once.frame)
assert len(result.replications) == 1 and math.isnan(result.percentiles["p99"].low)
many = cascade.run(Q, variant="slow", replications=3)
low, p99, high = (getattr(many.percentiles["p99"], x) for x in ("low", "estimate", "high"))
assert low < p99 < high and len(many.replications) == 3
cascade.check(result, "max < 100s", p99_9="< 100s", goodput="> 1/s", error_rate="<=100%")
cascade.check(cascade.run(cascadesim.load("scenarios/queue.yaml"), seed=3))
"""
    run(fill(pytester, body)).assert_outcomes(passed=1)


def test_a_missed_objective_says_what_is_to_blame_and_what_it_is_made_of(
    pytester: pytest.Pytester,
) -> None:
    body = 'cascade.check(cascade.run(Q, "rejecting", replications=3), p99="<50ms", goodput=">9/s")'
    result = run(fill(pytester, body))
    result.assert_outcomes(failed=1)
    agrees(
        said(result),
        """
        p99 < 50ms and goodput > 9/s are missed
        queue, rejecting
        3 replications from seed 1

        p99 is # ± # s
        - It is met in 0 of 3 replications.
        - To blame: a.work, for 100% of the p99.

        p99 is made of
        cause seconds
        service work #

        goodput is # ± # replies/s
        - It is met in 0 of 3 replications.
        - To blame: a.queue_limit, for 100% of the requests that went wrong.
        """,
    )
    assert "cascadesim/" not in result.stdout.str().partition("short test summary")[0]


def test_many_missed_objectives_are_counted(pytester: pytest.Pytester) -> None:
    body = (
        'cascade.check(cascade.run(Q), p50="<1ms", p90="<1ms", p99="<1ms", mean="<1ms", max="<1ms")'
    )
    lines = said(run(fill(pytester, body)))
    assert lines[0] == "5 objectives are missed"
    made = [line.split()[0] for line in lines if line.endswith(" is made of")]
    assert made == ["p50", "p90", "p99", "mean", "max"]


def test_objectives_of_the_scenario_are_checked_where_none_is_given(
    pytester: pytest.Pytester,
) -> None:
    body = 'cascade.check(cascade.run(Q, "rejecting"))'
    assert said(run(fill(pytester, body)))[0] == "error_rate < 1% is missed"
    lines = said(run(fill(pytester, "cascade.check(cascade.run(Q))", objectives=[])))
    assert "states no objectives" in " ".join(lines)


def test_a_worse_variant_says_which_cause_grew(pytester: pytest.Pytester) -> None:
    body = 'cascade.no_worse("before", "slow", scenario=Q, on="p99", by="2%")'
    result = run(fill(pytester, body))
    agrees(
        said(result),
        """
        p99 is worse in slow than in before
        queue, 8 replications from seed 1, in pairs

        p99 in seconds, means with half their 95 % interval (Student t)
        mean
        before # ± #
        slow # ± #
        difference # ± #
        allowed (by 2%) #

        p99 by cause, in seconds
        cause before slow change
        queue wait # # #
        service work # # #

        by setting:
        - # s a.concurrency
        - # s a.work
        """,
    )


def test_settings_that_do_harm_are_named(pytester: pytest.Pytester) -> None:
    body = """
slower = {"a.work": {"exponential": {"mean": "70ms"}}}
cascade.no_worse(cascade.run(Q, "before"), cascade.run(Q, "before", slower), on="p90")
"""
    lines = said(run(fill(pytester, body)))
    assert lines[:3] == [
        "p90 is worse with settings than without",
        "a.work={exponential: {mean: 70ms}}",
        "queue, before, 8 replications from seed 1, in pairs",
    ]
    assert "cause without with change" in (" ".join(line.split()) for line in lines)


def test_a_worse_rate_says_what_ended_the_requests(pytester: pytest.Pytester) -> None:
    body = 'cascade.no_worse("before", "rejecting", scenario=Q, on="error_rate", by="1%")'
    agrees(
        said(run(fill(pytester, body))),
        """
        error_rate is worse in rejecting than in before
        queue, 8 replications from seed 1, in pairs

        error rate, means with half their 95 % interval (Student t)
        mean
        before #% ± #%
        rejecting #% ± #%
        difference #% ± #%
        allowed (by 1%) #%

        requests ended by before rejecting change
        a.queue_limit #% #% #%
        """,
    )
    body = 'cascade.no_worse("before", "rejecting", scenario=Q, on="goodput")'
    assert said(run(fill(pytester, body)))[0] == "goodput is worse in rejecting than in before"


def test_a_latency_is_no_better_where_more_requests_fail(pytester: pytest.Pytester) -> None:
    body = 'cascade.no_worse("before", "rejecting", scenario=Q, on="p99"{})'
    lines = said(run(fill(pytester, body.format(""))))
    assert lines[0] == "error_rate is worse in rejecting than in before"
    assert "A p99 is no better where more requests fail" in " ".join(lines)
    run(fill(pytester, body.format(", ignore_errors=True"))).assert_outcomes(passed=1)
    # A latency that is worse is the news, whatever else is.
    slower = body.replace('before", "rejecting', 'rejecting", "before')
    assert said(run(fill(pytester, slower.format(""))))[0].startswith("p99 is worse")


def test_what_is_inside_the_noise_or_better_passes(pytester: pytest.Pytester) -> None:
    body = """
cascade.no_worse("slow", "before", scenario=Q, on="p99")
cascade.no_worse("before", "before", scenario=Q, on="max")
cascade.no_worse("before", "slow", scenario=Q, on="p99", by="10s")
faster = cascade.run(Q, "slow", {"a.work": {"exponential": {"mean": "40ms"}}})
cascade.no_worse(cascade.run(Q, "slow"), faster)
# The means differ by more than 2 %, but so do those of any eight nights.
one, other = (cascade.run(Q, settings={"seed": seed}, seed=7) for seed in (1, 2))
cascade.no_worse(one, other)
"""
    run(fill(pytester, body)).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("cascade.run('nowhere')", "nowhere: no such scenario, neither file nor folder; sought in"),
        ("cascade.run(Q, 'befor')", 'no variant "befor"; did you mean "before"?'),
        ("cascade.run(Q, settings={'a.x': 1})", "settings: a.x: "),
        ("cascade.run(Q, replications=0)", "replications: expected a whole number from 1, got 0"),
        ("cascade.run(Q, seed=-1)", "seed: expected a whole number from 0, got -1"),
        ("cascade.check(cascade.run(Q))\ncascade.check(cascade.run(Q), p99='<5')", "has no unit"),
        ("cascade.check(cascade.run(Q), p9_x='<5s')", 'unknown metric "p9_x"'),
        ("cascade.no_worse('before', 'slow')", "needs scenario= to find the variant in"),
        ("cascade.no_worse('before', 'slow', scenario=Q, by='2')", '"2" has no unit'),
        ("cascade.no_worse('before', 'slow', scenario=Q, on='p9')", 'did you mean "p99"'),
        ("cascade.run(5)", "cascade.run: scenario: expected a path, or a loaded scenario, got 5"),
        ("cascade.run(Q, 5)", 'variant: expected the name of a variant such as "after", got 5'),
        ("cascade.run(Q, settings=['a'])", "settings: expected values by path such as {"),
        ("cascade.run(Q, settings={5: 1})", "settings: expected dotted paths such as "),
        ("cascade.check(Q)", 'check: expected what cascade.run returns, got "scenarios/queue.yaml'),
        (
            "r = cascade.run(Q)\ncascade.check(r, p99=5)",
            'expected p99="<5s", with its relation and',
        ),
        ("r = cascade.run(Q)\ncascade.check(r, 5)", "expected an objective such as"),
        ("cascade.no_worse('before', 5, scenario=Q)", "returns, or a variant, got 5"),
        ("cascade.no_worse('before', 'slow', scenario=Q, on=5)", "expected a measure such as"),
        ("cascade.no_worse('before', 'slow', scenario=Q, by=5)", "expected a tolerance such as"),
        ("cascade.baseline(Q)", "baseline: expected what cascade.run returns, got "),
        ("cascade.baseline(cascade.run(Q), name=5)", "name: expected a text that tells this"),
        ("cascade.baseline(cascade.run(Q), relative=2)", 'expected relative="2%", got 2'),
        ("cascade.baseline(cascade.run(Q), absolute='2')", '"2" has no unit'),
    ],
)
def test_an_error_of_the_user_shows_their_line_and_one_of_ours(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, says: str
) -> None:
    """And it is said before anything is simulated, but where another check went before."""
    if "cascade.check(cascade.run(Q))" not in body:
        monkeypatch.delattr("cascadesim.studies.runs.simulate")
    result = run(fill(pytester, body))
    result.assert_outcomes(failed=1)
    text = result.stdout.str().partition("short test summary")[0]
    (line,) = [line for line in text.splitlines() if line.startswith("E ")]
    assert says in line
    assert "ScenarioError" in line
    assert "cascadesim/" not in text
    assert f">       {body.splitlines()[-1]}"[8:] in text


@pytest.mark.parametrize("measure", ["error_rate", "timed_out_rate"])
def test_requests_that_never_end_are_not_no_worse(pytester: pytest.Pytester, measure: str) -> None:
    body = f"""
open_end = {{"drain": "0s", "a.deadline.enabled": False}}
hung = cascade.run(Q, settings=open_end | {{"a.work": {{"constant": "10min"}}}})
cascade.no_worse(cascade.run(Q, settings=open_end), hung, on="{measure}")
"""
    result = run(fill(pytester, body))
    result.assert_outcomes(failed=1)
    assert "unfinished" in result.stdout.str()


def test_no_drain_is_named_where_unfinished_requests_hide_the_answer(
    pytester: pytest.Pytester,
) -> None:
    more = {"drain": "0s", "stages": {"a": {"work": {"exponential": {"mean": "115ms"}}}}}
    more["stages"]["a"]["concurrency"] = 1
    variants = {"slow": {}, "quick": {"a.work": {"exponential": {"mean": "40ms"}}}}
    body = "cascade.no_worse('slow', 'quick', scenario=Q)"
    run(fill(pytester, body, variants=variants, **more)).assert_outcomes(passed=1)
    body = "cascade.no_worse('slow', 'slow', scenario=Q, on='max')"
    (line,) = said(run(fill(pytester, body, variants=variants, **more)))
    assert line.endswith(
        "on max: requests unfinished at the end could still move max up, so that nobody can tell; "
        "a longer `drain` lets them end"
    )
    # What is worse for certain is so, though it could be worse still.
    body = "cascade.no_worse('quick', 'slow', scenario=Q)"
    agrees(
        said(run(fill(pytester, body, variants=variants, **more)))[4:10],
        """
        mean
        quick > # ± #
        slow > # ± #
        difference > # ± #
        allowed (by 0%) #
        """,
    )


def test_percentiles_that_may_be_worse_are_told_from_those_that_are(
    pytester: pytest.Pytester,
) -> None:
    """Of a queue that answers nobody any more, nothing is known but that they waited."""
    fill(pytester, "cascade.baseline(cascade.run(Q))", variants={})
    run(pytester, "--cascade-update").assert_outcomes(passed=1)
    hang = [{"on": "a", "from": "59.9s", "for": "10min", "hang": {}}]
    work = {"a": {"work": {"exponential": {"mean": "50ms"}}, "concurrency": 1}}
    fill(pytester, variants={}, stages=work, faults=hang, drain="100ms")
    lines = said(run(pytester))
    assert lines[0] == "p99.9 and max may be worse than in the baseline"
    assert " ".join(lines[4:6]) == (
        "Requests are unfinished at the end, so that nobody knows how slow they become; a longer "
        "`drain` lets them end."
    )
    assert [line.split()[0] for line in lines if line.endswith("unfinished")] == ["p99.9", "max"]
    assert [line.split()[-1] for line in lines if line.startswith("p50 ")] == ["0.058"]


def test_what_passes_says_how_much_worse_would_have_been_seen(pytester: pytest.Pytester) -> None:
    fill(pytester, "cascade.baseline(cascade.run(Q))", variants={})
    run(pytester, "--cascade-update")
    # Another seed meets other worlds, in which a tenth more is not seen.
    fill(pytester, "cascade.baseline(cascade.run(Q, seed=2))", variants={}, horizon="61s")
    lines = run(pytester).outlines
    at = lines.index("out of date: tests/baselines/test_ours/test_it.yaml [S09]")
    agrees(
        lines[at + 1 : at + 3],
        """
        nothing is seen to be worse; at p99, that takes # s more
        `pytest --cascade-update` writes it anew
        """,
    )
    now, then = (
        cascadesim.studies.runs.LazyRuns(
            cascadesim.load(pytester.path / "scenarios" / "queue.yaml").override({"horizon": h}),
            seed,
            8,
        ).values("p99")
        for h, seed in (("61s", 2), ("60s", 1))
    )
    low, high = scipy.stats.ttest_ind(now, then, equal_var=False).confidence_interval(1 - 0.05 / 6)
    assert float(lines[at + 1].split()[-3]) == pytest.approx((high - low) / 2, abs=1e-3)
