"""Objectives over replications: whether they are met, how often, and what is to blame if not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.percentiles import Percentile
from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.replications import Judgement


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective of a variant over replications.

    It is met if the mean `value` keeps it, and keeps it also with the most that unfinished requests
    can make of it; `met_in` is the number of replications that meet it. `blame` is the setting that
    most of the others blame, with its mean share where they do, and `blamed_in` their number.
    """

    objective: Objective
    value: Interval
    at_least: bool
    met: bool
    met_in: int
    blame: Blame | None
    blamed_in: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, as `Verdict.to_dict` does, and its interval and numbers."""
        blame = self.blame and {
            "setting": self.blame.setting,
            "share": self.blame.share,
            "blamed_in": self.blamed_in,
        }
        return {
            "objective": self.objective.text,
            **plain("value", self.value),
            "at_least": self.at_least,
            "met": self.met,
            "met_in": self.met_in,
            "blame": blame,
        }


def check_classes(objectives: Iterable[Objective], scenario: Scenario, source: str) -> None:
    """Raise a ScenarioError for an objective of a class of requests that a scenario has not."""
    known = list(scenario.model.classes)
    for each in objectives:
        if each.request_class is not None and each.request_class not in known:
            right = suggest(each.request_class, known) if known else "there are no classes"
            raise ScenarioError(f"no class {show(each.request_class)}; {right}", source)


def judge(objective: Objective, judgements: Sequence[Judgement]) -> Judged:
    """Return what the judgements of all replications come to."""
    value = mean_interval([each.value for each in judgements])
    at_most = mean_interval([each.at_most for each in judgements]).estimate
    blame, blamed_in = _most_blamed([each.blame for each in judgements])
    return Judged(
        objective=objective,
        value=value,
        at_least=any(Percentile(each.value, each.at_most).at_least for each in judgements),
        met=objective.met(value.estimate) and objective.met(at_most),
        met_in=sum(each.met for each in judgements),
        blame=blame,
        blamed_in=blamed_in,
    )


def _most_blamed(blames: Sequence[Blame | None]) -> tuple[Blame | None, int]:
    shares: dict[str, list[float]] = {}
    for blame in blames:
        if blame is not None:
            shares.setdefault(blame.setting, []).append(blame.share)
    if not shares:
        return None, 0
    # Where as many blame one as another, the larger shares decide.
    most = max(shares, key=lambda setting: (len(shares[setting]), sum(shares[setting])))
    return Blame(most, sum(shares[most]) / len(shares[most])), len(shares[most])


def plain(name: str, interval: Interval) -> dict[str, float | None]:
    """Return an estimate by its name and its bounds `low` and `high`, None for NaN."""
    values = {name: interval.estimate, "low": interval.low, "high": interval.high}
    return {key: None if math.isnan(value) else value for key, value in values.items()}
