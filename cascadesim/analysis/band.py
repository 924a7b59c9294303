"""The requests that speak for a percentile.

The one request at a percentile says little of its causes, so those round it speak for it. The
measured requests are sorted by latency; the band is the request at the percentile and as many on
each side as reach half way to the slowest, so ranks from q - (1 - q) / 2 to q + (1 - q) / 2: the
slowest 1.5 % but for the last 0.5 % for p99, the middle half for p50, and only the slowest one for
max. Of these it keeps those that took within NEAR of the percentile as long, since where latencies
jump, neighbours by rank may be requests of another kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cascadesim.analysis.percentiles import OK, share
from cascadesim.values.outcome import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cascadesim.records import Records

NEAR = 0.1  # share of the percentile


def measured_rows(records: Records, name: str) -> NDArray[np.intp]:
    """Return the rows of all measured requests; of the ok replies for a percentile of those."""
    chosen = records.measured
    if name.startswith(OK):
        chosen = chosen & (records.outcome == Outcome.OK)
    return np.flatnonzero(chosen)


def rows_of(records: Records, name: str) -> NDArray[np.intp]:
    """Return the rows of the requests that speak for a percentile, or for the mean."""
    rows = measured_rows(records, name)
    if name == "mean" or len(rows) == 0:
        return rows
    return rows[band(records.latency[rows], share(name))]


def band(latency: NDArray[np.float64], q: float) -> NDArray[np.intp]:
    """Return which requests lie round the quantile `q`, as indices into `latency`."""
    n = len(latency)
    order = np.argsort(latency, kind="stable")
    at = int(np.quantile(np.arange(n), q, method="inverted_cdf"))
    half = int(n * (1 - q) / 2)
    found = order[max(at - half, 0) : at + half + 1]
    target = latency[order[at]]
    near: NDArray[np.intp] = found[np.abs(latency[found] - target) <= NEAR * target]
    return near
