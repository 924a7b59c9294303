"""The rows of a replication while it runs: what is known of each request so far."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cascadesim.engine.simpy.request import Request
    from cascadesim.plan.layout import Layout

HEAD = 5  # columns before the seconds
_ROOM = 1024  # rows that there is room for at first, where their number is not known


class Rows:
    """One row a request: those that arrive at known instants, then those that clients add.

    `values` has the columns arrival, latency, retries, ended_by, cut, then the seconds of each
    part; `outcomes` the Outcome codes and `classes` the positions of classes, a byte a row. Only
    `used` rows are requests; the others are room for more. `numbers` are those of the rows added.
    `beside` has the seconds of some parts off the critical path.
    """

    def __init__(self, arrivals: NDArray[np.float64], layout: Layout, end: float) -> None:
        n = len(arrivals)
        # An arrival that rounding moves to the horizon is not sent, so rows begin as unfinished
        # requests.
        self._parts = layout.beside
        self.beside = np.zeros((n, len(layout.beside)))
        self.values = np.zeros((n, HEAD + len(layout.parts)))
        self.values[:, 0] = arrivals
        self.values[:, 1] = end - arrivals
        self.values[:, 3:HEAD] = -1
        self.outcomes = bytearray([Outcome.UNFINISHED]) * n
        self.classes = bytearray()
        self.numbers = array("q")
        self.used = n

    def add(self, number: int) -> int:
        """Return a new row, for the request with this number."""
        row = self.used
        self.numbers.append(number)
        if row == len(self.values):
            more = max(_ROOM, row)
            self.values = _longer(self.values, more)
            self.beside = _longer(self.beside, more)
            self.outcomes += bytearray([Outcome.UNFINISHED]) * more
            self.classes += bytes(more)
        self.used += 1
        return row

    def write(self, row: int, request: Request, now: float) -> None:
        """Write the ledger of a request, which ends it `now`."""
        request.enter(0, now)
        latency = now - request.arrival
        self.values[row] = [
            *(request.arrival, latency, request.retries, request.ended_by, request.cut),
            *request.parts,
        ]
        if request.beside is not None:
            self.beside[row] = [request.beside[part] for part in self._parts]


def _longer(rows: NDArray[np.float64], more: int) -> NDArray[np.float64]:
    return np.concatenate((rows, np.zeros((more, rows.shape[1]))))
