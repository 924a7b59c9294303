"""Documents become validated models, and pydantic's errors ours: scenarios, tests, baselines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from cascadesim.scenario.paths import dotted
from cascadesim.values.errors import ScenarioError, closest, show
from cascadesim.values.strict import Strict, example

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from cascadesim.scenario.source import Document, Location

M = TypeVar("M", bound=Strict)
Setting = Callable[[str, Any], str]  # how a user writes the value of a dotted path


def validated(
    document: Document,
    model: type[M],
    keys: str = "",
    folder: Path | None = None,
    setting: Setting | None = None,
) -> M:
    """Return the model of a document. Raises ScenarioError with file, line and column.

    `keys` are some that an error names, `folder` is where files beside it are, and `setting` says
    how a user would replace a setting.
    """
    if not isinstance(document.data, dict):
        keys = keys or ", ".join(model.known_keys()[:3])
        problem = f"expected a mapping with {keys}, …, got {show(document.data)}"
        raise ScenarioError(problem, document.mark(()))
    try:
        return model.model_validate(document.data, context=folder)
    except ValidationError as invalid:
        errors = [_located(document, error, setting) for error in invalid.errors(include_url=False)]
    raise min(errors, key=lambda error: (error.mark.line or 0, error.mark.column or 0))


def _located(document: Document, error: ErrorDetails, setting: Setting | None) -> ScenarioError:
    """Return pydantic's error with the place of it; `setting` says how a user would replace it."""
    context = error.get("ctx", {})
    location = (*error["loc"], *context.get("at", ()))
    is_key = context.get("key", False)
    if location and location[-1] == "[key]":  # so does pydantic say that a key is wrong
        location, is_key = location[:-1], True
    at = location[:-1] if error["type"] == "missing" else location
    problem = _problem(error, location)
    if setting and context.get("without"):
        kept = {k: v for k, v in error["input"].items() if k not in context["without"]}
        problem += f"; to replace it, write {setting(dotted(document.data, location[:-1]), kept)}"
    return ScenarioError(problem, document.mark(at, key=is_key), dotted(document.data, location))


# By pydantic's type of error; {got} is what the user wrote, {key} where it stands.
_PROBLEMS = {
    "missing": '"{key}" is missing',
    "model_type": "expected {example}, got {got}",
    "dict_type": "expected a mapping, got {got}",
    "list_type": "expected a list, got {got}",
    "string_type": "expected text, got {got}",
    "int_type": "expected a whole number, got {got}",
    "float_type": "expected a number, got {got}",
    "bool_type": "expected true or false, got {got}",
    "finite_number": "expected a finite number, got {got}",
    "greater_than": "must be more than {gt:.15g}, got {got}",
    "greater_than_equal": "must be at least {ge:.15g}, got {got}",
    "less_than": "must be less than {lt:.15g}, got {got}",
    "less_than_equal": "must be at most {le:.15g}, got {got}",
    "string_pattern_mismatch": 'expected a name without spaces, ".", "=" or ",", got {got}',
    "string_too_short": "expected some text, got {got}",
    "too_short": "expected at least one entry",
    "literal_error": "expected {words}, got {got}",
}


def _problem(error: ErrorDetails, location: Location) -> str:
    """Return what is wrong, in words that know YAML and not pydantic."""
    got, kind, context = error["input"], error["type"], error.get("ctx", {})
    if "message" in context:
        return str(context["message"])
    words = re.findall("'([^']*)'", str(context.get("expected", "")))
    template = _PROBLEMS.get(kind, "cannot be used, got {got}")
    said = {"got": show(got), "key": location[-1], "words": " or ".join(map(show, words))}
    if kind == "model_type":
        said["example"] = example(context["class_name"])
    problem = template.format_map(context | said)
    if got is None and location[:1] == ("variants",):
        return f"{problem}; write {{}} for a variant that changes nothing"
    return problem + _hint(kind, got, words)


def _hint(kind: str, got: Any, words: list[str]) -> str:
    if got is None and "null" in words:
        return '; write "null" in quotes'
    if kind == "string_type" and isinstance(got, bool | int | float):
        return f'; write "{show(got)}" in quotes'
    if kind == "list_type" and isinstance(got, str):
        return "; write it in [ ]"
    if isinstance(got, str) and (word := closest(got, words)):
        return f'; did you mean "{word}"?'
    return ""
