"""Watched runs, and what their dashboard puts on a screen."""

import io
import json
from functools import cache

from conftest import ROOT
from kit import Data
from rich.console import Console

import cascadesim
from cascadesim.cli.watch import Dashboard
from cascadesim.engine import watch
from cascadesim.records import Snapshot
from cascadesim.scenario.compile import compile_plan

INCIDENT = ROOT / "scenarios" / "incident-60s"


SHORT = {"horizon": "6min", "drain": "1min"}


ENTER, LEAVE, CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


PLAIN: Data = {
    "name": "plain",
    "horizon": "10min",
    "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
    "stages": {"a": {"work": {"constant": "100ms"}}},
}


def scenario(**changes: object) -> cascadesim.Scenario:
    return cascadesim.loads(json.dumps(PLAIN | changes))


def screen(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, legacy_windows=False
    )


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(dashboard: Dashboard, width: int = 80, height: int = 24) -> list[str]:
    """Return what the dashboard puts on a screen of this size."""
    console = screen(width, height)
    found = console.render_lines(dashboard, console.options.update(height=height), pad=False)
    assert all(sum(segment.cell_length for segment in line) <= width for line in found)
    return ["".join(segment.text for segment in line).rstrip() for line in found]


def snapshots(scenario: cascadesim.Scenario, every: float = 5.0) -> list[Snapshot]:
    seen: list[Snapshot] = []
    watch(compile_plan(scenario.model), scenario.model.seed, seen.append, every)
    return seen


@cache
def watched_incident() -> tuple[cascadesim.Result, list[Snapshot]]:
    """Return a run of the incident's variant before, and its snapshots."""
    incident = cascadesim.load(INCIDENT).at("before")
    return cascadesim.run(incident), snapshots(incident)


def after(scenario: cascadesim.Scenario, seen: list[Snapshot]) -> Dashboard:
    """Return a dashboard that has taken the snapshots."""
    dashboard = Dashboard(scenario, 1, compile_plan(scenario.model), 40.0)
    for snapshot in seen:
        dashboard.take(snapshot)
    return dashboard
