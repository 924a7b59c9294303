"""The page of settings that a service's files hold, beside those of the scenario."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cascadesim.analysis.drift_rules import MISSED_CHECK
from cascadesim.lint.values import shown
from cascadesim.values.errors import cut
from cascadesim.views.facts import at_variant
from cascadesim.views.page import Cell, Page, blocks, left, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.lint import Lint

_VALUE = 20  # characters


def page(lint: Lint) -> Page:
    """Return every setting with the places where it is, and every check."""
    against = "" if lint.scenario is None else f" against {at_variant(lint.scenario)}"
    return Page(
        f"Settings in {os.path.normpath(lint.root)}{against}",
        blocks(
            table(
                "",
                (left("setting, and where it is"), "scenario", "found", left("verdict")),
                _rows(lint),
            ),
            table(
                "Checks",
                (left("check"), left("verdict")),
                (
                    (
                        name(check.text),
                        _verdict(check.holds, "holds", f"missed [{MISSED_CHECK.code}]"),
                    )
                    for check in lint.checks
                ),
            ),
        ),
    )


def _rows(lint: Lint) -> Iterator[tuple[Cell, ...]]:
    for contract in lint.settings:
        expected = shown(contract.expected, contract.kind) if contract.kind else "-"
        yield setting(contract.path), Cell(expected, kind="value"), Cell(""), Cell("")
        for reading in contract.readings:
            in_code = Cell(cut(shown(reading.value, reading.kind), _VALUE), kind="value")
            verdict = _verdict(not contract.drifts(reading), "ok", f"drift [{reading.code}]")
            yield name(f"  {reading.where}"), Cell(""), in_code, verdict


def _verdict(is_good: bool, good: str, bad: str) -> Cell:
    return Cell(good, 0.0, "good") if is_good else Cell(bad, 1.0, "bad")
