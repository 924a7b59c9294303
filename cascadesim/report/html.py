"""The report as HTML. What a user named is escaped by the templates, wherever it stands."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D

from cascadesim import __version__
from cascadesim.plots.style import CAUSE_LOOKS, OUTCOME_LOOKS
from cascadesim.report import chapters, figures
from cascadesim.report.bars import bars
from cascadesim.report.settings import GOVERNS, MOST_REPLICATIONS, MOVES
from cascadesim.report.timeline import LEFT, RIGHT, WIDTH
from cascadesim.values.errors import one_line
from cascadesim.values.outcome import Outcome
from cascadesim.values.words import in_words
from cascadesim.views import compare, measures
from cascadesim.views.html import block_html
from cascadesim.views.page import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascadesim.report.data import Report
    from cascadesim.views.page import Block

_TEMPLATES = Path(__file__).parent / "templates"
OPEN = 3  # variants whose timelines are unfolded
_MARK = 5.2  # the width of the mark of an answer; others are larger, as in the figures


def render(report: Report) -> str:
    """Return the report as one HTML page that needs no other file, and runs no script but ours."""
    script = (_TEMPLATES / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            chapters=chapters,
            compare=compare,
            facts=list(chapters.ran(report)),
            bars=bars(report.compositions),
            causes=chapters.used_causes(report),
            figures=figures,
            scenario_text=_lines(report.text),
            geometry={"width": WIDTH, "left": LEFT, "right": WIDTH - RIGHT},
            unfolded=OPEN,
            marks=_marks(),
            outcomes=_outcomes(report),
            closed=_closed(report),
            rules={
                "moves": f"{MOVES:.0%}",
                "governs": f"{GOVERNS:.0%}",
                "most": min(MOST_REPLICATIONS, report.comparison.count),
            },
            version=__version__,
            definition=measures.definition(report.comparison.results),
            style=Markup(
                (_TEMPLATES / "report.css").read_text("utf-8")
                + "\n".join([*_causes(), *_outcome_styles()])
            ),
            script=Markup(script),
            script_hash=digest,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=_printable,
        keep_trailing_newline=True,
        loader=FileSystemLoader(_TEMPLATES),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"shown": _shown, "in_words": in_words}
    return environment


def _causes() -> Iterator[str]:
    """Yield how each cause is filled: as in the figures, waits hatched so that grey tells them."""
    for cause, look in CAUSE_LOOKS.items():
        hatch = "45deg, transparent 0 5px, rgb(0 0 0 / 20%) 5px 7px"
        image = f" background-image: repeating-linear-gradient({hatch});" if look.sign else ""
        ink = "#000000" if _luminance(look.colour) > 0.179 else "#ffffff"  # of more contrast
        yield f".c-{cause} {{ background-color: {look.colour};{image} color: {ink}; }}"


def _outcome_styles() -> Iterator[str]:
    """Yield the colour of each outcome: as in the figures, but black is that of the text."""
    for outcome, look in OUTCOME_LOOKS.items():
        ink = "currentColor" if look.colour == "#000000" else look.colour
        hollow = outcome is Outcome.UNFINISHED
        style = f"fill: var(--page); stroke: {ink}; stroke-width: 1.5" if hollow else f"fill: {ink}"
        yield f".{outcome.word} {{ {style}; }}"


@cache
def _marks() -> dict[str, str]:
    """Return the marks of the figures as paths of SVG, by outcome."""
    letters = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    marks = {}
    for outcome, look in OUTCOME_LOOKS.items():
        marker, size = MarkerStyle(look.sign), _MARK if outcome is Outcome.OK else 1.5 * _MARK
        to_svg = marker.get_transform() + Affine2D().scale(size, -size)
        outline = marker.get_path().transformed(to_svg)
        steps = (
            "Z" if code == Outline.CLOSEPOLY else letters[code] + " ".join(f"{at:.3g}" for at in to)
            for to, code in outline.iter_segments(curves=True)
        )
        marks[outcome.word] = "".join(steps)
    return marks


def _luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb", from 0 to 1 (WCAG 2.2)."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(part * s for part, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _shown(parts: Block | Iterable[Block | None] | None) -> Markup:
    """Return one block as HTML, or several."""
    return Markup("\n").join(map(block_html, blocks(parts)))


def _printable(value: Any) -> Any:
    """Return text with what does not print escaped, as a name may hold line breaks and worse."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return one_line(value)
    return value


def _lines(text: str) -> Markup:
    """Return text of several lines as HTML, each of them printable."""
    return Markup("\n").join(escape(one_line(line)) for line in text.splitlines())


def _outcomes(report: Report) -> list[str]:
    """Return the outcomes that are drawn, in their order."""
    drawn = {point.outcome for line in report.timelines for point in line.points}
    return [outcome.word for outcome in Outcome if outcome.word in drawn]


def _closed(report: Report) -> list[str]:
    """Return the breakers that stay closed in every variant."""
    ever = {opened.breaker for opened in report.opened if opened.times}
    paths = dict.fromkeys(opened.breaker for opened in report.opened)
    return [path for path in paths if path not in ever]
