"""Listing: all settings of a scenario, each by its dotted path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim.scenario.paths import UnknownPath, dotted, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cascadesim.scenario.source import Location

_OTHERS = ("variants", "sweep")  # which are no settings


def listed(data: Any) -> dict[str, Any]:
    """Return the settings in a scenario's data as they are written, by dotted path, in its order.

    Mappings, and lists of mappings, are taken apart; a list of single values is one setting.
    """
    return {
        dotted(data, at): value
        for key, part in data.items()
        if key not in _OTHERS
        for at, value in _leaves(part, (key,))
    }


def _leaves(value: Any, at: Location) -> Iterator[tuple[Location, Any]]:
    if isinstance(value, dict) and value:
        inside: Any = value.items()
    elif isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        inside = enumerate(value)
    else:
        yield at, value
        return
    for key, part in inside:
        yield from _leaves(part, (*at, key))


def setting(data: Any, path: str) -> Any:
    """Return the setting of a dotted path as it is written, None where there is none."""
    try:
        for key in locate(data, path):
            data = data[key]
    except (UnknownPath, KeyError, IndexError, TypeError):
        return None
    return data
