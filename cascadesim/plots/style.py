"""What figures share: colours and markers that tell lines apart, and the names of measures."""

from __future__ import annotations

from matplotlib.ticker import LogFormatter

from cascadesim.scenario.objectives import RATES

# Okabe and Ito's colours, told apart by colour-blind readers; the markers by those who see grey.
# There are 7 and 8 of them, so that a pair comes again only after 56 lines.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
MOST = len(COLOURS) * len(MARKERS)


def measure_label(measure: str) -> str:
    """Return the label of an axis for one of MEASURES, with its unit."""
    if measure == "goodput":
        return "goodput in replies per second"
    if measure in RATES:
        return measure.replace("_", " ")
    return "mean latency in seconds" if measure == "mean" else f"{measure} in seconds"


class LogSeconds(LogFormatter):
    """Labels the ticks that LogFormatter would, but never as powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        return f"{x:g}" if super().__call__(x, pos) else ""
