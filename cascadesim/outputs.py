"""Pictures and files of results by name, and where each is made.

`Result.plot`, `Sweep.plot` and the like are methods of results, but what draws and writes them
stands above the studies, and is slow to import. So a result knows the name alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "draw": "cascadesim.plots.kinds",
    "export": "cascadesim.export",
    "optimization": "cascadesim.plots.optimize",
    "sweep": "cascadesim.plots.sweep",
}


def output(name: str) -> Any:
    """Return the function of that name, which makes a picture or a file of a result."""
    return getattr(import_module(_HOMES[name]), name)
