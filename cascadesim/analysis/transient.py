"""When the transient at the beginning of a run is over, which a warm-up should outlast."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cascadesim.analysis.intervals import mser5

if TYPE_CHECKING:
    from cascadesim.records import Records


class Transient(NamedTuple):
    """When the latencies have settled, in seconds rounded up, and whether the run can tell that."""

    end: float
    told: bool


def transient(records: Records, until: float) -> Transient:
    """Return the transient of the latencies of requests that arrive before `until` (MSER-5).

    Where they are too few to tell, half of them are taken for it. Warm-up makes no difference.
    """
    background = (records.observation < 0) & (records.arrival < until)
    cut = mser5(records.latency[background])
    arrivals = records.arrival[background]
    first = len(arrivals) // 2 if cut is None else cut
    # A millisecond more, so that the text of it in decimals is not a hair below.
    end = round(float(arrivals[first - 1]) + 0.001, 3) if first else 0.0
    return Transient(end, cut is not None)
