"""A worst case in seconds, split by the settings that allow it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Bound:
    """Seconds by the dotted path of the setting that allows them; they add up to the worst case."""

    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return the worst case in seconds."""
        return math.fsum(self.terms.values())

    def __add__(self, other: Bound) -> Bound:
        terms = dict(self.terms)
        for setting, seconds in other.terms.items():
            terms[setting] = terms.get(setting, 0.0) + seconds
        return Bound(terms)

    def times(self, factor: float) -> Bound:
        """Return the bound of going through the same thing `factor` times."""
        if factor == 0:
            return Bound()
        return Bound({setting: seconds * factor for setting, seconds in self.terms.items()})

    def capped(self, setting: str, seconds: float) -> Bound:
        """Return the bound under a timeout, with its setting and its length in seconds."""
        return self if self.total <= seconds else Bound({setting: seconds})
