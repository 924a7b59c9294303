"""Classes of requests, each with a path of its own through the stages that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.randomness import BLOCK, UNIFORM, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence


# Observed requests are numbered from here, so that they take no draw of the background traffic.
OBSERVED = 1 << 40
# Classes with arrivals of their own have numbers so far apart: a rate moves no draw of another's.
APART = 1 << 44
_KEPT = 64  # blocks of classes that were drawn


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A class of requests: the top-level stages that it passes, by position and in that order.

    `share` is the expected share of all requests that are of this class.
    """

    name: str
    path: tuple[int, ...]
    share: float


class Classes:
    """The class of each request, which depends on its number alone.

    With arrivals `apart` the number contains the class. Otherwise it is drawn; other shares leave
    the draw as it is, and only cut it elsewhere. `observed` are the classes of observed requests.
    """

    def __init__(
        self,
        plans: Sequence[ClassPlan],
        observed: Sequence[int],
        seed: int,
        replication: int,
        *,
        apart: bool,
    ) -> None:
        self._observed = observed
        self._apart = apart
        self._draws = Stream(seed, replication, "workload.class", UNIFORM)
        # Without the last cut: it is 1, and rounding could make it less.
        self._cuts = np.cumsum([plan.share for plan in plans])[:-1]
        self._blocks: dict[int, bytes] = {}

    def of(self, number: int) -> int:
        """Return the position of the class of a request."""
        if OBSERVED <= number < OBSERVED + len(self._observed):
            return self._observed[number - OBSERVED]
        if self._apart:
            return number // APART
        block = self._blocks.get(number // BLOCK)
        if block is None:
            block = self._draw(number // BLOCK)
        return block[number % BLOCK]

    def _draw(self, index: int) -> bytes:
        """Return the classes of a block of requests; a dropped one is drawn again."""
        if len(self._blocks) >= _KEPT:
            del self._blocks[next(iter(self._blocks))]
        chosen = np.searchsorted(self._cuts, self._draws.block(index), side="right")
        self._blocks[index] = chosen.astype(np.uint8).tobytes()
        return self._blocks[index]
