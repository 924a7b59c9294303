"""Samples of ranges, written as `sobol:256`: the kind, and how many."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cascadesim.values.errors import show
from cascadesim.values.units import Text, text_of

SAMPLES = ("sobol", "lhs", "saltelli")
PATTERN = rf"^\s*({'|'.join(SAMPLES)})\s*:\s*(0*[1-9][0-9]{{0,5}})\s*$"


def parse_size(text: Any) -> tuple[str, int]:
    """Return the kind of a sample and its number.

    Raises PydanticCustomError (a ValueError) saying what would be right.
    """
    match = re.fullmatch(PATTERN, text) if isinstance(text, str) else None
    if match is None:
        example = '"sobol:256", "lhs:100" or "saltelli:64"'
        message = f"expected a sample such as {example}, got {show(text)}"
        raise PydanticCustomError("sample", "{message}", {"message": message})
    kind, count = match[1], int(match[2])
    if kind != "lhs" and count & (count - 1):
        message = f"a sample by {kind} needs a power of 2, such as 64 or 256, got {count}"
        raise PydanticCustomError("sample", "{message}", {"message": message})
    return kind, count


def _checked(text: str) -> str:
    parse_size(text)
    return text


SampleText = Annotated[Text, AfterValidator(_checked), WithJsonSchema(text_of("sample", PATTERN))]
VALUES = {"sample": "a kind and how many: " + ", ".join(f"`{kind}:64`" for kind in SAMPLES)}
