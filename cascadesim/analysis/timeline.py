"""Where one request was, and for how long, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from cascadesim.analysis.decomposition import rounded
from cascadesim.plan.causes import CAUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cascadesim.plan.layout import Part
    from cascadesim.records import Trace

WORK = ("agent_execution", "service_work", "connect", "fallback")  # causes that are no wait
_MINOR = 0.01  # the share of a latency below which steps that follow each other are one


@dataclass(frozen=True, slots=True)
class Step:
    """So many seconds from an instant on (`at`, also in seconds), and the parts they went to.

    Several parts where each is a small share of the request's latency.
    """

    at: float
    seconds: float
    parts: tuple[Part, ...]

    @property
    def words(self) -> str:
        """Return what happened meanwhile, such as "waiting for agent.breaker to recover"."""
        return ", ".join(CAUSES[part.cause].doing.format(part.where) for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data."""
        parts = [(part.where, part.cause, part.setting) for part in self.parts]
        keys = ("where", "cause", "setting")
        return {
            "at_s": self.at,
            "duration_s": self.seconds,
            "words": self.words,
            "parts": [dict(zip(keys, part, strict=True)) for part in parts],
        }


def timeline(trace: Trace, row: int) -> tuple[Step, ...]:
    """Return the steps of the request in a row of the records; they add up to its latency.

    Of parallel stages they are those of the critical path.
    """
    minor = _MINOR * float(trace.records.latency[row])
    steps = list(_merged(_spans(trace, row), lambda step: step.parts))
    # Each that is not minor has a key of its own, so that it stays alone.
    keys = {id(step): -1 if step.seconds < minor else i for i, step in enumerate(steps)}
    return tuple(_merged(steps, lambda step: keys[id(step)]))


def _spans(trace: Trace, row: int) -> Iterator[Step]:
    for i in np.flatnonzero((trace.request == row) & (trace.branch == 0)):
        start, end = float(trace.start[i]), float(trace.end[i])
        yield Step(start, end - start, (trace.records.parts[trace.part[i]],))


def _merged(steps: Iterable[Step], key: Any) -> Iterator[Step]:
    for _, group in groupby(steps, key):
        alike = list(group)
        parts = tuple(dict.fromkeys(part for step in alike for part in step.parts))
        yield Step(alike[0].at, sum(step.seconds for step in alike), parts)


def rounded_steps(steps: Sequence[Step], latency: float, digits: int = 3) -> list[int]:
    """Return the seconds of steps in units of 10**-digits, which add up to the rounded latency."""
    return [*rounded({i: step.seconds for i, step in enumerate(steps)}, latency, digits).values()]
