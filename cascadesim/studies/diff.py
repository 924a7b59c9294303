"""Diff: what changed between two versions of a scenario, and what that does to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.analysis.intervals import LEVEL
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.scenario.objectives import ANSWERED, RATES
from cascadesim.studies.changes import SettingChange, setting_changes
from cascadesim.studies.compare import Comparison, compare
from cascadesim.studies.execution import HERE, Execution
from cascadesim.studies.replay import part_of
from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cascadesim.analysis.contrast import Contrast, Tolerance
    from cascadesim.analysis.judged import Judged
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.replay import Progress
    from cascadesim.studies.runs import Runs

    Pairs = list[tuple[str | None, Scenario, Scenario]]  # by variant

REPLICATIONS = 8
# Measures that are shown also where they are 0.
_ALWAYS = (ANSWERED, "error_rate", *PERCENTILES, "ok_p99", "goodput")
_OTHERS = tuple(rate for rate in RATES if rate not in ("ok_rate", *_ALWAYS))
_NO_EFFECT = {"name", "summary", "seed", "variants", "sweep"}  # on a run, seeds being the same


@dataclass(frozen=True, slots=True)
class MovedObjective:
    """An objective of the new scenario, and of the old one, where that limits the same metric."""

    old: Judged | None
    new: Judged

    @property
    def verdict(self) -> str:
        """Return "met", "newly met", "newly missed" or "still missed"."""
        if self.old is not None and not self.old.met:
            return "newly met" if self.new.met else "still missed"
        return "met" if self.new.met else "newly missed"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        old = self.old and self.old.to_dict()
        return {"verdict": self.verdict, "old": old, "new": self.new.to_dict()}


@dataclass(frozen=True)
class Pair:
    """A variant in both scenarios, None for a scenario as it stands, in the same replications.

    `allowed` is how much worse measures may get.
    """

    variant: str | None
    comparison: Comparison
    allowed: Mapping[str, Tolerance]

    @property
    def _runs(self) -> tuple[Runs, Runs]:
        old, new = self.comparison.runs.values()
        return old, new

    @property
    def name(self) -> str:
        """Return the name of the variant."""
        return self.variant or "scenario"

    @property
    def requests(self) -> tuple[int, int] | None:
        """Return how many requests got better and how many worse, see `Comparison.pairs`."""
        return self._runs[1].pairs

    @property
    def too_short(self) -> bool:
        """Return whether the warm-up is a guess."""
        return any(result.scenario.too_short for result in self.comparison.results.values())

    @cached_property
    def moved(self) -> dict[str, Contrast]:
        """Return what moved, by measure; rates but the error rate only where there are any."""
        old, new = self._runs
        rates = [name for name in _OTHERS if max(*old.values(name), *new.values(name)) > 0]
        return {name: old.contrast(new, name) for name in (*_ALWAYS, *rates)}

    @cached_property
    def objectives(self) -> list[MovedObjective]:
        """Return the new scenario's objectives, each with what it was before."""
        old, new = (runs.objectives for runs in self._runs)
        before = {judged.objective.limit[:2]: judged for judged in old}
        return [MovedObjective(before.get(judged.objective.limit[:2]), judged) for judged in new]

    @property
    def newly_missed(self) -> list[MovedObjective]:
        """Return the objectives that only the new scenario misses."""
        return [moved for moved in self.objectives if moved.verdict == "newly missed"]

    @property
    def worse(self) -> list[Contrast]:
        """Return the measures that got worse by more than is allowed, beyond doubt."""
        return [limited for limited in self._limited if limited.worse]

    @property
    def unknown(self) -> list[str]:
        """Return the limited measures that unfinished requests, or none at all, leave open."""
        return [
            limited.measure
            for limited in self._limited
            if limited.unknown or not math.isfinite(limited.known.difference.estimate)
        ]

    @cached_property
    def _limited(self) -> list[Contrast]:
        old, new = self._runs
        return [old.contrast(new, *allowed) for allowed in self.allowed.items()]

    @property
    def passed(self) -> bool:
        """Return whether no objective is newly missed, and nothing is worse than is allowed."""
        return not (self.newly_missed or self.worse or self.unknown)

    def to_dict(self) -> dict[str, Any]:
        """Return the pair as plain data; see `to_dict` of diffs."""
        better, worse = self.requests or (None, None)
        return {
            "variant": self.variant,
            "passed": self.passed,
            "measures": {
                name: {
                    "old": moved.before.to_dict("mean") | {"at_least": moved.at_least[0]},
                    "new": moved.after.to_dict("mean") | {"at_least": moved.at_least[1]},
                    "difference": moved.known.difference.to_dict("mean"),
                    "seen": moved.seen,
                }
                for name, moved in self.moved.items()
            },
            "objectives": [moved.to_dict() for moved in self.objectives],
            "worse_than_allowed": [change.measure for change in self.worse],
            "unknown": self.unknown,
            "requests_better": better,
            "requests_worse": worse,
        }


@dataclass(frozen=True)
class Diff:
    """Two versions of a scenario: the changed settings, and each variant that they change.

    `old` is None for a scenario that is new, `new` for one that is gone; there are no pairs where
    nothing changed that a run could see.
    """

    old: Scenario | None
    new: Scenario | None
    changes: list[SettingChange]
    pairs: list[Pair]
    left_out: tuple[str, ...] = ()  # variants that changed too, and were not asked for

    @property
    def name(self) -> str:
        """Return the name of the scenario, the new one if it has another."""
        scenario = self.new or self.old
        assert scenario is not None
        return scenario.name

    @property
    def status(self) -> str:
        """Return "added", "removed" or "changed"; "same" where all settings are."""
        if self.old is None or self.new is None:
            return "added" if self.old is None else "removed"
        return "changed" if self.changes else "same"

    @property
    def passed(self) -> bool:
        """Return whether every pair has passed."""
        return all(pair.passed for pair in self.pairs)

    @property
    def seed(self) -> int | None:
        """Return the seed of the runs."""
        return next((r.seed for p in self.pairs for r in p.comparison.results.values()), None)

    @property
    def replications(self) -> int | None:
        """Return the number of replications."""
        return next((pair.comparison.count for pair in self.pairs), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the diff as plain data."""
        return {
            "scenario": self.name,
            "status": self.status,
            "passed": self.passed,
            "old": self.old and self.old.document.source,
            "new": self.new and self.new.document.source,
            "seed": self.seed,
            "replications": self.replications,
            "changes": [change.to_dict() for change in self.changes],
            "left_out": list(self.left_out),
            "variants": [pair.to_dict() for pair in self.pairs],
        }


def to_dict(diffs: Sequence[Diff]) -> dict[str, Any]:
    """Return diffs as plain data.

    Keys: cascadesim (version), level (of intervals), passed; scenarios, a list with `status`
    (added, removed, changed or same), `changes` of settings (kind, path, old, new) and variants:
    `measures` with `old`, `new` (and whether they are lower bounds, `at_least`) and the paired
    `difference` (`mean`, `low`, `high`), `seen` (null where nobody can tell), and
    objectives with a `verdict`.
    """
    return {
        "cascadesim": __version__,
        "level": LEVEL,
        "passed": all(one.passed for one in diffs),
        "scenarios": [one.to_dict() for one in diffs],
    }


def diff(
    old: Scenario | None,
    new: Scenario | None,
    variants: Sequence[str] = (),
    seed: int | None = None,
    replications: int = REPLICATIONS,
    allowed: Mapping[str, Tolerance] | None = None,
    execution: Execution = HERE,
    progress: Progress = None,
) -> Diff:
    """Find the settings that changed, and run in the same replications what they change.

    That is each variant that both have, or of these those that are named, and the scenarios as they
    stand where they share none. Raises ScenarioError where seeds differ and none is given.
    """
    if old is None or new is None:
        return Diff(old, new, [], [])
    changes = setting_changes(old.document.data, new.document.data)
    changed = [pair for pair in _pairs(old, new) if _differ(pair[1], pair[2])]
    chosen = [pair for pair in changed if not variants or pair[0] in (None, *variants)]
    left_out = tuple(str(name) for name, *_ in changed if name not in [pair[0] for pair in chosen])
    pairs = []
    for i, (name, before, after) in enumerate(chosen):
        if seed is None and before.model.seed != after.model.seed:
            message = f"has seed {after.model.seed}, and {before.document.source} has "
            message += f"{before.model.seed}, so nothing pairs them; give one with --seed"
            raise ScenarioError(message, after.document.source)
        comparison = compare(
            before.resolved(),
            after.resolved(),
            seed=seed,
            progress=part_of(progress, i, len(chosen)),
            replications=replications,
            execution=execution,
        )
        pairs.append(Pair(name, comparison, allowed or {}))
    return Diff(old, new, changes, pairs, left_out)


def _pairs(old: Scenario, new: Scenario) -> Pairs:
    common = [name for name in new.variants if name in old.variants]
    return [(name, old.at(name), new.at(name)) for name in common] or [(None, old, new)]


def check_variants(old: Scenario, new: Scenario, variants: Sequence[str]) -> None:
    """Raise a ScenarioError for the first variant that is not in both."""
    for name in variants:
        for scenario in (old, new):
            if name not in scenario.variants:
                message = f"no variant {show(name)}; {suggest(name, list(scenario.variants))}"
                raise ScenarioError(message, scenario.document.source)


def _differ(old: Scenario, new: Scenario) -> bool:
    """Return whether a run could tell the two apart, or an objective does."""
    before, after = (repr(scenario.model.model_dump(exclude=_NO_EFFECT)) for scenario in (old, new))
    return before != after  # as texts, which differ too where stages are in another order
