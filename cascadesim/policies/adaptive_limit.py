"""Adaptive limit: as many calls at once as answer times and drops seem to allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from cascadesim.policies.plan import PolicyPlan, Room
from cascadesim.policies.settings import ErrorName, Policy, outcomes_of
from cascadesim.values import sources
from cascadesim.values.sources import follows
from cascadesim.values.strict import problem
from cascadesim.values.units import Count, Number, PositiveDuration, Whole

if TYPE_CHECKING:
    from cascadesim.values.outcome import Outcome

# Of Netflix's concurrency-limits, by algorithm: AIMDLimit, Gradient2Limit and VegasLimit.
DEFAULTS: dict[str, dict[str, Any]] = {
    "aimd": {"initial": 20, "min": 20, "max": 200, "backoff_ratio": 0.9, "timeout": 5.0},
    "gradient2": {
        **{"initial": 20, "min": 20, "max": 200},
        **{"smoothing": 0.2, "queue_size": 4, "long_window": 600},
    },
    "vegas": {"initial": 20, "min": 1, "max": 1000, "smoothing": 1.0, "probe_multiplier": 30},
}
_KEYS = tuple(dict.fromkeys(key for keys in DEFAULTS.values() for key in keys))


def _by_algorithm(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema which defaults an algorithm has."""
    said = {
        name: {key: f"{value:g}s" if key == "timeout" else value for key, value in defaults.items()}
        for name, defaults in DEFAULTS.items()
    }
    by_name = {name: {"settings": settings} for name, settings in said.items()}
    schema["x-defaults"] = {"algorithm": by_name}


class AdaptiveLimit(Policy):
    """Limits the calls through it to what answer times and drops allow, as Netflix's does."""

    KIND: ClassVar[str] = "adaptive_limit"
    SUMMARY: ClassVar[str] = "limits the calls through it by how they fare"
    model_config = ConfigDict(json_schema_extra=_by_algorithm)
    FOLLOWS = follows(sources.ADAPTIVE_LIMIT, name=(), enabled=())

    algorithm: Literal["aimd", "gradient2", "vegas"] = Field(
        "gradient2", description="by drops, by how answer times change, or by how many calls queue"
    )
    initial: Count | None = Field(
        None, description="calls let through at once at first; 20 by default, or max if less"
    )
    min: Count | None = Field(
        None,
        description="least the limit can be; 20 by default, 1 of vegas, or initial if less",
    )
    max: Count | None = Field(
        None, description="most the limit can be; 200 by default, 1000 of vegas"
    )
    outcomes: list[ErrorName] = Field(
        ["rejected", "shed", "timed_out"],
        description="outcomes that count as drops; others are ignored",
    )
    backoff_ratio: Annotated[Number, Field(ge=0.5, lt=1)] | None = Field(
        None, description="what is left of the limit after a drop, of aimd; 0.9 by default"
    )
    timeout: PositiveDuration | None = Field(
        None, description="time after which an answer counts as a drop, of aimd; 5s by default"
    )
    smoothing: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None,
        description="weight of the newest estimate, of gradient2 (0.2 by default) and vegas (1)",
    )
    queue_size: Whole | None = Field(
        None, description="calls that may queue, of gradient2; 4 by default"
    )
    long_window: Count | None = Field(
        None, description="calls in the long-term average, of gradient2; 600 by default"
    )
    probe_multiplier: Count | None = Field(
        None,
        description="calls for each of the limit after which vegas forgets the shortest; 30 by "
        "default",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        usual = DEFAULTS[self.algorithm]
        for key in _KEYS:
            if getattr(self, key) is not None and key not in usual:
                of = " and ".join(name for name, keys in DEFAULTS.items() if key in keys)
                raise problem(f"is a setting of algorithm: {of}", key, key=True)
        most = usual["max"] if self.max is None else self.max
        for key in ("initial", "min"):
            if (getattr(self, key) or 0) > most:
                raise problem(f"must not be more than max, which is {most}", key)
        if self.min is not None and self.min > (self.initial or min(usual["initial"], most)):
            raise problem("must not be more than initial", "min")
        return self

    def plan(self, name: str) -> AdaptiveLimitPlan:
        """Return the plan, with the defaults that its algorithm has in the library."""
        given = {key: getattr(self, key) for key in _KEYS if getattr(self, key) is not None}
        values = DEFAULTS[self.algorithm] | given
        values["initial"] = given.get("initial", min(values["initial"], values["max"]))
        values["min"] = given.get("min", min(values["min"], values["initial"]))
        outcomes = outcomes_of(self.outcomes)
        return AdaptiveLimitPlan(name, self.algorithm, outcomes=outcomes, **values)


@dataclass(frozen=True, slots=True)
class AdaptiveLimitPlan(PolicyPlan):
    """Settings of one adaptive limit; the algorithms take those that they know.

    `algorithm` is "aimd", "gradient2" or "vegas"; `timeout` is in seconds.
    """

    kind: ClassVar[str] = "adaptive_limit"
    algorithm: str
    initial: int
    min: int
    max: int
    outcomes: frozenset[Outcome]  # that count as drops
    backoff_ratio: float = 0.9
    timeout: float = 5.0
    queue_size: int = 4
    long_window: int = 600
    smoothing: float = 0.2
    probe_multiplier: int = 30

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the setting that can refuse a call."""
        return ("algorithm",)

    @property
    def ends_silent(self) -> bool:
        """Return that it refuses calls when nothing inside answers."""
        return True

    @property
    def moving_limit(self) -> int:
        """Return the most that the limit can be."""
        return self.max

    def lets_in(self, where: str) -> Room:
        """Return how many calls it lets inside at most."""
        return Room(f"{where}.max", self.max)

    def keeps(self, where: str) -> Room:
        """Return how many calls have room in it: nobody waits."""
        return Room(f"{where}.max", self.max)
