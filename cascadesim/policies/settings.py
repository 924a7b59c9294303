"""The settings that all policies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from cascadesim.values.outcome import Outcome
from cascadesim.values.strict import Name, Strict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascadesim.policies.plan import PolicyPlan

ErrorName = Literal["rejected", "shed", "timed_out", "failed"]
Errors = Annotated[list[ErrorName], Field(min_length=1)]
ALL_ERRORS: list[ErrorName] = ["rejected", "shed", "timed_out", "failed"]


class Policy(Strict):
    """Settings of any policy. `name` tells two of one kind apart in dotted paths."""

    KIND: ClassVar[str]  # the key in a scenario
    SUMMARY: ClassVar[str]  # a few words for the reference

    name: Name | None = Field(None, description="for dotted paths, in place of the kind")
    enabled: bool = Field(True, strict=True, description="false leaves the policy out")

    def plan(self, name: str) -> PolicyPlan:
        """Return the plan; `name` is the policy's in dotted paths."""
        raise NotImplementedError


def outcomes_of(names: Iterable[str]) -> frozenset[Outcome]:
    """Return the outcomes of these names."""
    return frozenset(Outcome[name.upper()] for name in names)
