"""Faults of a scenario: timed changes of stages and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema

from cascadesim.faults.registry import settings_by_kind
from cascadesim.values import sources
from cascadesim.values.errors import show
from cascadesim.values.sources import follows
from cascadesim.values.strict import Choice, Strict, choice_of, one_kind, problem
from cascadesim.values.units import Instant, PositiveDuration

if TYPE_CHECKING:
    from collections.abc import Mapping


def _targets(value: Any) -> str | list[str]:
    names = value if isinstance(value, list | tuple) else [value]
    if not names:
        raise problem("expected the name of a stage, or several in a list, got an empty list")
    for i, name in enumerate(names):
        at = () if names is not value else (i,)
        if not isinstance(name, str):
            hint = f'; write "{show(name)}" in quotes' if isinstance(name, int | float) else ""
            raise problem(f"expected the name of a stage, got {show(name)}{hint}", *at)
        if name in names[:i]:
            raise problem(f"{show(name)} stands twice in the list; leave one out", *at)
    return list(names) if names is value else names[0]


_NAMES = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
Targets = Annotated[
    str | list[str],
    PlainValidator(_targets),
    WithJsonSchema({"anyOf": [{"type": "string"}, _NAMES], "examples": ["a", ["a", "b"]]}),
]


class Random(Strict):
    """Times of a fault that comes again and again: exponential, drawn for each replication."""

    FOLLOWS = follows(sources.RENEWAL)

    mtbf: PositiveDuration = Field(
        description="mean time between failures: from the end of one, or t = 0, to the next"
    )
    mttr: PositiveDuration = Field(description="mean time to repair: how long each lasts")


def _one_kind_and_time(schema: dict[str, Any], model: type[Choice]) -> None:
    """Say in a JSON Schema that a fault has one kind, and is either planned or random."""
    one_kind(schema, model)
    for key in ("from", "for", "random"):
        settings = schema["properties"][key]
        del settings["default"]
        forms = [form for form in settings.pop("anyOf") if form != {"type": "null"}]
        settings |= {"anyOf": forms} if len(forms) > 1 else forms[0]
    neither = {"not": {"anyOf": [{"required": ["from"]}, {"required": ["for"]}]}}
    schema["anyOf"] = [
        {"required": ["from", "for"], "not": {"required": ["random"]}},
        {"required": ["random"], **neither},
    ]


class Timed(Choice):
    """A timed change of a stage: `{on: agent, from: 1min, for: 45s, outage: {}}`.

    At random times: `{on: agent, random: {mtbf: 10min, mttr: 30s}, outage: {}}`.
    """

    model_config = ConfigDict(json_schema_extra=_one_kind_and_time)
    BESIDE = ("on", "from", "for", "random")
    FOLLOWS = follows(random=sources.RENEWAL)

    on: Targets = Field(description="the stage, or several that have it at the same times")
    start: Instant | None = Field(
        None, alias="from", description="time after t = 0, or by the clock"
    )
    duration: PositiveDuration | None = Field(None, alias="for", description="how long it lasts")
    random: Random | None = Field(
        None, description="in place of from and for: how often it comes, and how long it lasts"
    )

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        for key in ("from", "for", "random"):
            if key in data and data[key] is None:
                raise problem("expected a value, got nothing", key)
        planned = [key for key in ("from", "for") if key in data]
        if "random" in data and planned:
            message = f'"{planned[0]}" is given too; keep random, or from and for'
            raise problem(message, "random", key=True, without=planned)
        if "random" not in data and len(planned) < 2:
            missing = "for" if planned == ["from"] else "from"
            raise problem(f'"{missing}" is missing; a fault has from and for, or random')

    @property
    def stages(self) -> list[str]:
        """Return the names of the stages that have it."""
        return [self.on] if isinstance(self.on, str) else self.on


if TYPE_CHECKING:
    Fault = Timed
else:
    Fault = choice_of("Fault", Timed, settings_by_kind())
