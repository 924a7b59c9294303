"""Explanation of one request: where its time went, and what single change would have helped it.

Each change is tried in the world of the request itself: the same seed, and all other requests the
same, as no draw depends on the order of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.analysis.decomposition import decimals, seconds, units_of
from cascadesim.analysis.timeline import Step, timeline
from cascadesim.engine import simulate, trace
from cascadesim.outputs import Shown
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.candidates import candidates, given
from cascadesim.studies.counterfactual import (
    NOWHERE,
    Counterfactual,
    World,
    Worlds,
    order,
    together,
    world_of,
)
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.run import seed_of
from cascadesim.studies.warmup import settled
from cascadesim.studies.which import check, choose, limit_of, observed, whole
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import clock_text, parse_clock
from cascadesim.values.words import lower_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from cascadesim.plan.plan import Plan
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.candidates import Changes

SHOWN = 10  # changes


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """One request, by its row of the records: where its time went, and what would have helped it.

    `chosen` says why this one; `arrival` is in seconds from t = 0; `observed` is the latency in
    seconds of the observation that it replays, None where it replays none; the seconds of `steps`
    add up to its own latency. `changes` are single changes, best first: by how the request ends
    (`World.rank`), then by latency, then by what they do to all requests. `together` are changes,
    each on top of those before, that help more than any single one, or than any that hurts no
    others.
    """

    scenario: Scenario
    seed: int
    request: int
    chosen: str
    arrival: float
    observed: float | None
    steps: tuple[Step, ...]
    today: World
    changes: tuple[Counterfactual, ...]
    together: tuple[Counterfactual, ...] = ()
    request_class: str | None = None  # its name, where there are classes

    @property
    def named(self) -> str:
        """Return which request it is, such as "request 3634 (observation 0)", and its class."""
        name = f"request {self.request}"
        why = [] if self.chosen == name else [self.chosen]
        if self.request_class is not None:
            why.append(f"class {self.request_class}")
        return f"{name} ({', '.join(why)})" if why else name

    @property
    def helping(self) -> tuple[Counterfactual, ...]:
        """Return the changes of what can be chosen that would have helped it, best first."""
        return tuple(change for change in self.changes if change.helps and change.chosen)

    @property
    def circumstance(self) -> Counterfactual | None:
        """Return what else would have helped it most: without a fault, or with quicker work."""
        return next((c for c in self.changes if c.helps and not c.chosen), None)

    @property
    def best(self) -> Counterfactual | None:
        """Return the change that would have helped it most of those that hurt nobody else."""
        return next((change for change in self.helping if not change.hurts), None)

    @property
    def sentence(self) -> str:
        """Return which single change would have helped it most, in words."""
        return " ".join(self.sentences)

    @property
    def sentences(self) -> list[str]:
        """Return which single change would have helped it most, at what price, and what more."""
        return [*self._singly(), *self._together(), *self._beside()]

    def _singly(self) -> Iterator[str]:
        if not self.helping:
            yield from self._no_help()
            return
        most, best = self.helping[0], self.best
        hardly = "" if most.world.much_better_than(self.today) else ", and hardly"
        said = f"{most.path} {most.change} would have helped it most{hardly}: {self.moved(most)}"
        if most is best:
            yield f"{said}."
            return
        yield f"{said}, but {' and '.join(self._worse(most))}."
        if best is not None:
            yield f"Of those that hurt no others, {best.path} {best.change}: {self.moved(best)}."
        elif len(self.helping) > 1:
            worse = "the p99, the error rate or the degraded rate"
            yield f"Every other change that helps it makes {worse} worse, too."

    def _no_help(self) -> Iterator[str]:
        today, tried = self.today, len(self.changes)
        if tried > 1:
            yield f"No single change of the {tried} that were tried would have helped it."
        elif tried:
            yield "The one change that was tried would not have helped it."
        else:
            yield "No other value of a setting on its way was tried."
        if today.mostly is not None:
            most = "Most" if today.mostly_for >= today.latency / 2 else "The largest part"
            spent = _short(today.mostly_for)
            yield f"{most} of its time, {spent}, is governed by {today.mostly}."

    def _worse(self, change: Counterfactual) -> Iterator[str]:
        if change.world.p99_worse(self.today):
            yield f"the p99 of all goes {self.moved_p99(change)}"
        if change.world.errors_worse(self.today):
            yield f"the error rate of all goes {self.moved_errors(change)}"
        if change.world.degraded_worse(self.today):
            yield f"the degraded rate of all goes {self.moved_degraded(change)}"

    def _together(self) -> Iterator[str]:
        if self.together:
            last = self.together[-1]
            settings = " and ".join(f"{each.path} {each.change}" for each in self.together)
            p99, errors = self.moved_p99(last), self.moved_errors(last)
            more = f"{self.moved(last)}; of all, the p99 {p99}, the error rate {errors}"
            if last.world.degraded_worse(self.today):
                more += f", the degraded rate {self.moved_degraded(last)}"
            yield f"Together, {settings} would have helped more: {more}."

    def _beside(self) -> Iterator[str]:
        change = self.circumstance
        if change is not None:
            without = f"without {change.path}" if change.value is None else f"{change.path} "
            what = without if change.value is None else f"{without}{change.change}"
            yield f"Beside what can be set, {what} would have helped it: {self.moved(change)}."

    def moved(self, change: Counterfactual) -> str:
        """Return what becomes of the request, such as "60.3 s → 10.4 s"."""
        ends = [self.today, change.world]
        told = {each.outcome for each in ends} != {Outcome.OK}
        return " → ".join(
            lower_bound(_short(each.latency), each.at_least)
            + (f" ({each.outcome.word.replace('_', ' ')})" if told else "")
            for each in ends
        )

    def moved_p99(self, change: Counterfactual) -> str:
        """Return what becomes of the p99 of all requests."""
        ends = [each.p99 for each in (self.today, change.world)]
        return " → ".join(lower_bound(_short(p.seconds), p.at_least) for p in ends)

    def moved_errors(self, change: Counterfactual) -> str:
        """Return what becomes of the error rate of all requests."""
        return f"{self.today.errors_text} → {change.world.errors_text}"

    def moved_degraded(self, change: Counterfactual) -> str:
        """Return what becomes of the degraded rate of all requests."""
        return f"{self.today.degraded_text} → {change.world.degraded_text}"

    def clock(self, at: float) -> str:
        """Return an instant as the scenario's clock has it, else in seconds."""
        zero = self.scenario.model.clock
        return clock_text((parse_clock(zero) or 0.0) + at) if zero else f"{at:.3f} s"

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Return one row a change, best first.

        Columns: setting (dotted path), today and changed_to (values as they are written), chosen
        (who runs the service could choose it: it is no fault, and no work), difference_s (in the
        request's latency, from today's), helps (the request ends better, or is answered as well and
        sooner; see `World.rank`), hurts (the p99 of all grows by more than 1 %, or their error rate
        or degraded rate by more than 0.1 %, however unfinished requests end; degraded replies in
        place of errors are no harm); latency_s of the request and at_least (it is unfinished, and
        the latency its age), outcome, in_time (within the first latency objective), ended_by (the
        setting that made an error of it, or brought it to its fallback), mostly and mostly_s (the
        setting that could have saved the largest part of its time, and that part); of all requests
        that are measured p99_s and p99_at_least (unfinished requests could move it), error_rate and
        degraded_rate (shares), error_rate_at_least and degraded_rate_at_least.
        """
        import pandas as pd  # slow to import, and not every command needs it

        columns = pd.Index(list(_NONE.row()))
        return pd.DataFrame([change.row() for change in self.changes], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data.

        Keys: scenario, variant, overrides, seed, cascadesim (version), request (its row, from 0),
        chosen (why this one), class (where there are any), arrival_s, at (its arrival by the
        scenario's clock), observed_s (the latency of the observation that it replays, null where it
        replays none), steps (at_s, duration_s, words and parts of each), today and changes, best
        first (their columns as in `frame`, null for NaN), together (changes on top of each other,
        where they help more than single ones), sentence.
        """
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "overrides": self.scenario.overrides,
            "seed": self.seed,
            "cascadesim": __version__,
            "request": self.request,
            "chosen": self.chosen,
            **({} if self.request_class is None else {"class": self.request_class}),
            "arrival_s": self.arrival,
            "at": self.clock(self.arrival),
            "observed_s": self.observed,
            "steps": [step.to_dict() for step in self.steps],
            "today": _plain(self.today.row()),
            "changes": [_plain(change.row()) for change in self.changes],
            "together": [_plain(change.row()) for change in self.together],
            "sentence": self.sentence,
        }


_NONE = Counterfactual("", None, None, NOWHERE, math.nan, helps=False, hurts=False)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}


def _short(value: float) -> str:
    digits = decimals(value)
    return seconds(units_of(value, digits), digits)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an explanation takes: so many runs of so many seconds each, so many at once."""

    runs: int
    seconds_a_run: float
    workers: int

    @property
    def seconds(self) -> float:
        """Return about how many seconds it takes; changes together take some more."""
        return self.runs * self.seconds_a_run / max(self.workers, 1)


def explain(
    scenario: Scenario,
    request: int | None = None,
    *,
    observation: int | None = None,
    percentile: str | None = None,
    changes: Changes | None = None,
    seed: int | None = None,
    progress: Callable[[float], None] | None = None,
    announce: Callable[[Cost], None] | None = None,
    execution: Execution = HERE,
) -> Explanation:
    """Say where the time of one request went, and which single change would have helped it most.

    `request` is its row in `Result.frame`, `observation` that of the scenario's observations which
    it replays, both from 0, and `percentile` the latency that it has, such as "p99"; give one of
    them. Without any it is the first observation, or the p99 where there is none. `changes` are
    dotted paths with the values to try, or texts such as "agent.deadline.timeout=5s,10s", in place
    of those that the settings on its way suggest: of other variants, halved, doubled, none, the
    other word, switched on or off, each fault left out. `announce` is told before how long that
    takes, by one run that is measured. The worlds are run in `execution.jobs` processes, and not
    kept; those in which its client does not send it are left out.
    Raises ScenarioError.
    """
    progress = progress or (lambda _: None)
    request, observation = whole(request, "request"), whole(observation, "observation")
    check(scenario, request, observation, percentile)  # before a long run
    seed = seed_of(scenario, seed)
    (scenario,) = settled({"": scenario}, seed).values()
    tried = None if changes is None else given(scenario, changes)
    plan = compile_plan(scenario.model)
    traced = trace(plan, seed)
    records = traced.records
    row, chosen = choose(scenario, records, request, observation, percentile)
    if tried is None:
        tried = candidates(scenario, plan, records, row)
    request_class = records.class_of(row)
    limit = limit_of(scenario, request_class) or math.inf
    number, today = records.number_of(row), world_of(records, row, limit)
    worlds = Worlds(seed, number, limit, execution.workers, today)
    if announce is not None:
        announce(Cost(len(tried), _seconds_of(plan, seed), min(execution.workers, len(tried))))
    steps = 1 + len(tried)
    progress(1 / steps)
    single = worlds(tried, lambda share: progress((1 + share * (steps - 1)) / steps))
    single.sort(key=order)
    chosen_ones = [change for change in single if change.chosen]
    return Explanation(
        scenario,
        seed,
        row,
        chosen,
        float(records.arrival[row]),
        observed(scenario, records, row),
        timeline(traced, row),
        today,
        tuple(single),
        tuple(together(scenario, chosen_ones, worlds)),
        request_class,
    )


def _seconds_of(plan: Plan, seed: int) -> float:
    """Return how many seconds a run takes here."""
    start = perf_counter()
    simulate(plan, seed)
    return perf_counter() - start
