"""Settings before and after, and which of them matter to the p99."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascadesim.analysis.composition import composition
from cascadesim.scenario.listing import setting
from cascadesim.scenario.source import flow
from cascadesim.studies.compare import compare
from cascadesim.studies.replay import part_of
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.scenario.load import Scenario
    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.execution import Execution

MOST_REPLICATIONS = 4  # in which settings are changed back, as there are many of them
MOVES = 0.01  # the share of the p99 from which a change counts
GOVERNS = 0.05  # the share of the p99 from which a setting is blamed
_UNSET = "not set"


@dataclass(frozen=True, slots=True)
class SettingEffect:
    """One setting that a variant has other than the first one.

    Values are as they are written. `blamed` and `first_blamed` are the shares of the p99 of the
    variant, and of the first one, that the setting governs. `back` is how the p99 of the variant
    would change, in seconds, if this setting alone were what it is in the first one; None where
    that is no valid scenario. `p99` is the variant's in the same replications.
    """

    variant: str
    path: str
    first: str
    changed: str
    blamed: float
    first_blamed: float
    p99: float
    back: Contrast | None

    @property
    def moves(self) -> bool:
        """Return whether changing it back moves the p99, as far as replications show."""
        if self.back is None or not self.p99 > 0:
            return False
        # Of a single run nobody asks whether a difference is seen.
        alone = math.isnan(self.back.p_value) and math.isnan(self.back.interval.half_width)
        return (self.back.seen or alone) and abs(self.back.interval.estimate) >= MOVES * self.p99

    @property
    def matters(self) -> bool:
        """Return whether it moves the p99, or governs a share of it."""
        return self.moves or max(self.blamed, self.first_blamed) >= GOVERNS


def setting_effects(
    scenario: Scenario,
    comparison: Comparison,
    settings: Mapping[str, Any],
    execution: Execution,
    progress: Callable[[float], None] | None = None,
) -> tuple[SettingEffect, ...]:
    """Return what the variants of a comparison change, and what each change alone is worth.

    `settings` are those that every variant was given. A variant that changes one setting is its
    own comparison; the others are simulated again, with one setting changed back at a time.
    """
    labels = [label for label in comparison.results if label != comparison.first]
    effects: list[SettingEffect] = []
    for i, label in enumerate(labels):
        done = part_of(progress, i, len(labels))
        change = _Change(scenario, comparison, label, settings)
        effects += change.effects(execution, done)
    return tuple(effects)


class _Change:
    """What one variant changes."""

    def __init__(
        self,
        scenario: Scenario,
        comparison: Comparison,
        label: str,
        settings: Mapping[str, Any],
    ) -> None:
        self._comparison = comparison
        self._label = label
        self._given = dict(settings)
        if scenario.model.warmup == "auto":  # all measure the same requests
            self._given["warmup"] = f"{comparison.results[label].records.warmup}s"
        self._first = scenario.changed(comparison.first)
        self._changed = scenario.changed(label)
        self._base = scenario
        self._paths = [
            path
            for path in dict.fromkeys([*self._changed, *self._first])
            if self._text(label, path) != self._text(comparison.first, path)
        ]

    def effects(
        self, execution: Execution, progress: Callable[[float], None] | None
    ) -> Iterator[SettingEffect]:
        """Yield the effect of each setting."""
        p99, backs = self._backs(execution, progress)
        for path in self._paths:
            yield SettingEffect(
                variant=self._label,
                path=path,
                first=self._text(self._comparison.first, path),
                changed=self._text(self._label, path),
                blamed=self._blamed(self._label, path),
                first_blamed=self._blamed(self._comparison.first, path),
                p99=p99,
                back=backs.get(path),
            )

    def _text(self, label: str, path: str) -> str:
        value = setting(self._comparison.results[label].scenario.document.data, path)
        return _UNSET if value is None else flow(value)

    def _blamed(self, label: str, path: str) -> float:
        made = composition(self._comparison.results[label].records, "p99")
        governed = (
            seconds
            for governing, seconds in made.by_setting.items()
            if _within(governing, path) or _within(path, governing)
        )
        return sum(governed) / made.total if made.total else 0.0

    def _backs(
        self, execution: Execution, progress: Callable[[float], None] | None
    ) -> tuple[float, dict[str, Contrast]]:
        """Return the p99, and its difference with each setting changed back."""
        comparison = self._comparison
        p99 = comparison.percentile(self._label, "p99").estimate
        if len(self._paths) <= 1:
            back = comparison.differences[self._label]["p99"].turned
            return p99, dict.fromkeys(self._paths, back)
        changed = {
            path: scenario for path in self._paths if (scenario := self._back(path)) is not None
        }
        as_it_is = comparison.results[self._label].scenario.resolved()
        backwards = compare(
            as_it_is,
            *changed.values(),
            seed=comparison.results[self._label].seed,
            replications=min(comparison.count, MOST_REPLICATIONS),
            execution=execution,
            progress=progress,
        )
        labels = list(backwards.results)
        backs = {
            path: backwards.differences[label]["p99"]
            for path, label in zip(changed, labels[1:], strict=True)
        }
        return backwards.percentile(backwards.first, "p99").estimate, backs

    def _back(self, path: str) -> Scenario | None:
        """Return the variant with a setting, and what is inside it, as the first one has it."""
        settings = {
            changed: value for changed, value in self._changed.items() if not _within(changed, path)
        }
        if path in self._first:
            settings[path] = self._first[path]
        try:
            return self._base.override({**settings, **self._given}).resolved()
        except ScenarioError:
            return None  # no valid scenario without the other changes


def _within(path: str, outer: str) -> bool:
    return f"{path}.".startswith(f"{outer}.")
