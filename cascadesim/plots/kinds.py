"""The figures by name. Each is a file of this folder, with FIGURE and a function of its name.

FIGURE is a literal that says what the function draws. It is read without running the file, as that
would import matplotlib, which is slow.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cascadesim.values.errors import ScenarioError, show, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascadesim.studies.compare import Comparison
    from cascadesim.studies.run import Result

_FIGURE = re.compile(r"^FIGURE = (\{.*?\})$", re.MULTILINE | re.DOTALL)


class Option(NamedTuple):
    """A parameter of a figure's function, and the option of the `plot` command that gives it.

    flag: as in "--request". metavar: "N" for a whole number, "NAME" for a name.
    """

    parameter: str
    flag: str
    metavar: str
    help: str

    @property
    def is_number(self) -> bool:
        """Return whether it is a whole number from 0, and not a name."""
        return self.metavar == "N"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a figure says of itself.

    draws: what is seen, in a few words. of: what it draws, one run, variants side by side, or
    either. replicated: whether it shows more than replication 0.
    """

    draws: str
    of: Literal["run", "variants", "either"]
    replicated: bool = False
    options: tuple[Option, ...] = ()

    @property
    def of_run(self) -> bool:
        """Return whether it draws one run."""
        return self.of != "variants"

    @property
    def of_variants(self) -> bool:
        """Return whether it draws variants side by side."""
        return self.of != "run"


def _read() -> dict[str, Figure]:
    figures = {}
    for file in Path(__file__).parent.glob("*.py"):
        said = _FIGURE.search(file.read_text("utf-8"))
        if said:
            fields = ast.literal_eval(said[1])
            options = tuple(Option(*option) for option in fields.pop("options", ()))
            figures[file.stem] = Figure(**fields, options=options)
    return dict(sorted(figures.items(), key=lambda named: (named[1].of == "run", named[0])))


KINDS = _read()  # those of variants first


def figure_of(kind: str, source: str) -> Figure:
    """Return the figure of a name. Raises ScenarioError, at `source`, where there is none."""
    if kind not in KINDS:
        raise ScenarioError(f"no figure {show(kind)}; {suggest(kind, list(KINDS))}", source)
    return KINDS[kind]


def draw(kind: str, drawn: Result | Comparison, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw one of KINDS of a run, or of a comparison of variants.

    A figure of variants draws a run as the only one. `options` are those of the figure's function:
    `name` of a pool, `request` of a timeline. Raises ScenarioError where there is no such figure,
    for a comparison where one run is drawn, and what the function raises.
    """
    from cascadesim.studies.compare import Comparison, side_by_side  # slow, and --help needs none

    several = isinstance(drawn, Comparison)
    first = drawn.results[drawn.first] if isinstance(drawn, Comparison) else drawn
    scenario = first.scenario
    figure = figure_of(kind, scenario.document.source)
    if several and not figure.of_variants:
        problem = f"{kind} draws one run; take it from the results"
        raise ScenarioError(problem, scenario.document.source)
    if not several and not figure.of_run:
        drawn = side_by_side({scenario.variant or scenario.name: first})
    function = getattr(import_module(f"cascadesim.plots.{kind}"), kind)
    axes: Axes = function(drawn, ax=ax, **options)
    return axes
