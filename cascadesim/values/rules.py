"""Rules: what warnings and causes say, each with a code and a page of fixed sections."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of contradiction between settings, of doubtful figure, or of cause of time.

    `code` is short and never used again for another rule. `name` says it in a few words. The page
    has the sections `says` (what is reported), `why` (why it is bad), `example` (YAML) and
    `instead` (what to do).
    """

    code: str
    name: str
    says: str
    why: str
    example: str
    instead: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Settings that contradict each other, by dotted path, and what follows from it."""

    rule: Rule
    settings: tuple[str, ...]
    problem: str

    @property
    def code(self) -> str:
        """Return the code of the rule."""
        return self.rule.code
