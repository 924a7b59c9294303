"""What people read of WebSocket connections: what became of them, variants side by side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cascadesim.records import ConnectionCounts

_ENDED = {"lost by": "lost", "handshake failed by": "failed"}  # fields of ConnectionCounts


def connection_tables(
    counts: Mapping[str, ConnectionCounts | None], width: int
) -> Iterator[list[tuple[str, ...]]]:
    """Yield the rows of tables that are no wider than `width` characters, headings first.

    A column is of one run: how often connections were opened, closed and lost, and handshakes
    failed, by what. There is none where no run has connections.
    """
    having = [each for each in counts.values() if each is not None]
    if not having:
        return
    settings = {
        what: list(dict.fromkeys(setting for own in having for setting in getattr(own, field)))
        for what, field in _ENDED.items()
    }
    labels = ["connections", "opened", "closed by the client"]
    for what, names in settings.items():
        labels += [what, *(f"  {name}" for name in names)] if names else []
    columns = [[label, *_cells(own, settings, len(labels) - 1)] for label, own in counts.items()]
    for shown in _side_by_side(columns, width - max(map(len, labels)) - 2):
        yield list(zip(labels, *shown, strict=True))


def _cells(
    own: ConnectionCounts | None, settings: Mapping[str, Sequence[str]], number: int
) -> list[str]:
    if own is None:
        return ["-"] * number
    cells = [str(own.opened), str(own.closed)]
    for what, names in settings.items():
        ended = getattr(own, _ENDED[what])
        cells += ["", *(str(ended.get(name, 0)) for name in names)] if names else []
    return cells


def _side_by_side(columns: Sequence[list[str]], width: int) -> Iterator[list[list[str]]]:
    """Yield as many columns at a time as fit into a width, and one at least."""
    shown: list[list[str]] = []
    left = width
    for column in columns:
        heading, *cells = column
        wide = 1 + max(map(len, [*re.split(r"(?<=-)| ", heading), *cells]))  # see print_table
        if shown and wide > left:
            yield shown
            shown, left = [], width
        shown.append(column)
        left -= wide
    yield shown
