"""Percentiles as bars, by cause: the picture of where the time went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.report.chapters import COMPOSED
from cascadesim.values.units import duration_text
from cascadesim.values.words import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.analysis.composition import Composition

_LETTER = 2.4  # percent of the widest bar that a letter takes, so that names fit


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: its cause, its share of the widest bar in percent, a name if it has room."""

    cause: str
    percent: float
    name: str


@dataclass(frozen=True, slots=True)
class Bar:
    """What one percentile of one variant is made of, in a picture and in words."""

    label: str
    total: str
    parts: tuple[Part, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of one percentile, to one scale."""

    percentile: str
    bars: tuple[Bar, ...]


def bars(compositions: Mapping[str, Mapping[str, Composition]]) -> tuple[Bars, ...]:
    """Return the bars of some percentiles, of compositions by label and percentile."""
    drawn = []
    for name in COMPOSED:
        made = {label: percentiles[name] for label, percentiles in compositions.items()}
        widest = max((composition.total for composition in made.values()), default=0.0)
        if widest > 0:
            bars = tuple(_bar(label, parts, widest) for label, parts in made.items())
            drawn.append(Bars(name, bars))
    return tuple(drawn)


def _bar(label: str, made: Composition, widest: float) -> Bar:
    causes = {cause: seconds for cause, seconds in made.by_cause.items() if seconds > 0}
    parts = []
    for cause, seconds in causes.items():
        percent = round(100 * seconds / widest, 2)
        parts.append(Part(cause, percent, _name(cause, percent)))
    text = ", ".join(f"{in_words(cause)} {duration_text(s)}" for cause, s in causes.items())
    total = duration_text(made.total)
    return Bar(label, total, tuple(parts), f"{label}: {total}, of which {text or 'nothing'}")


def _name(cause: str, percent: float) -> str:
    name = in_words(cause)
    return name if percent >= _LETTER * (len(name) + 1) else ""
