"""What all parts of the schema are made of: strict mappings, choices of a kind, and names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from cascadesim.values.errors import show, suggest
from cascadesim.values.sources import Followed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import GetJsonSchemaHandler
    from pydantic.config import JsonDict
    from pydantic_core import CoreSchema


# Names stand in dotted paths and in lists on the command line.
NAME_PATTERN = r"^[^\s\x00-\x1f\x7f.=,]+$"
DOTTED_PATTERN = r"^[^\s.]+(\.[^\s.]+)*$"
Name = Annotated[
    str, Field(strict=True, pattern=NAME_PATTERN, json_schema_extra={"x-value": "name"})
]
NO_OTHERS: JsonDict = {"additionalProperties": False}  # than those whose key is a name


def problem(
    message: str, *at: str | int, key: bool = False, without: Sequence[str] = ()
) -> PydanticCustomError:
    """Return an error that stands `at` keys below the value that is being validated.

    `key` says that the last of them is itself what is wrong, and not its value; `without` lists
    keys beside it that must go for it to stay.
    """
    # Braces in the message would be read as placeholders.
    context = {"message": message, "at": at, "key": key, "without": without}
    return PydanticCustomError("scenario", "{message}", context)


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    FOLLOWS: ClassVar[Followed] = Followed()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema, in which properties have their sources."""
        said = handler(schema)
        properties = handler.resolve_ref_schema(said).get("properties", {})
        for name, field in cls.model_fields.items():
            followed = cls.FOLLOWS.of(name)
            if followed:
                properties[field.alias or name]["x-source"] = [source.said() for source in followed]
        return said

    @model_validator(mode="before")
    @classmethod
    def _check(cls, data: Any) -> Any:
        if isinstance(data, dict):
            cls._check_keys(data)
        return data

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        known = cls.known_keys()
        for key in data:
            if key not in known:
                message = f"unknown key {show(key)}; {suggest(str(key), known)}"
                raise problem(message, str(key), key=True)

    @classmethod
    def known_keys(cls) -> list[str]:
        """Return the keys as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    def default_of(self, key: str | int) -> Any:
        """Return what a key is where it is not written; None for one that there is not."""
        fields = type(self).model_fields
        return next((f.default for name, f in fields.items() if (f.alias or name) == key), None)


def example(name: str) -> str:
    """Return how the mapping of a class is written: as its docstring shows, or by what it needs."""
    waiting: list[type[Strict]] = [Strict]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__name__ != name:
            continue
        if written := re.search(r"`(?:- )?(\{.*?\})`", " ".join((model.__doc__ or "").split())):
            return f"a mapping such as {written[1]}"
        if issubclass(model, Choice):
            return f"a mapping with one of: {', '.join(model.kinds())}"
        fields = model.model_fields.items()
        needed = [field.alias or key for key, field in fields if field.is_required()]
        if needed:
            return f"a mapping such as {{{', '.join(f'{key}: …' for key in needed)}}}"
    return "a mapping"


def held(value: Any) -> dict[str | int, Any] | None:
    """Return what a part of a scenario holds by key or index, None for a single value."""
    if isinstance(value, Strict):
        fields = type(value).model_fields.items()
        return {field.alias or name: getattr(value, name) for name, field in fields}
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else None


def one_kind(schema: dict[str, Any], model: type[Choice]) -> None:
    """Say in a JSON Schema that exactly one kind is given, and not null."""
    for kind in model.kinds():
        settings = schema["properties"][kind]
        del settings["default"]
        settings |= settings.pop("anyOf")[0]
    schema["oneOf"] = [{"required": [kind]} for kind in model.kinds()]


class Choice(Strict):
    """A mapping with one key that names the kind, with that kind's settings.

    The keys in BESIDE may stand next to it.
    """

    model_config = ConfigDict(json_schema_extra=one_kind)
    BESIDE: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        kinds = cls.kinds()
        given = [key for key in data if key in kinds]
        if not given:
            raise problem(f"expected exactly one of: {', '.join(kinds)}; got none")
        if len(given) > 1:
            message = f'"{given[0]}" is given too; keep exactly one of: {", ".join(kinds)}'
            raise problem(message, given[-1], key=True, without=given[:-1])
        if data[given[0]] is None:
            raise problem("expected a value or settings ({} for none), got nothing", given[0])

    @classmethod
    def kinds(cls) -> list[str]:
        """Return the keys of which exactly one is given."""
        return [key for key in cls.known_keys() if key not in cls.BESIDE]

    @property
    def kind(self) -> str:
        """Return the key that was given."""
        return next(key for key in self.kinds() if key in self.model_fields_set)

    @property
    def chosen(self) -> Any:
        """Return the settings of the kind that was given."""
        return getattr(self, self.kind)


class Kind(Protocol):
    """The settings of one kind in a choice."""

    SUMMARY: ClassVar[str]


def choice_of(name: str, base: type[Choice], kinds: Mapping[str, type[Kind]]) -> type[Choice]:
    """Return a choice between these kinds of settings, by the key that stands for a kind."""
    fields: dict[str, Any] = {
        kind: (settings | None, Field(None, description=settings.SUMMARY))
        for kind, settings in kinds.items()
    }
    return create_model(
        name, __base__=base, __doc__=base.__doc__, __module__=base.__module__, **fields
    )
