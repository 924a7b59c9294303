"""The short page of a scenario: what its variants change, and all of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim.scenario.listing import listed, setting
from cascadesim.scenario.source import flow
from cascadesim.values.errors import cut
from cascadesim.views import page
from cascadesim.views.page import Cell, Page, Section, blocks, left, name, table

if TYPE_CHECKING:
    from cascadesim.scenario.load import Scenario
    from cascadesim.views.page import Table

_VALUE = 40  # characters of a setting
_FEW = 20  # settings that are not folded where there is nothing else


def brief(scenario: Scenario) -> Page:
    """Return what each variant changes, or what was given beside it, and all settings."""
    at = f", variant {scenario.variant}" if scenario.variant else ""
    summary = f": {scenario.model.summary}" if scenario.model.summary else ""
    changes = _changes(scenario)
    everything = listed(scenario.document.data)
    rows = ((page.setting(path), _value(value)) for path, value in everything.items())
    settings = Section(
        f"all {len(everything)} settings",
        blocks(table("", (left("setting"), left("as it stands")), rows)),
        folded=changes is not None or len(everything) > _FEW,
    )
    return Page(f"{scenario.name}{at}{summary}", blocks(changes, settings))


def _changes(scenario: Scenario) -> Table | None:
    names = scenario.variants if scenario.variant is None else (scenario.variant,)
    changes = {variant: scenario.changed(variant) for variant in names}
    if scenario.overrides:
        changes["with overrides"] = scenario.overrides
    rows = [
        (
            name(who),
            page.setting(path),
            _value(setting(scenario.document.data, path)),
            _value(value),
        )
        for who, settings in changes.items()
        for path, value in (settings or {"": None}).items()
    ]
    columns = (left("variant"), left("setting"), left("as it stands"), left("set to"))
    if scenario.variant is None:
        return table("", columns, rows)
    return table("", (*columns[:2], columns[3]), ((*row[:2], row[3]) for row in rows))


def _value(value: Any) -> Cell:
    return Cell("") if value is None else Cell(cut(flow(value), _VALUE), kind="value")
