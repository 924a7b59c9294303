"""One variant in figures: percentiles, outcomes, goodput, and whether objectives are met."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.attribution import blame_for_late, blame_for_outcomes, blame_for_time
from cascadesim.analysis.judged import Judged, Judgement
from cascadesim.analysis.percentiles import OK_PERCENTILES, PERCENTILES, Percentile, percentile
from cascadesim.scenario.objectives import ANSWERED, RATES
from cascadesim.values.outcome import ERRORS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cascadesim.records import Records
    from cascadesim.scenario.objectives import Objective


@dataclass(frozen=True)
class Summary:
    """One run in figures, of the measured requests.

    `warmup` is in seconds. `percentiles` are of all requests, and `of_ok`, by names such as
    "ok_p99", of ok replies; requests under way may become some. `outcomes` counts requests by
    outcome. `goodput` is ok replies per second, of those that come between warm-up and horizon,
    whenever their requests arrived: a stage that can do 1/s gives no more. `rates` are shares of
    requests: those answered, with an ok reply within `limit` seconds (the first latency objective;
    in any time without one), those without an answer, and those of each outcome. `classes` are the
    summaries of each class of requests, with the objectives of its own; `verdicts` are of all
    objectives.
    """

    requests: int
    warmup: float
    percentiles: dict[str, Percentile]
    of_ok: dict[str, Percentile]
    by_outcome: dict[str, dict[str, Percentile]]
    mean: Percentile
    outcomes: dict[str, int]
    goodput: float
    rates: dict[str, float]
    limit: float | None
    verdicts: tuple[Judged, ...]
    classes: dict[str, Summary] = field(default_factory=dict)

    @property
    def error_rate(self) -> float:
        """Return the share of requests that ended without an answer."""
        return self.rates["error_rate"]

    @property
    def met(self) -> bool:
        """Return whether every objective is met."""
        return all(verdict.met for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, units in the names of the keys.

        Where there are classes, `classes` holds that of each.
        """
        classes = {name: summary.to_dict() for name, summary in self.classes.items()}
        return self._own() | ({"classes": classes} if classes else {})

    def _own(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "warmup_s": self.warmup,
            "percentiles_s": _values(self.percentiles),
            "at_least": [name for name, p in self.percentiles.items() if p.at_least],
            "ok_percentiles_s": _values(self.of_ok),
            "percentiles_by_outcome_s": {k: _values(v) for k, v in self.by_outcome.items()},
            "mean_s": _plain(self.mean.seconds),
            "outcomes": self.outcomes,
            "objective_s": self.limit,
            ANSWERED: _plain(self.rates[ANSWERED]),
            "error_rate": _plain(self.error_rate),
            "goodput_per_s": self.goodput,
            "objectives": [verdict.of_run() for verdict in self.verdicts],
        }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _values(percentiles: dict[str, Percentile]) -> dict[str, float | None]:
    return {name: _plain(p.seconds) for name, p in percentiles.items()}


def summarize(records: Records, objectives: tuple[Objective, ...] = ()) -> Summary:
    """Return the summary of a run, with a verdict for each objective, of classes too."""
    whole = _Measured(records, latency_limit(objectives))
    by_class = {
        name: _Measured(records.of_class(name), latency_limit(objectives, name))
        for name in records.classes
    }
    verdicts = [
        _verdict(o, whole if o.request_class is None else by_class[o.request_class])
        for o in objectives
    ]
    classes = {
        name: _summary(of, [v for v in verdicts if v.objective.request_class == name])
        for name, of in by_class.items()
    }
    return replace(_summary(whole, verdicts), classes=classes)


def _summary(of: _Measured, verdicts: Sequence[Judged]) -> Summary:
    return Summary(
        requests=len(of.latency),
        warmup=of.records.warmup,
        percentiles={name: of.percentile(name) for name in PERCENTILES},
        of_ok={name: of.percentile(name, of.may_be_ok) for name in OK_PERCENTILES},
        by_outcome={
            o.word: {name: of.percentile(name, of.outcome == o) for name in PERCENTILES}
            for o in Outcome
            if of.counts[o]
        },
        mean=of.mean(),
        outcomes={o.word: count for o, count in of.counts.items()},
        goodput=of.goodput().seconds,
        rates={name: of.rate(name).seconds for name in RATES},
        limit=of.limit,
        verdicts=tuple(verdicts),
    )


def _verdict(objective: Objective, of: _Measured) -> Judged:
    outcomes = objective_outcomes(objective.metric)
    if outcomes:
        got = of.rate(objective.metric)
    elif objective.metric == "goodput":
        got = of.goodput()
    else:
        got = of.mean() if objective.metric == "mean" else of.percentile(objective.metric)
    # However unfinished requests end, the objective must be kept.
    met = objective.met(got.seconds) and objective.met(got.at_most)
    to_blame = None
    if not met and objective.is_latency:
        to_blame = blame_for_time(of.records, objective.metric)
    elif not met and objective.metric == ANSWERED and of.limit is not None and of.mostly_late:
        to_blame = blame_for_late(of.records, of.limit)
    elif not met:
        # Too few of what is wanted, or too many of what is not: what is no ok reply is to blame.
        unwanted = set(outcomes) - {Outcome.OK} or {*ERRORS, Outcome.DEGRADED}
        to_blame = blame_for_outcomes(of.records, unwanted)
    return Judged(objective, (Judgement(got.seconds, got.at_most, met, to_blame),))


class _Measured:
    """The requests that arrived after the warm-up, and the figures that they give."""

    def __init__(self, records: Records, limit: float | None) -> None:
        self.records = records
        self.limit = limit  # seconds within which a reply counts as an answer, None for any
        measured = records.measured
        self.latency, self.outcome = records.latency[measured], records.outcome[measured]
        self.counts = {o: int((self.outcome == o).sum()) for o in Outcome}
        self._unfinished = self.outcome == Outcome.UNFINISHED
        self.may_be_ok = (self.outcome == Outcome.OK) | self._unfinished

    def percentile(self, name: str, chosen: Any = slice(None)) -> Percentile:
        return percentile(name, self.latency[chosen], self._unfinished[chosen])

    def mean(self) -> Percentile:
        average = float(self.latency.mean()) if len(self.latency) else math.nan
        return Percentile(average, math.inf if self._unfinished.any() else average)

    def goodput(self) -> Percentile:
        records = self.records
        replied = records.arrival + records.latency
        within = (replied > records.warmup) & (replied <= records.horizon)
        ok = int((within & (records.outcome == Outcome.OK)).sum())
        goodput = ok / (records.horizon - records.warmup)
        return Percentile(goodput, goodput)

    def rate(self, name: str) -> Percentile:
        """Return a share of all; those under way may end with any outcome but "unfinished"."""
        n = len(self.latency) or math.nan
        outcomes = objective_outcomes(name)
        chosen = np.isin(self.outcome, outcomes)
        may_come = self._unfinished & ~chosen
        if name == ANSWERED and self.limit is not None:
            chosen &= self.latency < self.limit
            may_come &= self.latency < self.limit
        return Percentile(int(chosen.sum()) / n, int((chosen | may_come).sum()) / n)

    @property
    def mostly_late(self) -> bool:
        """Return whether most requests that are not answered in time are ok replies, but late."""
        late = self.counts[Outcome.OK] - self.rate(ANSWERED).seconds * len(self.latency)
        return late > (len(self.latency) - self.counts[Outcome.OK])


def latency_limit(
    objectives: Iterable[Objective], request_class: str | None = None
) -> float | None:
    """Return the bound of the first latency objective in seconds, None where there is none.

    Of those of one class of requests, or of those of all requests.
    """
    stated = (o for o in objectives if o.request_class == request_class)
    return next((o.bound for o in stated if o.is_latency), None)


def class_limits(objectives: Sequence[Objective]) -> dict[str, float]:
    """Return `latency_limit` of each class of requests that has one, by name."""
    names = dict.fromkeys(o.request_class for o in objectives if o.request_class)
    limits = {name: latency_limit(objectives, name) for name in names}
    return {name: limit for name, limit in limits.items() if limit is not None}


def objective_outcomes(metric: str) -> tuple[Outcome, ...]:
    """Return the outcomes that a rate such as "error_rate" counts, none for other metrics."""
    if metric == "error_rate":
        return ERRORS
    if metric == ANSWERED:
        return (Outcome.OK,)
    word = metric.removesuffix("_rate")
    return (Outcome[word.upper()],) if word != metric else ()
