"""`cascadesim run --watch`: a run on the terminal while it goes, at a pace that one can follow."""

from __future__ import annotations

import math
import re
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cascadesim.analysis.percentiles import PERCENTILES, percentile
from cascadesim.engine import watch
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.records import IN_FLIGHT
from cascadesim.scenario.compile import compile_plan
from cascadesim.studies.run import Result
from cascadesim.studies.warmup import settled
from cascadesim.values.errors import ScenarioError, one_line, show
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import clock_text, parse_clock
from cascadesim.values.words import number
from cascadesim.views.sparkline import BLOCKS, blocks, slowest_of_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import ConsoleOptions, RenderResult

    from cascadesim.plan.plan import Plan
    from cascadesim.records import Snapshot
    from cascadesim.scenario.load import Scenario

FRAMES = 10  # a second at most
USUAL_SPEED = 40.0  # simulated seconds a second: ten minutes are watched in 15 s
LONGEST = 60.0  # seconds to watch, where no speed is given
WINDOW = 60.0  # simulated seconds: the last minute
_STEPS = 400  # snapshots of a run at full speed
_WIDE, _NARROW = 64, 45  # columns that all percentiles take, and that three of them do
_HIGH = 20  # lines from which on some are left blank
_ASCII_BLOCKS = ".:-=+*%#"
_DECADES = 2.0  # that a sparkline spans at least, so that it does not blow up small differences
_STYLES = {"open": "bold red", "half-open": "yellow", "closed": "green"}


def parse_speed(text: str) -> float:
    """Return simulated seconds a second for text such as "60x", infinity for "max"."""
    if text == "max":
        return math.inf
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)x", text)
    if match is None or float(match[1]) == 0:
        raise ScenarioError(
            f'expected a factor such as "60x", or "max", got {show(text)}', "--speed"
        )
    return float(match[1])


def terminal() -> Console | None:
    """Return a console on standard output, None where nobody could watch."""
    console = Console(highlight=False)
    return None if not sys.stdout.isatty() or console.is_dumb_terminal else console


def watch_run(
    scenario: Scenario,
    seed: int | None,
    speed: float | None,
    console: Console,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Simulate a scenario as `cascadesim.run` does, with the same result, and show it meanwhile.

    `speed` is in simulated seconds a second; a slow simulation just takes longer.
    """
    (scenario,) = settled({"": scenario}, seed).values()
    if seed is None:
        seed = scenario.model.seed
    plan = compile_plan(scenario.model)
    if speed is None:
        speed = max(USUAL_SPEED, plan.end / LONGEST)
    pace = Pace(speed, clock, sleep)
    dashboard = Dashboard(scenario, seed, plan, speed)
    every = plan.end / _STEPS if math.isinf(speed) else speed / FRAMES
    # Without redirection, which would turn what is printed elsewhere into lines on the dashboard.
    with Live(
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:

        def draw(snapshot: Snapshot) -> None:
            pace.wait(snapshot.at)
            dashboard.take(snapshot)
            if pace.is_due() or snapshot.at == plan.end:
                live.update(dashboard, refresh=True)

        records = watch(plan, seed, draw, every)
    return Result(scenario, seed, records, plan)


class Pace:
    """Holds simulated time back, so that it passes `speed` times as fast as time does.

    Where the simulation is slower, what it lost is not made up for.
    """

    def __init__(
        self, speed: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._at = 0.0
        self._due = clock()
        self._drawn = -math.inf

    def wait(self, at: float) -> None:
        """Sleep until the simulated instant is due."""
        now = self._clock()
        self._due = max(now, self._due + (at - self._at) / self._speed)
        self._at = at
        if self._due > now:
            self._sleep(self._due - now)

    def is_due(self) -> bool:
        """Return whether it is time for another frame, and count on it being drawn."""
        now = self._clock()
        if now - self._drawn < 0.5 / FRAMES:
            return False
        self._drawn = now
        return True


class Dashboard:
    """The figures of a run so far. All figures are those of the last snapshot taken."""

    def __init__(self, scenario: Scenario, seed: int, plan: Plan, speed: float) -> None:
        variant = "" if scenario.variant is None else f", variant {scenario.variant}"
        self._title = one_line(f"{scenario.name}{variant}, seed {seed}")
        self._clock = parse_clock(scenario.model.clock) if scenario.model.clock else None
        self._speed = "" if math.isinf(speed) else f", {speed:g}x"
        self._plan = plan
        self._fault_spans = plan.faults_in(seed)
        self._limits = _limits(plan)
        names = [CONNECTIONS, *(stage.name for stage in plan.walk())]
        self._order = {name: i for i, name in enumerate(names)}
        # None is lost where there are none to lose.
        other = {Outcome.UNFINISHED} | (
            {Outcome.DISCONNECTED} if plan.connections is None else set()
        )
        self._ends = [outcome for outcome in Outcome if outcome not in other]
        self._recent: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])  # at, arrived, ended
        self._now: Snapshot | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Take the next snapshot; it counts towards rates even if it is never drawn."""
        ended = snapshot.arrived - snapshot.levels[IN_FLIGHT]
        self._recent.append((snapshot.at, snapshot.arrived, ended))
        while len(self._recent) > 2 and self._recent[1][0] <= snapshot.at - WINDOW:
            self._recent.popleft()
        self._now = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._now is None:
            return
        width, now = options.max_width, self._now
        characters = _ASCII_BLOCKS if options.ascii_only else BLOCKS
        head: list[Text | Table] = [
            self._heading(now, width),
            Text(),
            _line(self._slowest(now)),
            _line(sparkline(now, self._plan.end, width, characters), "cyan"),
            _line(bar(now.at / self._plan.end, width, options.ascii_only)),
            _line(self._faults(now), "magenta"),
            Text(),
            self._latencies(now, width),
            Text(),
            _line(self._rates(now)),
            _line(self._outcomes(now)),
            Text(),
        ]
        height = options.height or console.height
        if height < _HIGH:
            head = [part for part in head if part]
        yield from head
        lines = len(head) + 2  # the table of latencies has three
        yield self._places(now, max(1, height - lines), width, options.ascii_only)

    def _heading(self, now: Snapshot, width: int) -> Table:
        clock = "" if self._clock is None else clock_text(self._clock + math.floor(now.at))
        passed = f"{now.at:.0f} s of {self._plan.end:.0f} s{self._speed}"
        if clock:
            passed = f"{clock}, {passed}" if width >= _WIDE else clock
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        grid.add_column(no_wrap=True, overflow="ellipsis", justify="right")
        grid.add_row(Text(self._title, "bold"), Text(passed))
        return grid

    @staticmethod
    def _slowest(now: Snapshot) -> str:
        highest = f", up to {now.latency.max():.3f} s" if len(now.latency) else ""
        return f"slowest reply, by when it ended (log scale{highest})"

    def _faults(self, now: Snapshot) -> str:
        under_way = [
            f"{fault.kind.replace('_', ' ')} of {' and '.join(stages)}"
            for fault, stages in self._fault_spans
            if fault.start <= now.at < fault.end
        ]
        return f"Fault: {', '.join(under_way)}" if under_way else "No fault"

    def _latencies(self, now: Snapshot, width: int) -> Table:
        names = PERCENTILES if width >= _WIDE else ("p50", "p99", "max")[width < _NARROW :]
        lately = now.arrival + now.latency > now.at - WINDOW
        table = Table.grid(padding=(0, 2 if width >= _NARROW else 1))
        table.add_column(no_wrap=True, overflow="ellipsis")
        least = 6 if width >= _WIDE else None  # as most figures are, so that they stay put
        for _ in range(len(names) + 1):
            table.add_column(no_wrap=True, overflow="ellipsis", justify="right", min_width=least)
        table.add_row("latency, s", *names, "ended", style="dim")
        for label, latency in (("so far", now.latency), ("last minute", now.latency[lately])):
            none = np.zeros(len(latency), dtype=bool)
            figures = (number(percentile(name, latency, none).seconds) for name in names)
            table.add_row(label, *figures, str(len(latency)))
        return table

    def _rates(self, now: Snapshot) -> str:
        (start, arrived, ended), (end, arrived_now, ended_now) = self._recent[0], self._recent[-1]
        lasted = end - start
        return (
            f"arrived {(arrived_now - arrived) / lasted:.1f}/s, "
            f"ended {(ended_now - ended) / lasted:.1f}/s, "
            f"under way {now.levels[IN_FLIGHT]}"
        )

    def _outcomes(self, now: Snapshot) -> str:
        counts = np.bincount(now.outcome, minlength=len(Outcome)).tolist()
        return ", ".join(f"{o.word.replace('_', ' ')} {counts[o]}" for o in self._ends)

    def _places(self, now: Snapshot, height: int, width: int, ascii_only: bool) -> Table:
        """Return breakers, limits and pools; where not all fit, those where most happens."""
        rows = sorted(self._rows(now, width, ascii_only), key=lambda row: self._order[_stage(row)])
        grid = Table.grid(padding=(0, 2))
        for justify in ("left", "left", "right"):
            grid.add_column(no_wrap=True, overflow="ellipsis", justify=justify)
        shown = rows
        if len(rows) > height:
            first = sorted(range(len(rows)), key=lambda i: rows[i][3])[: height - 1]
            shown = [rows[i] for i in sorted(first)]
        for where, state, waiting, _ in shown:
            grid.add_row(Text(where), state, Text(waiting))
        if len(shown) < len(rows):
            grid.add_row(Text(f"and {len(rows) - len(shown)} more"), "", "")
        return grid

    def _rows(
        self, now: Snapshot, width: int, ascii_only: bool
    ) -> Iterator[tuple[str, Text, str, int]]:
        """Yield name, state and queue of every place, and how little happens there: 0, 1 or 2."""
        for where, state in now.breakers.items():
            waiting = now.levels[f"{where}.waiting"]
            quiet = 2 if state == "closed" and not waiting else 0
            yield where, Text(state, _STYLES[state]), _queue(waiting), quiet
        for where, (name, most) in self._limits.items():
            used, waiting = now.levels[f"{where}.{name}"], now.levels.get(f"{where}.waiting", 0)
            limit = now.levels.get(f"{where}.limit", most)  # one that adapts
            text = f"{used} {name.replace('_', ' ')}"
            if limit < math.inf:
                text = f"{bar(used / limit, max(4, width // 8), ascii_only)} {used} of {limit:.0f}"
            idle = now.levels.get(f"{where}.idle")
            text += f", {idle} idle" if idle else ""
            quiet = 0 if waiting else 1 + (used < limit)
            yield where, Text(text), _queue(waiting), quiet


def _stage(row: tuple[Any, ...]) -> str:
    return str(row[0]).partition(".")[0]


def _queue(waiting: int) -> str:
    return f"{waiting} waiting" if waiting else ""


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _limits(plan: Plan) -> dict[str, tuple[str, float]]:
    """Return the level of what is in use, and the most it can be, of limits and pools by path."""
    limits: dict[str, tuple[str, float]] = {}
    if plan.connections is not None:
        limits[CONNECTIONS] = ("connected", plan.connections.clients)
    for stage in plan.walk():
        if stage.concurrency < math.inf:
            limits[f"{stage.name}.concurrency"] = ("busy", stage.concurrency)
        if stage.pool is not None:
            most = min(stage.pool.limit, stage.pool.max_connections)
            limits[f"{stage.name}.pool"] = ("checked_out", most)
        for policy in stage.policies:
            if policy.moving_limit is not None:
                limits[f"{stage.name}.{policy.name}"] = ("busy", policy.moving_limit)
    return limits


def bar(share: float, width: int, ascii_only: bool = False) -> str:
    """Return a bar of so many characters that is full by a share; any share at all shows."""
    full = min(width, math.ceil(share * width - 1e-9))
    done, rest = "#." if ascii_only else "█░"
    return done * full + rest * (width - full)


def sparkline(now: Snapshot, end: float, width: int, characters: str = BLOCKS) -> str:
    """Return the slowest reply of each stretch of the run, blank where there was none.

    The scale is logarithmic, from the quickest of them to the slowest.
    """
    slowest = slowest_of_parts((now.arrival + now.latency) / end, now.latency, width)
    logs = np.log10(slowest, where=slowest > 0, out=np.full(width, np.nan))
    if np.isnan(logs).all():
        return " " * width
    top = np.nanmax(logs)
    bottom = min(np.nanmin(logs), top - _DECADES)
    return blocks((logs - bottom) / (top - bottom), characters)
