"""One variant in figures: percentiles, outcomes, goodput, and whether objectives are met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.attribution import Blame, blame_for_outcomes, blame_for_time
from cascadesim.analysis.percentiles import PERCENTILES, Percentile, percentile
from cascadesim.model.outcome import ERRORS, Outcome

if TYPE_CHECKING:
    from cascadesim.records import Records
    from cascadesim.scenario.objectives import Objective


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective, the value that the run gave, and what is to blame where it is missed.

    `value` is in seconds, a share or replies per second, as the objective's metric is; `at_most` is
    what it would be if unfinished requests never ended, or ended in the way that is counted.
    """

    objective: Objective
    value: float
    at_most: float
    at_least: bool
    met: bool
    blame: Blame | None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {
            "objective": self.objective.text,
            "value": _plain(self.value),
            "at_least": self.at_least,
            "met": self.met,
            "blame": self.blame and {"setting": self.blame.setting, "share": self.blame.share},
        }


@dataclass(frozen=True)
class Summary:
    """What the measured requests of one run came to.

    `warmup` is in seconds; `outcomes` counts requests by outcome; goodput is ok replies per second
    of measured time; the error rate is the share of requests that were rejected, timed out or
    failed. `under` is the share of requests that took less than `limit` seconds, the first latency
    objective.
    """

    requests: int
    warmup: float
    percentiles: dict[str, Percentile]
    by_outcome: dict[str, dict[str, Percentile]]
    mean: Percentile
    outcomes: dict[str, int]
    goodput: float
    error_rate: float
    limit: float | None
    under: float | None
    verdicts: tuple[Verdict, ...]

    @property
    def met(self) -> bool:
        """Return whether every objective is met."""
        return all(verdict.met for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, units in the names of the keys."""
        return {
            "requests": self.requests,
            "warmup_s": self.warmup,
            "percentiles_s": _values(self.percentiles),
            "at_least": [name for name, p in self.percentiles.items() if p.at_least],
            "percentiles_by_outcome_s": {k: _values(v) for k, v in self.by_outcome.items()},
            "mean_s": _plain(self.mean.seconds),
            "outcomes": self.outcomes,
            "goodput_per_s": self.goodput,
            "error_rate": _plain(self.error_rate),
            "objective_s": self.limit,
            "share_under_objective": None if self.under is None else _plain(self.under),
            "objectives": [verdict.to_dict() for verdict in self.verdicts],
        }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _values(percentiles: dict[str, Percentile]) -> dict[str, float | None]:
    return {name: _plain(p.seconds) for name, p in percentiles.items()}


def summarize(records: Records, objectives: tuple[Objective, ...] = ()) -> Summary:
    """Return the summary of a run, with a verdict for each objective."""
    measured = records.measured
    latency, outcome = records.latency[measured], records.outcome[measured]
    unfinished = outcome == Outcome.UNFINISHED
    n = len(latency)

    def of(name: str, chosen: Any = slice(None)) -> Percentile:
        return percentile(name, latency[chosen], unfinished[chosen])

    counts = {o: int((outcome == o).sum()) for o in Outcome}
    limit = latency_limit(objectives)
    average = float(latency.mean()) if n else math.nan
    mean = Percentile(average, math.inf if unfinished.any() else average)
    goodput = counts[Outcome.OK] / (records.horizon - records.warmup)

    def rate(*outcomes: Outcome) -> Percentile:
        # Requests still under way may come to any outcome but "unfinished".
        known = sum(counts[o] for o in outcomes)
        open_ended = 0 if Outcome.UNFINISHED in outcomes else counts[Outcome.UNFINISHED]
        return (
            Percentile(known / n, (known + open_ended) / n) if n else Percentile(math.nan, math.nan)
        )

    def verdict(objective: Objective) -> Verdict:
        outcomes = objective_outcomes(objective.metric)
        if outcomes:
            got = rate(*outcomes)
        elif objective.metric == "goodput":
            got = Percentile(goodput, goodput)
        else:
            got = mean if objective.metric == "mean" else of(objective.metric)
        # What unfinished requests may still come to must keep the objective too.
        met = objective.met(got.seconds) and objective.met(got.at_most)
        to_blame = None
        if not met and objective.is_latency:
            to_blame = blame_for_time(records, objective.bound)
        elif not met:
            # Too few of what is wanted, or too many of what is not: errors are to blame.
            unwanted = set(outcomes) - {Outcome.OK} or ERRORS
            to_blame = blame_for_outcomes(records, unwanted)
        return Verdict(objective, got.seconds, got.at_most, got.at_least, met, to_blame)

    return Summary(
        requests=n,
        warmup=records.warmup,
        percentiles={name: of(name) for name in PERCENTILES},
        by_outcome={
            o.word: {name: of(name, outcome == o) for name in PERCENTILES}
            for o in Outcome
            if counts[o]
        },
        mean=mean,
        outcomes={o.word: count for o, count in counts.items()},
        goodput=goodput,
        error_rate=rate(*ERRORS).seconds,
        limit=limit,
        under=_under(latency, unfinished, limit),
        verdicts=tuple(verdict(objective) for objective in objectives),
    )


def latency_limit(objectives: tuple[Objective, ...]) -> float | None:
    """Return the bound of the first latency objective in seconds, None where there is none."""
    return next((o.bound for o in objectives if o.is_latency), None)


def objective_outcomes(metric: str) -> tuple[Outcome, ...]:
    """Return the outcomes that a rate such as "error_rate" counts, none for other metrics."""
    if metric == "error_rate":
        return ERRORS
    word = metric.removesuffix("_rate")
    return (Outcome[word.upper()],) if word != metric else ()


def _under(latency: Any, unfinished: Any, limit: float | None) -> float | None:
    if limit is None:
        return None
    return float(np.mean((latency < limit) & ~unfinished)) if len(latency) else math.nan
