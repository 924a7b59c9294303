"""What is to blame, and what would have helped: the setting that could have saved it."""

from collections.abc import Callable

import numpy as np
import pytest

import cascadesim
from cascadesim.analysis.attribution import Blame, ending, governing
from cascadesim.scenario.load import Scenario
from cascadesim.studies.explain import explain
from cascadesim.values.outcome import ERRORS, Outcome
from cascadesim.views.run import page
from cascadesim.views.terminal import text

Field = Callable[..., Scenario]
WHERE = "workload.connections"


def test_an_error_that_comes_sooner_is_not_what_helped(field: Field) -> None:
    """The work takes 75 s. 30 s ends it sooner than 60 s, and 120 s lets it end."""
    found = explain(field("quicker-error-advised"))
    assert found.today.outcome is Outcome.DISCONNECTED
    best = found.helping[0]
    assert (best.path, best.value) == (f"{WHERE}.idle_timeout", "120s")
    assert (best.world.outcome, best.world.latency) == (Outcome.OK, pytest.approx(75))
    assert best.world.error_rate == 0
    assert all(change.world.outcome is Outcome.OK for change in found.changes if change.helps)
    sooner = next(c for c in found.changes if (c.path, c.value) == (best.path, "30s"))
    assert (sooner.helps, sooner.world.latency) == (False, pytest.approx(30))


def test_a_deadline_that_never_fired_is_not_to_blame(field: Field) -> None:
    """Of 4 s, the bank takes 3 s, under a deadline of 30 s."""
    (missed,) = cascadesim.run(field("deadline-never-fired")).summary.verdicts
    assert missed.blame == Blame("bank.work", pytest.approx(0.75))


def test_a_deadline_that_fired_is_to_blame_for_what_it_cut(field: Field) -> None:
    """With 2 s, it ends the call of the bank after 1 s; a shorter one would have saved more."""
    cut = field("deadline-never-fired").override({"pay.deadline.timeout": "2s", "drain": "5s"})
    (missed,) = cascadesim.run(cut).summary.verdicts
    assert missed.blame == Blame("pay.deadline.timeout", pytest.approx(1.0))


def test_the_lifetime_of_a_connection_is_to_blame_for_its_wait(field: Field) -> None:
    """Open since 0 s, it is to close at 15 s, and does when the first reply comes at 30 s."""
    scenario = field("lifetime-wait-blamed")
    records = cascadesim.run(scenario).records
    assert governing(records, np.array([1])) == pytest.approx(
        {f"{WHERE}.lifetime": 10.0, "agent.work": 20.0}
    )
    found = explain(scenario, 1)
    best = found.helping[0]
    assert (best.path, best.value) == (f"{WHERE}.lifetime", None)
    assert best.world.latency == pytest.approx(20.0)


def test_the_pool_is_held_by_the_stage_inside_and_by_zombies(field: Field) -> None:
    """Jobs of 90 s, one every 5 s, find 15 places; clients give up after 60 s."""
    scenario = field("work-after-a-cut-pool").at("same-by-reply-timeout")
    records = cascadesim.run(scenario).records
    held = records.held["session.pool"]
    assert {"agent.work", f"{WHERE}.reply_timeout"} <= held.keys()
    waits = [i for i, part in enumerate(records.parts) if part.cause == "pool_wait"]
    waited = np.flatnonzero(records.seconds[:, waits].sum(axis=1) > 20)
    blame = governing(records, waited)
    assert blame[f"{WHERE}.reply_timeout"] > 0
    assert "session.pool.timeout" not in blame


def test_work_that_holds_a_pool_is_to_blame_for_calls_that_find_it_full(field: Field) -> None:
    """Without a timeout of the client, nothing but the job holds a place while others wait."""
    scenario = field("work-after-a-cut-pool").override({f"{WHERE}.idle_timeout": None})
    records = cascadesim.run(scenario).records
    assert (records.outcome == Outcome.TIMED_OUT).any()
    blame = ending(records, ERRORS)
    assert blame["agent.work"] / sum(blame.values()) > 0.99
    quicker = scenario.override({"agent.work": {"constant": "45s"}})
    assert cascadesim.run(quicker).summary.error_rate == 0


def test_leaks_that_hold_a_pool_are_to_blame(field: Field) -> None:
    scenario = field("work-after-a-cut-pool").override(
        {
            f"{WHERE}.idle_timeout": None,
            "agent.work": {"constant": "5s"},
            "session.session.leak": "20%",
        }
    )
    blame = ending(cascadesim.run(scenario).records, ERRORS)
    assert blame["session.session.leak"] / sum(blame.values()) > 0.9
    mended = scenario.override({"session.session.leak": "0%"})
    assert cascadesim.run(mended).summary.error_rate == 0


def test_a_run_says_since_when_nothing_recovers(field: Field) -> None:
    """A breaker around 2 s of work, whose deadline of 1 s fails each call, trials included."""
    breaker = {"breaker": {"failure_threshold": 3, "recovery_timeout": "5s"}}
    policies = [breaker, {"deadline": {"timeout": "1s"}}]
    settings = {"pay.policies": policies, "fraud.work": {"constant": "2s"}}
    scenario = field("deadline-never-fired").override(settings)
    # Calls of 1, 2 and 3 s end at 2, 3 and 4 s. Trials are those of 9, 15, … and 57 s.
    assert (
        "Since 4.00 s nothing recovers: pay.breaker has not closed again; 9 trial calls without "
        "any fault failed." in shown(scenario)
    )
    assert "nothing recovers" not in shown(scenario.override({"pay.deadline.timeout": "6s"}))


@pytest.mark.slow
def test_breakers_in_parallel_that_hold_each_other_open_are_named(field: Field) -> None:
    """The writer fails for a minute from 3 min on; later trials are ended by the other breaker.

    That is so where a breaker counts calls that are cancelled as failures, as purgatory does.
    """
    scenario = field("siblings-lock-each-other-out")
    assert "nothing recovers" not in shown(scenario)
    counts = {"planner.breaker.cancelled": "failure", "writer.breaker.cancelled": "failure"}
    told = shown(scenario.override(counts))
    assert "Since 180.00 s nothing recovers: planner.breaker has not closed again" in told
    assert "as an error of the stages beside it, with writer.breaker, ends them" in told
    assert "Since 180.00 s nothing recovers: writer.breaker has not closed again" in told


def shown(scenario: Scenario) -> str:
    return " ".join(text(page(cascadesim.run(scenario)), 80).split())
