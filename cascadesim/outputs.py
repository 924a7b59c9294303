"""Pictures, texts and files of results by name, and where each is made.

`Result.plot`, `Sweep.plot` and the like are methods of results, and results show themselves at a
prompt; but what draws and writes them stands above the studies, and is slow to import. So a result
knows the name alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cascadesim.values.errors import ScenarioError

_HOMES = {
    "draw": "cascadesim.plots.kinds",
    "export": "cascadesim.export",
    "optimization": "cascadesim.plots.optimize",
    "render": "cascadesim.views.notebook",
    "sweep": "cascadesim.plots.sweep",
}


def output(name: str) -> Any:
    """Return the function of that name, which makes a picture or a file of a result."""
    return getattr(import_module(_HOMES[name]), name)


def optional(module: str, name: str, extra: str, source: str) -> Any:
    """Return a module that an extra installs. Raises ScenarioError where it is missing."""
    try:
        return import_module(module)
    except ImportError:
        message = f"needs {name}; install it by: pip install 'cascadesim[{extra}]'"
        raise ScenarioError(message, source) from None


class Shown:
    """Shows itself at a prompt as text, and in a notebook as HTML.

    A dataclass of this kind says `repr=False`, as it would write a `__repr__` of its own.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a title and a table as plain text."""
        return str(output("render")(self, "text"))

    def _repr_html_(self) -> str:
        """Return the same as HTML, for notebooks."""
        return str(output("render")(self, "html"))
