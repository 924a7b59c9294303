"""Positions of a slider: the values that a setting may have, and which of them is today's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.scenario.listing import setting
from cascadesim.scenario.source import flow
from cascadesim.scenario.vary import Vary, check_paths, is_fixed, quantity, varied
from cascadesim.studies.design import varies_of
from cascadesim.studies.search import Tunable
from cascadesim.values.errors import ScenarioError, cut, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.scenario.load import Scenario

MOST = 100  # steps of a range that has none of its own
_LONGEST = 40  # characters of a value
_SOURCE = "cascadesim.explore"


@dataclass(frozen=True, slots=True)
class Positions:
    """A setting by dotted path, its values as they are written, and the place of today's."""

    path: str
    values: tuple[Any, ...]
    today: int

    @property
    def labels(self) -> list[str]:
        """Return the values as short texts."""
        return [
            "none" if value is None else cut(one_line(flow(value)), _LONGEST)
            for value in self.values
        ]

    def marked(self, place: int) -> str:
        """Return the label at a place, and today's beside it."""
        label, today = self.labels[place], self.labels[self.today]
        return f"{label} (today)" if place == self.today else f"{label} (today: {today})"


def chosen(scenario: Scenario, vary: Sequence[Vary | str]) -> list[Vary]:
    """Return what to vary, or else what the sweep varies, or else what variants change.

    Raises ScenarioError where there is nothing, and for what cannot be varied.
    """
    if vary:
        given = varies_of(vary, _SOURCE)
        paths = [one.path for one in given]
        for i, path in enumerate(paths):
            check_paths(paths[: i + 1], f"{_SOURCE} {path}")
        return given
    if scenario.model.sweep is not None:
        return varied(scenario.document, scenario.model.sweep.vary)
    if of_variants := _of_variants(scenario):
        return of_variants
    message = (
        "has no sweep, and no variant changes a setting, so say what to explore: "
        'explore(scenario, "agent.deadline.timeout=1s..60s")'
    )
    raise ScenarioError(message, scenario.document.source)


def _of_variants(scenario: Scenario) -> list[Vary]:
    """Return what variants change, from the least of their values to the greatest.

    Without what only other changes make possible.
    """
    values: dict[str, list[Any]] = {}
    for name in scenario.variants:
        for path, value in scenario.changed(name).items():
            if not is_fixed(path):
                values.setdefault(path, [setting(scenario.document.data, path)]).append(value)
    return [
        _spanned(path, [value for value in of_path if value is not None])
        for path, of_path in values.items()
        if not _refused(scenario, path, of_path[1:])
    ]


def _spanned(path: str, values: list[Any]) -> Vary:
    """Return a range over values if they are numbers of one kind, or else the list of them."""
    numbers = _numbers(values)
    if not numbers or min(numbers) == max(numbers):
        return Vary(path, tuple({flow(value): value for value in values}.values()))
    whole = all(isinstance(value, int) for value in values)
    return Vary(path, (), min(numbers)[0], max(numbers)[0], numbers[0][1], whole)


def positions(scenario: Scenario, vary: Vary) -> Positions:
    """Return the positions of a setting, today's value among them.

    Raises ScenarioError where the scenario has no such setting, or refuses all its values.
    """
    try:
        tunable = Tunable(vary, scenario)
    except ScenarioError as error:
        raise ScenarioError(error.problem, f"{_SOURCE} {vary.path}") from None
    values = list(vary.values) or _steps(vary)
    if refused := _refused(scenario, vary.path, [values[0], values[-1]]):
        raise refused
    today = tunable.standing
    place = tunable.today(scenario)
    if not vary.values:
        *numbers, number = _numbers([*values, today]) or [(math.nan, "")]
        place = numbers.index(number) if number in numbers else None
    if place is not None:
        return Positions(vary.path, tuple(values), int(place))
    at = _place(values, today)
    return Positions(vary.path, (*values[:at], today, *values[at:]), at)


def _refused(scenario: Scenario, path: str, values: list[Any]) -> ScenarioError | None:
    """Return the first error if every one of the values is refused."""
    errors = []
    for value in values:
        try:
            scenario.override({path: value}, _SOURCE)
        except ScenarioError as error:
            errors.append(error)
    return errors[0] if len(errors) == len(values) else None


def _steps(vary: Vary) -> list[Any]:
    """Return the ends of a range and round values between them, MOST steps or fewer."""
    span = vary.high - vary.low
    magnitude = 10.0 ** math.floor(math.log10(span / MOST))
    step = next(magnitude * k for k in (1, 2, 5, 10) if magnitude * k * MOST >= span * (1 - 1e-9))
    step = max(step, 1.0) if vary.whole else step
    first = math.floor(vary.low / step) + 1
    inside = range(first, math.ceil(vary.high / step))
    numbers = [vary.low, *(i * step for i in inside), vary.high]
    return list(dict.fromkeys(map(vary.written, numbers)))


def _place(values: list[Any], today: Any) -> int:
    """Return where today's value belongs among others: in order, or else first."""
    numbers = _numbers([*values, today])
    return sum(number < numbers[-1] for number in numbers[:-1]) if numbers else 0


def _numbers(values: list[Any]) -> list[tuple[float, str]]:
    """Return values as numbers with their unit, none of them if not all are of one kind."""
    try:
        numbers = [quantity(value)[:2] for value in values]
    except PydanticCustomError:
        return []
    return numbers if len({unit for _, unit in numbers}) == 1 else []
