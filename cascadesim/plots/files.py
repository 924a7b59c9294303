"""Figures as files: the same figure is the same bytes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import matplotlib as mpl

from cascadesim.files import check_writable, write_files
from cascadesim.values.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

_KINDS = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
# For names that matplotlib's own font cannot write, where one of these is installed.
_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei")


def check_file(path: Path) -> None:
    """Raise ScenarioError where a figure cannot be written to this file; see `save_figure`."""
    if path.suffix.lower() not in _KINDS:
        raise ScenarioError(f"ends in none of {', '.join(_KINDS)}", str(path))
    check_writable(path.parent, [path.name])


def save_figure(draw: Callable[[], Axes], path: Path) -> None:
    """Write the figure of the Axes that `draw` returns to a file, its kind by the name's ending.

    Raises ScenarioError where the kind is not known or the file cannot be written, and what `draw`
    raises.
    """
    check_file(path)
    metadata = _KINDS[path.suffix.lower()]  # without date and version
    with mpl.rc_context({"svg.hashsalt": "cascadesim", "font.family": _families()}):
        figure = draw().get_figure(root=True)
        assert figure is not None
        with warnings.catch_warnings():
            # A character that no font has is drawn as an empty box, which is seen.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            write_files(
                path.parent,
                {path.name: lambda file: figure.savefig(file, dpi=150, metadata=metadata)},
            )


def _families() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FONTS if name in installed)]
