"""A latency, or its change, taken apart: by cause and by stage, in parts that add up.

Also as they are printed: rounded by largest remainders, parts add up to the rounded whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cascadesim.analysis.composition import difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cascadesim.analysis.composition import Composition
    from cascadesim.plan.layout import Part

Key = TypeVar("Key")

REMEDY = "requests are unfinished at the end; a longer drain tells more"
_NAMED = 3  # places of a cause that a sentence names


@dataclass(frozen=True, slots=True)
class Decomposition:
    """By how much a percentile, or the mean, changed from one variant to another, and by what.

    `first_at_least` and `at_least` say that unfinished requests could move the latency
    before and after up.
    """

    name: str
    before: Composition
    after: Composition
    first_at_least: bool = False
    at_least: bool = False
    seen: bool | None = None  # whether replications show a difference; None where that is not asked

    @property
    def change(self) -> float:
        """Return the change in seconds."""
        return self.after.total - self.before.total

    @property
    def by_cause(self) -> dict[str, float]:
        """Return by how many seconds each cause grew, every cause of CAUSES in."""
        return difference(self.before.by_cause, self.after.by_cause)

    @property
    def by_part(self) -> dict[str, float]:
        """Return seconds by stage, policy or pool and cause, such as "agent.agent_execution"."""
        return difference(self.before.by_part, self.after.by_part)

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row a stage, policy or pool and cause.

        Columns: stage, where (such as agent.breaker), cause, setting (which governs it, but where
        a timeout ended the call), before_s and after_s (seconds of the latency), change_s.
        """
        import pandas as pd  # slow to import, and not every command needs it

        old, new = (_by_place(each) for each in (self.before, self.after))
        rows = []
        for place in dict.fromkeys([*old, *new]):
            (was, before), (now, after) = (each.get(place, (None, 0.0)) for each in (old, new))
            part = now or was
            assert part is not None
            names = (part.stage, part.where, part.cause, part.setting)
            rows.append((*names, before, after, after - before))
        columns = ["stage", "where", "cause", "setting", "before_s", "after_s", "change_s"]
        return pd.DataFrame(rows, columns=pd.Index(columns))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, the keys as the columns of `frame`."""
        return {
            "of": self.name,
            "change_s": self.change,
            "first_at_least": self.first_at_least,
            "at_least": self.at_least,
            "by_cause_s": self.by_cause,
            "parts": self.frame.to_dict("records"),
            "sentence": self.sentence,
        }

    @property
    def sentence(self) -> str:
        """Return it in words, such as "p99 fell by 49.7 s: 49.6 s less breaker wait (auth.breaker),
        0.1 s less connect (database.pool)"; the parts add up to the change as it is written.
        """
        if self.first_at_least and self.at_least:
            return f"{self.name} is a lower bound in both, so that its change is not known"
        digits = decimals(self.change)
        causes = rounded(self.by_cause, self.change, digits)
        parts = [
            f"{seconds(abs(units), digits)} {'more' if units > 0 else 'less'} "
            f"{cause.replace('_', ' ')}{self._places(cause, 1 if units > 0 else -1, digits)}"
            for cause, units in sorted(causes.items(), key=lambda item: -abs(item[1]))
            if units
        ]
        unseen = " (no difference seen)" if parts and self.seen is False else ""
        bound = self.first_at_least or self.at_least
        drain = f" ({REMEDY})" if bound else ""
        return f"{self._headline(digits)}{': ' if parts else ''}{', '.join(parts)}{unseen}{drain}"

    def _headline(self, digits: int) -> str:
        amount = seconds(abs(units_of(self.change, digits)), digits)
        rose = self.change > 0
        if not units_of(self.change, digits):
            bound = "at least " * self.at_least + "at most " * self.first_at_least
            return f"{self.name} is {f'{bound}as high' if bound else 'the same'}"
        verb, other = ("rose", "fell") if rose else ("fell", "rose")
        if not (self.at_least or self.first_at_least):
            return f"{self.name} {verb} by {amount}"
        if rose == self.at_least:
            return f"{self.name} {verb} by at least {amount}"
        return f"{self.name} {verb} by at most {amount}, or {other}"

    def _places(self, cause: str, sign: int, digits: int) -> str:
        """Return where a cause changed in the direction of its whole, in brackets."""
        grown = {
            part.removesuffix(f".{cause}"): by * sign
            for part, by in self.by_part.items()
            if part.endswith(f".{cause}") and units_of(by * sign, digits) > 0
        }
        names = sorted(grown, key=lambda name: -grown[name])
        shown = [*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])]
        return f" ({', '.join(shown)})" if shown else ""


def _by_place(made: Composition) -> dict[tuple[str, str], tuple[Part, float]]:
    # What governs a part may differ from variant to variant, and it is the same part.
    return {(part.where, part.cause): (part, value) for part, value in made.seconds.items()}


def rounded(amounts: Mapping[Key, float], total: float, digits: int) -> dict[Key, int]:
    """Return amounts as whole numbers of 10**-digits that add up to the rounded `total`.

    The amounts add up to the total, within float rounding. Each is rounded up or down (largest
    remainder), so that it is off by less than one unit.
    """
    scale = 10**digits
    found = {key: math.floor(amount * scale) for key, amount in amounts.items()}
    left = units_of(total, digits) - sum(found.values())
    # Those that are nearest to the next unit are rounded up; the first of equals.
    order = sorted(amounts, key=lambda key: found[key] - amounts[key] * scale)
    for key in order[: max(left, 0)]:
        found[key] += 1
    return found


def units_of(value: float, digits: int) -> int:
    """Return a value in whole units of 10**-digits, rounded as it is when printed."""
    return int(f"{value:.{digits}f}".replace(".", ""))


def decimals(value: float) -> int:
    """Return with how many decimals seconds are written in a sentence: three digits in all."""
    return 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3


def seconds(units: int, digits: int) -> str:
    """Return whole units of 10**-digits seconds in words, such as "49.7 s"."""
    return f"{units / 10**digits:.{digits}f} s"
