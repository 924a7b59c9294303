"""What people read: results as tables for a terminal of 80 columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cascadesim.analysis.percentiles import DEFINITION, PERCENTILES, Percentile
from cascadesim.model.outcome import CAUSES, Outcome
from cascadesim.scenario.units import duration_text

if TYPE_CHECKING:
    from pathlib import Path

    from cascadesim.analysis.summary import Summary, Verdict
    from cascadesim.experiment.check import Check
    from cascadesim.experiment.compare import Comparison
    from cascadesim.experiment.replay import Replay
    from cascadesim.experiment.run import Result
    from cascadesim.scenario.load import Scenario

# Always shown, even where nothing went there; others only where something did.
MAIN_CAUSES = (
    "breaker_wait",
    "pool_wait",
    "connect",
    "agent_execution",
    "retry_backoff",
    "service_work",
)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=False)


def _table(title: str, *columns: str) -> Table:
    """Return a table whose first column is a name and whose others are figures."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if i else "left", overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))  # Text: what a user named is not markup


def _say(console: Console, text: str) -> None:
    console.print(Text(text))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _seconds(percentile: Percentile) -> str:
    if math.isnan(percentile.seconds):
        return "-"
    return f"{'> ' if percentile.at_least else ''}{percentile.seconds:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2%}"


def print_replay(replay: Replay) -> None:
    """Print a replay: observations, then percentiles, outcomes and verdicts."""
    console = _console()
    model = replay.scenario.model
    _say(console, f"\n{model.name}: {model.summary}" if model.summary else f"\n{model.name}")
    start = f" from {model.clock}" if model.clock else ""
    _say(console, f"{duration_text(model.horizon)}{start}, seed {replay.seed}\n")
    for i in range(len(model.observations)):
        _print_observation(console, replay.observation(i))
    summaries = {name: result.summary for name, result in replay.results.items()}
    _print_summaries(console, summaries)


def _print_observation(console: Console, seen: dict[str, Any]) -> None:
    variants = seen["variants"]
    causes = [
        cause
        for cause in CAUSES
        if cause in MAIN_CAUSES or any(v["attribution_s"][cause] for v in variants.values())
    ]
    title = f"Observed at {seen['at']}: {seen['observed_s']:.6f} s. Where it goes, in seconds:"
    table = _table(title, "variant", "simulated", *map(_words, causes))
    for name, variant in variants.items():
        outcome = "" if variant["outcome"] == "ok" else f" ({_words(variant['outcome'])})"
        at_least = "> " if variant["at_least"] else ""
        attribution = (f"{variant['attribution_s'][cause]:.3f}" for cause in causes)
        _row(table, name + outcome, f"{at_least}{variant['simulated_s']:.6f}", *attribution)
    console.print(table)


def print_replays(replays: list[Replay]) -> None:
    """Print all observations of several replays in one table, a row each."""
    names = list(dict.fromkeys(name for replay in replays for name in replay.results))
    common = [name for name in names if all(name in replay.results for replay in replays)]
    console = _console()
    table = _table("The observed requests, in seconds", "incident", "observed", *common)
    for replay in replays:
        for i in range(len(replay.scenario.model.observations)):
            seen = replay.observation(i)
            cells = (
                f"{'> ' if v['at_least'] else ''}{v['simulated_s']:.6f}"
                for v in (seen["variants"][name] for name in common)
            )
            _row(table, f"{replay.scenario.name}", f"{seen['observed_s']:.6f}", *cells)
    console.print(table)
    table = _table("p99 of all requests, in seconds", "incident", *common)
    for replay in replays:
        cells = (_seconds(replay.results[name].summary.percentiles["p99"]) for name in common)
        _row(table, replay.scenario.name, *cells)
    console.print(table)


def print_run(result: Result) -> None:
    """Print the summary of one run."""
    console = _console()
    variant = f", variant {result.scenario.variant}" if result.scenario.variant else ""
    _say(console, f"\n{result.scenario.name}{variant}, seed {result.seed}\n")
    _print_summaries(console, {result.scenario.variant or result.scenario.name: result.summary})


def print_comparison(comparison: Comparison) -> None:
    """Print variants side by side, with differences from the first."""
    console = _console()
    console.print()
    summaries = {label: result.summary for label, result in comparison.results.items()}
    _print_percentiles(console, summaries)
    if len(summaries) > 1:
        first, *others = summaries
        table = _table(f"Difference from {first} in seconds", "variant", *PERCENTILES)
        base = summaries[first].percentiles
        for label in others:
            own = summaries[label].percentiles
            changes = (_difference(base[name], own[name]) for name in PERCENTILES)
            _row(table, label, *changes)
        console.print(table)
    _print_outcomes(console, summaries)
    _print_verdicts(console, summaries)


def _difference(old: Percentile, new: Percentile) -> str:
    change = new.seconds - old.seconds
    if math.isnan(change):
        return "-"
    bounds = {(True, False): "< ", (False, True): "> ", (True, True): "? ", (False, False): ""}
    return f"{bounds[old.at_least, new.at_least]}{change:+.3f}"


def _print_summaries(console: Console, summaries: dict[str, Summary]) -> None:
    _print_percentiles(console, summaries)
    _print_outcomes(console, summaries)
    _print_verdicts(console, summaries)


def _print_percentiles(console: Console, summaries: dict[str, Summary]) -> None:
    table = _table("Latency percentiles in seconds", "variant", *PERCENTILES)
    for name, summary in summaries.items():
        _row(table, name, *(_seconds(summary.percentiles[p]) for p in PERCENTILES))
    console.print(table)
    _say(console, f"({DEFINITION})\n")


def _print_outcomes(console: Console, summaries: dict[str, Summary]) -> None:
    shown = [
        o.word
        for o in Outcome
        if o is Outcome.OK or any(summary.outcomes[o.word] for summary in summaries.values())
    ]
    table = _table("Outcomes of those requests", "variant", "requests", *map(_words, shown))
    for name, summary in summaries.items():
        counts = (str(summary.outcomes[word]) for word in shown)
        _row(table, name, str(summary.requests), *counts)
    console.print(table)


def _print_verdicts(console: Console, summaries: dict[str, Summary]) -> None:
    limit = next(iter(summaries.values())).limit
    under = [] if limit is None else [f"under {limit:g} s"]
    columns = ("goodput /s", "error rate", *under, "objectives missed")
    table = _table("Goodput and objectives", "variant", *columns)
    for name, summary in summaries.items():
        shares = (_share(summary.under) for _ in under)
        missed = ", ".join(v.objective.text for v in summary.verdicts if not v.met) or "none"
        figures = (f"{summary.goodput:.3f}", _share(summary.error_rate), *shares, missed)
        _row(table, name, *figures)
    console.print(table)
    for name, summary in summaries.items():
        if summary.met and summary.verdicts:
            _say(console, f"{name} meets every objective, {_cost(summary)}.")
        for verdict in summary.verdicts:
            if not verdict.met:
                _say(console, f"{name} misses {_verdict(verdict)}.")
    console.print()


def _cost(summary: Summary) -> str:
    counts = {word: summary.outcomes[word] for word in ("degraded", "rejected")}
    costs = [f"{n / summary.requests:.2%} {word}" for word, n in counts.items() if n]
    return f"at the cost of {' and '.join(costs)} replies" if costs else "with no reply degraded"


def _verdict(verdict: Verdict) -> str:
    objective = verdict.objective
    if objective.is_latency:
        value = duration_text(verdict.value)
    elif objective.metric == "goodput":
        value = f"{verdict.value:.3f}/s"
    else:
        value = _share(verdict.value)
    text = f"{objective.text} with {'over ' if verdict.at_least else ''}{value}"
    if verdict.blame is not None:
        share = f"{verdict.blame.share:.0%} of the time of its slow requests"
        text += f"; to blame: {verdict.blame.setting}, {share}"
    return text


def print_check(check: Check) -> None:
    """Print what the settings amount to."""
    console = _console()
    variant = f", variant {check.scenario.variant}" if check.scenario.variant else ""
    _say(console, f"\n{check.scenario.name}{variant}: valid\n")
    if check.openings:
        table = _table(
            "Breakers against a dead dependency, at the mean arrival rate",
            *("breaker", "dependency", "failing calls", "opens after", "calls that reach it"),
        )
        for o in check.openings:
            after = "never" if o.after is None else duration_text(o.after)
            reached = "-" if o.reached is None else str(o.reached)
            _row(table, o.breaker, o.dead, str(o.failing_calls), after, reached)
        console.print(table)
    if check.retries:
        table = _table(
            "Retries of a call that fails throughout",
            *("retry", "waits", "calls per request", "sustained"),
        )
        for r in check.retries:
            waits = ", ".join(_range(*wait) for wait in r.waits) or "none"
            _row(table, r.path, waits, f"x{r.load}", f"x{r.sustained:g}")
        console.print(table)
    table = _table("Worst-case latency that the settings allow", "setting", "seconds")
    for stage, bound in check.bounds.items():
        _row(table, stage, _limit(bound.total))
        for path, seconds in sorted(bound.terms.items(), key=lambda term: -term[1]):
            if seconds:
                _row(table, f"  {path}", _limit(seconds))
    _row(table, "a request through all stages", _limit(check.worst_case.total))
    console.print(table)
    for found in check.contradictions:
        _say(console, f"Warning: {', '.join(found.settings)}: {found.problem}")
    if not check.contradictions:
        _say(console, "No settings that contradict each other.")


def _limit(seconds: float) -> str:
    return "unbounded" if math.isinf(seconds) else f"{seconds:.3f}"


def _range(shortest: float, longest: float) -> str:
    if shortest == longest:
        return duration_text(longest)
    return f"{duration_text(shortest)} to {duration_text(longest)}"


def print_scenarios(found: list[tuple[Path, Scenario]]) -> None:
    """Print scenarios by path, with summary and variants."""
    console = _console()
    for path, scenario in found:
        folder = path.parent if path.name == "scenario.yaml" else path
        _say(console, f"{folder}")
        if scenario.model.summary:
            _say(console, f"  {scenario.model.summary}")
        if scenario.variants:
            _say(console, f"  variants: {', '.join(scenario.variants)}")
    if not found:
        _say(console, "no scenarios here")
