"""Search: which settings to try next, and the runs of those that were tried.

Optuna's TPE proposes settings by the figures of those tried (Bergstra et al., "Algorithms for
Hyper-Parameter Optimization", 2011). Where there are few enough of them, all are tried instead.
"""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cascadesim.outputs import optional
from cascadesim.scenario.paths import UnknownPath, at, locate
from cascadesim.scenario.source import flow
from cascadesim.scenario.vary import quantity
from cascadesim.studies.aims import Trial
from cascadesim.studies.replay import part_of
from cascadesim.studies.replications import Variant, variant_of
from cascadesim.studies.runs import run_alone
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cascadesim.scenario.load import Scenario
    from cascadesim.scenario.vary import Vary
    from cascadesim.studies.aims import Aims, Settings
    from cascadesim.studies.execution import Runner
    from cascadesim.studies.replay import Progress

# How many settings are asked for before any of them is told: always as many, or what is proposed
# would depend on the number of cores. It keeps some busy, and does not propose blindly for long.
BATCH = 8
_MOST_ASKED = 3  # times the budget, as repeated settings cost none of it
_LARGE_RATIO = 10  # of the ends of a range, from which on its orders of magnitude count


class Tunable:
    """A setting to tune, where it stands today, and the values that it may have."""

    def __init__(self, vary: Vary, scenario: Scenario) -> None:
        self.vary = vary
        self.path = vary.path
        try:
            self._location = locate(scenario.document.data, vary.path)
        except UnknownPath as error:
            raise ScenarioError(str(error), f"--tune {vary.path}") from None
        self._today = at(scenario.model, self._location)
        written = at(scenario.document.data, self._location)
        self.standing = self._default() if written is None else written

    def _default(self) -> Any:
        """Return today's value, which is not written, as it would be; None for none."""
        unit, value = self.vary.unit, self._today
        if not unit or not isinstance(value, int | float):
            return value
        return f"{value * 100:g}%" if unit == "%" else f"{value:g}{unit}"

    def is_today(self, scenario: Scenario) -> bool:
        """Return whether the setting has today's value in a scenario."""
        return bool(at(scenario.model, self._location) == self._today)

    def choices(self) -> Sequence[Any] | None:
        """Return every value as it is written, None for a range of real numbers."""
        if self.vary.values:
            return self.vary.values
        if self.vary.whole:
            return range(int(self.vary.low), int(self.vary.high) + 1)
        return None

    def ends(self) -> list[Any]:
        """Return the values to check: all of a list, and the ends of a range."""
        if self._is_list:
            return list(self.vary.values)
        first, *others = self.vary.values or map(self.vary.written, (self.vary.low, self.vary.high))
        return [first, *others[-1:]]

    @property
    def _is_list(self) -> bool:
        """Return whether values are given one by one, and not as a range with a step."""
        return bool(self.vary.values) and self.vary.low == self.vary.high

    def today(self, scenario: Scenario) -> float | None:
        """Return today's value as a number that Optuna would propose, None where it could not."""
        if self._is_list:
            return next((i for i, v in enumerate(self.vary.values) if self._is(scenario, v)), None)
        if isinstance(self._today, bool) or not isinstance(self._today, int | float):
            return None
        number = self._today * (100 if self.vary.unit == "%" else 1)
        if self.vary.values:
            steps = (quantity(value)[0] for value in self.vary.values)
            return next((i for i, step in enumerate(steps) if step == number), None)
        return number if self.vary.low <= number <= self.vary.high else None

    def _is(self, scenario: Scenario, value: Any) -> bool:
        try:
            return self.is_today(scenario.override({self.path: value}))
        except ScenarioError:  # that needs others to be different, too
            return False

    def written(self, number: float) -> Any:
        """Return a number that Optuna proposes as it is written."""
        return self.vary.values[int(number)] if self.vary.values else self.vary.written(number)

    def suggest(self, trial: Any) -> Any:
        """Return the value that an Optuna trial proposes, as it is written."""
        low, high = self.vary.low, self.vary.high
        log = low > 0 and high >= _LARGE_RATIO * low
        if self._is_list:
            number = trial.suggest_categorical(self.path, [*range(len(self.vary.values))])
        elif self.vary.values:
            number = trial.suggest_int(self.path, 0, len(self.vary.values) - 1)
        elif self.vary.whole:
            number = trial.suggest_int(self.path, int(low), int(high), log=log)
        else:
            number = trial.suggest_float(self.path, low, high, log=log)
        return self.written(number)


def check_settings(scenario: Scenario, tunables: Sequence[Tunable]) -> None:
    """Raise the ScenarioError of a value that the scenario refuses whatever the others are.

    The ends of a range and every value of a list are tried, each alone and with the ends of the
    others.
    """
    lowest, highest = ({t.path: t.ends()[end] for t in tunables} for end in (0, -1))
    for tunable in tunables:
        for value in tunable.ends():
            errors = []
            for others in ({}, lowest, highest):
                try:
                    scenario.override(others | {tunable.path: value}, "--tune")
                except ScenarioError as error:
                    errors.append(error)
            if len(errors) == 3:
                raise errors[0]


@dataclass
class Tried:
    """Settings that were tried, of a scenario that stands as it is today; runs each once.

    `progress` is called with the share of the replications that are done, of `most` settings.
    """

    scenario: Scenario
    aims: Aims
    replications: int
    seed: int
    runner: Runner
    progress: Progress
    most: int
    trials: list[Trial] = field(default_factory=list)
    known: dict[str, Trial] = field(default_factory=dict)

    def run(self, batch: Sequence[Settings]) -> list[Trial]:
        """Return the trials of settings, in order; those that are known are not run again."""
        new = {flow(settings): settings for settings in batch}
        self.run_new({key: (new[key], new[key]) for key in new if key not in self.known})
        return [self.known[flow(settings)] for settings in batch]

    def run_new(self, batch: Mapping[str, tuple[Settings, Settings]]) -> None:
        """Run changes of the scenario, and keep the settings that they make."""
        variants = [self._variant(changes) for changes, _ in batch.values()]
        accepted = [variant for variant in variants if variant is not None]
        progress = part_of(self.progress, len(self.trials), self.most, len(batch))
        kept = iter(run_alone(accepted, self.seed, self.replications, self.runner, progress))
        for variant, (key, (_, settings)) in zip(variants, batch.items(), strict=True):
            runs = None if variant is None else next(kept)
            self.known[key] = Trial(len(self.trials), settings, runs)
            self.trials.append(self.known[key])

    def _variant(self, changes: Settings) -> Variant | None:
        """Return what to run for settings, None where the scenario refuses them."""
        try:
            changed = self.scenario.override(changes, "--tune")
        except ScenarioError:  # values that do not go together, each of which is fine
            return None
        return replace(variant_of(changed), objectives=self.aims.constraints)


def search(tried: Tried, tunables: Sequence[Tunable]) -> list[Trial]:
    """Try settings, `tried.most` at most, each in the same replications; today's are the first.

    The trials are the same for the same seed with any runner.
    """
    numbers = {tunable.path: tunable.today(tried.scenario) for tunable in tunables}
    today = {path: number for path, number in numbers.items() if number is not None}
    inside = len(today) == len(numbers)
    combinations = _combinations(tunables, tried.most - (not inside))
    optuna: Any = None
    if combinations is None:
        optuna = optional("optuna", "Optuna", "search", "cascadesim optimize")
    standing = {tunable.path: tunable.standing for tunable in tunables}
    # As a search would write them, where it could.
    proposed = {t.path: t.written(today[t.path]) for t in tunables} if inside else standing
    tried.run_new({flow(proposed): ({}, standing)})
    if combinations is None:
        _propose(optuna, tried, tunables, today if inside else None)
    else:
        while batch := list(itertools.islice(combinations, BATCH)):
            tried.run(batch)
    return tried.trials


def _combinations(tunables: Sequence[Tunable], most: int) -> Iterator[Settings] | None:
    """Return every combination of values, None where there are more than `most`."""
    choices = [tunable.choices() for tunable in tunables]
    known = [values for values in choices if values is not None]
    if len(known) < len(choices) or math.prod(map(len, known)) > most:
        return None
    paths = [tunable.path for tunable in tunables]
    return (dict(zip(paths, values, strict=True)) for values in itertools.product(*known))


def _propose(
    optuna: Any, tried: Tried, tunables: Sequence[Tunable], today: Mapping[str, float] | None
) -> None:
    # Optuna logs a line for every trial.
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(
            seed=tried.seed % 2**32, multivariate=True, constant_liar=True
        )
        directions = ["minimize"] * len(tried.aims.goals)
        study = optuna.create_study(directions=directions, sampler=sampler)
        if today is not None:
            study.enqueue_trial(dict(today))
        asked = 0
        while len(tried.trials) < tried.most and asked < _MOST_ASKED * tried.most:
            asks = [study.ask() for _ in range(min(BATCH, tried.most - len(tried.trials)))]
            asked += len(asks)
            settings = [{t.path: t.suggest(ask) for t in tunables} for ask in asks]
            for ask, trial in zip(asks, tried.run(settings), strict=True):
                ask.set_constraint("excess", tried.aims.excess(trial.runs))
                costs = list(tried.aims.costs(trial.runs))
                pruned = any(map(math.isnan, costs))
                state = optuna.trial.TrialState.PRUNED if pruned else None
                study.tell(ask, None if pruned else costs, state)
    finally:
        optuna.logging.set_verbosity(level)
