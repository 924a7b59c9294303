"""Held against an objective: one run, or several replications by their mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.attribution import Blame
from cascadesim.analysis.intervals import Interval, mean_interval
from cascadesim.analysis.percentiles import Percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.scenario.objectives import Objective


@dataclass(frozen=True, slots=True)
class Judgement:
    """One replication held against one objective.

    `value` is in seconds, a share or replies per second, as the objective's metric is; `at_most` is
    what it would be if unfinished requests never ended, or ended in the way that is counted.
    `blame` is the setting that is most to blame where the objective is missed.
    """

    value: float
    at_most: float
    met: bool
    blame: Blame | None


@dataclass(frozen=True)
class Judged:
    """One objective, and one judgement for each replication; a single run has one."""

    objective: Objective
    judgements: tuple[Judgement, ...]

    @cached_property
    def value(self) -> Interval:
        """Return the mean over replications with its interval, in the unit of the metric."""
        return mean_interval([one.value for one in self.judgements])

    @property
    def at_least(self) -> bool:
        """Return whether unfinished requests could move the value up by more than 1 %."""
        return any(Percentile(one.value, one.at_most).at_least for one in self.judgements)

    @cached_property
    def met(self) -> bool:
        """Return whether the mean keeps the objective, whatever unfinished requests do to it."""
        at_most = float(np.mean([one.at_most for one in self.judgements]))
        return self.objective.met(self.value.estimate) and self.objective.met(at_most)

    @property
    def met_in(self) -> int:
        """Return how many replications meet the objective."""
        return sum(one.met for one in self.judgements)

    @property
    def blame(self) -> Blame | None:
        """Return the setting that most replications blame, with its mean share where they do."""
        most = _most_blamed(self.judgements)
        if not most:
            return None
        return Blame(most[0].setting, sum(blame.share for blame in most) / len(most))

    @property
    def blamed_in(self) -> int:
        """Return how many replications blame that setting."""
        return len(_most_blamed(self.judgements))

    def of_run(self) -> dict[str, Any]:
        """Return it as plain data of one run, which has no interval."""
        return {
            "objective": self.objective.text,
            "value": self.value.to_dict("value")["value"],
            "at_least": self.at_least,
            "met": self.met,
            "blame": self.blame and {"setting": self.blame.setting, "share": self.blame.share},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: `of_run`, with its interval and in how many replications."""
        blame = self.blame and {
            "setting": self.blame.setting,
            "share": self.blame.share,
            "blamed_in": self.blamed_in,
        }
        return {
            "objective": self.objective.text,
            **self.value.to_dict("value"),
            "at_least": self.at_least,
            "met": self.met,
            "met_in": self.met_in,
            "blame": blame,
        }


def _most_blamed(judgements: Sequence[Judgement]) -> list[Blame]:
    """Return the blames of the setting that is blamed most often, none where nothing is."""
    blames: dict[str, list[Blame]] = {}
    for judgement in judgements:
        if judgement.blame is not None:
            blames.setdefault(judgement.blame.setting, []).append(judgement.blame)
    # Where as many blame one as another, the larger shares decide.
    return max(
        blames.values(), key=lambda same: (len(same), sum(b.share for b in same)), default=[]
    )
