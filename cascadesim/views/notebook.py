"""What a result looks like at a prompt and in a notebook: a short page, as text and as HTML."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from cascadesim.views.html import page_html
from cascadesim.views.terminal import text

if TYPE_CHECKING:
    from cascadesim.views.page import Page

WIDTH = 100  # columns of text
# The module of each class's page, loaded when one is shown.
_VIEWS = {
    "Comparison": "compare",
    "Explanation": "explain",
    "Optimization": "optimize",
    "Replay": "replay",
    "Result": "run",
    "Scenario": "scenario",
    "Sweep": "sweep",
}


def brief(shown: Any) -> Page:
    """Return the short page of a result, or of a scenario."""
    module = import_module(f"cascadesim.views.{_VIEWS[type(shown).__name__]}")
    page: Page = module.brief(shown)
    return page


def render(shown: object, kind: Literal["text", "html"]) -> str:
    """Return the short page as plain text or as HTML."""
    page = brief(shown)
    return text(page, WIDTH, unfold=False) if kind == "text" else str(page_html(page))
