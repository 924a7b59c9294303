"""Simulated requests written as traces, for the viewers of real traces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cascadesim.export.chrome import chrome_trace
from cascadesim.export.otlp import otlp_json
from cascadesim.files import check_writable
from cascadesim.values.errors import ScenarioError, cut, suggest

if TYPE_CHECKING:
    from cascadesim.studies.run import Result

__all__ = ["KINDS", "chrome_trace", "export", "otlp_json", "parse_exports"]

KINDS = {"otlp-json": otlp_json, "chrome-trace": chrome_trace}


def export(result: Result, kind: str, path: str | Path) -> None:
    """Write the trace of a run to a file of a kind, one of KINDS.

    Raises ScenarioError where there is no such kind, or the file cannot be written.
    """
    _known(kind, "export")
    KINDS[kind](result, path)


def parse_exports(texts: list[str] | None) -> dict[Path, str]:
    """Return the kind of each file that texts such as "otlp-json=spans.jsonl" ask for.

    Raises ScenarioError for another text, and for a file that cannot be written.
    """
    wanted: dict[Path, str] = {}
    for text in texts or []:
        kind, _, file = text.partition("=")
        if not file:
            given = f"; kinds are {', '.join(KINDS)}"
            raise ScenarioError(f'expected KIND=FILE, got "{cut(text)}"{given}', "--export")
        _known(kind, "--export")
        path = Path(file)
        if path in wanted:
            raise ScenarioError("is to hold two exports; name two files", str(path))
        if path.is_dir():
            raise ScenarioError("is a folder; name a file", str(path))
        check_writable(path.parent, [path.name])
        wanted[path] = kind
    return wanted


def _known(kind: str, source: str) -> None:
    if kind not in KINDS:
        raise ScenarioError(f'no kind "{cut(kind)}"; {suggest(kind, list(KINDS))}', source)
