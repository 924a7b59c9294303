"""What people read: results as tables for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cascadesim.analysis.percentiles import DEFINITION, PERCENTILES, Percentile, share
from cascadesim.experiment.replications import interval
from cascadesim.model.outcome import CAUSES, Outcome
from cascadesim.scenario.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import JustifyMethod

    from cascadesim.analysis.contradictions import RetryCost
    from cascadesim.analysis.intervals import Interval
    from cascadesim.analysis.summary import Summary
    from cascadesim.experiment.check import Check, Opening
    from cascadesim.experiment.compare import Comparison
    from cascadesim.experiment.replay import Replay
    from cascadesim.experiment.replications import Replication
    from cascadesim.experiment.run import Result
    from cascadesim.experiment.sweep import Sweep


_SHOWN = 6  # transitions of a breaker
_FEW = 10  # requests beyond a percentile that it takes to trust it
_MINOR = 0.05  # the share of a latency below which a part of it is not named


def _console() -> Console:
    return Console(highlight=False, soft_wrap=False)


def _print_table(
    console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table whose first column is a name and whose others are figures."""
    cells = list(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for i, column in enumerate(columns):
        figure = i > 0 and column not in ("setting", "objectives missed")
        justify: JustifyMethod = "right" if figure else "left"
        # Headings are often longer than their figures, and break so that the table stays narrow.
        width = max((len(row[i]) for row in cells), default=0)
        heading = textwrap.fill(column, max(width, 1), break_long_words=False)
        table.add_column(Text(heading), justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: what a user named is not markup
    console.print(Text(title, style="bold"))
    console.print(table)


def _say(console: Console, text: str) -> None:
    console.print(Text(text))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _seconds(percentile: Percentile) -> str:
    if math.isnan(percentile.seconds):
        return "-"
    return f"{'> ' if percentile.at_least else ''}{percentile.seconds:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.2%}"


def print_replay(replay: Replay) -> None:
    """Print a replay: observations, then percentiles, outcomes and verdicts."""
    console = _console()
    model = replay.scenario.model
    _say(console, f"\n{model.name}: {model.summary}" if model.summary else f"\n{model.name}")
    start = f" from {model.clock}" if model.clock else ""
    _say(console, f"{duration_text(model.horizon)}{start}, seed {replay.seed}\n")
    for i in range(len(model.observations)):
        _print_observation(console, replay.observation(i))
    _print_transitions(console, replay)
    summaries = {name: result.summary for name, result in replay.results.items()}
    _print_summaries(console, summaries)


def _print_observation(console: Console, seen: dict[str, Any]) -> None:
    variants = seen["variants"]
    used = [c for c in CAUSES if any(v["attribution_s"][c] for v in variants.values())]
    rows = (
        (
            name,
            _simulated(v),
            *(f"{v['attribution_s'][cause]:.3f}" for cause in used),
        )
        for name, v in variants.items()
    )
    title = f"Observed at {seen['at']}: {seen['observed_s']:.6f} s. Simulated, in seconds:"
    columns = ("variant", "simulated", *map(_words, used))
    _print_table(console, title, columns, rows)
    _print_parts(console, variants)
    # Adding 0.0 makes a rounded -0.0 plain.
    changes = (f"{name} {round(v['change'], 4) + 0.0:+.2%}" for name, v in variants.items())
    _say(console, f"(change from the observed: {', '.join(changes)})")
    unused = [_words(cause) for cause in CAUSES if cause not in used]
    _say(console, f"(none in any variant: {', '.join(unused)})")
    for outcome in Outcome:
        names = [name for name, v in variants.items() if v["outcome"] == outcome.word]
        if names and outcome is not Outcome.OK:
            _say(console, f"(ended {_words(outcome.word)}: {', '.join(names)})")
    console.print()


def _print_transitions(console: Console, replay: Replay) -> None:
    """Print when breakers changed their state in the first variant; JSON has them all."""
    first = next(iter(replay.results))
    transitions = replay.transitions(first)
    if not transitions:
        return
    _say(console, f"Breakers in {first}:")
    for breaker in dict.fromkeys(t["breaker"] for t in transitions):
        own = [f"{t['state']} {t['at']}" for t in transitions if t["breaker"] == breaker]
        more = f", and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        _say(console, f"- {breaker}: {', '.join(own[:_SHOWN])}{more}")
    console.print()


def _print_parts(console: Console, variants: dict[str, Any]) -> None:
    """Print what most of the latency went to, part by part; variants that agree share a line."""
    agreeing: dict[str, list[str]] = {}
    for name, variant in variants.items():
        parts = sorted(variant["parts_s"].items(), key=lambda part: -part[1])
        shown = [
            f"{seconds:.3f} {part}"
            for part, seconds in parts
            if seconds > _MINOR * variant["simulated_s"]
        ]
        agreeing.setdefault(", ".join(shown), []).append(name)
    for parts_text, names in agreeing.items():
        _say(console, f"- {', '.join(names)}: {parts_text}")
    console.print()


def _simulated(variant: dict[str, Any]) -> str:
    return f"{'> ' if variant['at_least'] else ''}{variant['simulated_s']:.6f}"


def print_replays(replays: list[Replay]) -> None:
    """Print all observations of several replays in one table, and their p99 in another."""
    names = list(dict.fromkeys(name for replay in replays for name in replay.results))
    common = [name for name in names if all(name in replay.results for replay in replays)]
    console = _console()
    observed = (
        (
            replay.scenario.name,
            f"{seen['observed_s']:.6f}",
            *(_simulated(seen["variants"][name]) for name in common),
        )
        for replay in replays
        for i in range(len(replay.scenario.model.observations))
        for seen in [replay.observation(i)]
    )
    columns = ("incident", "observed", *common)
    _print_table(console, "The observed requests, simulated, in seconds", columns, observed)
    percentiles = (
        (
            replay.scenario.name,
            *(_seconds(replay.results[name].summary.percentiles["p99"]) for name in common),
        )
        for replay in replays
    )
    _print_table(console, "p99 of all requests, in seconds", ("incident", *common), percentiles)


def print_run(result: Result) -> None:
    """Print the summary of one run."""
    console = _console()
    variant = f", variant {result.scenario.variant}" if result.scenario.variant else ""
    _say(console, f"\n{result.scenario.name}{variant}, seed {result.seed}\n")
    _print_summaries(console, {result.scenario.variant or result.scenario.name: result.summary})
    _print_too_few(console, result)


def print_comparison(comparison: Comparison) -> None:
    """Print variants side by side, with differences from the first."""
    console = _console()
    console.print()
    if comparison.count > 1:
        _print_replicated(console, comparison)
        return
    summaries = {label: result.summary for label, result in comparison.results.items()}
    _print_percentiles(console, summaries)
    if len(summaries) > 1:
        first, *others = summaries
        base = summaries[first].percentiles
        rows = (
            (label, *(_difference(base[p], summaries[label].percentiles[p]) for p in PERCENTILES))
            for label in others
        )
        columns = ("variant", *PERCENTILES)
        _print_table(console, f"Difference from {first} in seconds", columns, rows)
    _print_outcomes(console, summaries)
    _print_verdicts(console, summaries)
    _print_too_few(console, comparison.results[comparison.first])


def _print_replicated(console: Console, comparison: Comparison) -> None:
    """Print means over replications with their intervals, and differences in pairs."""
    seed = comparison.results[comparison.first].seed
    _say(
        console,
        f"{comparison.count} replications from seed {seed}. Means over replications, with 95 % "
        f"intervals (Student t); differences from {comparison.first} are paired by replication, "
        "and called seen at 5 % after Holm's correction for the number of variants.\n",
    )
    if comparison.precision is not None:
        _print_precision(console, comparison)
    for name in PERCENTILES:
        columns = ("variant", name, "difference", "")
        rows = (_replicated_row(comparison, label, name) for label in comparison.results)
        _print_table(console, f"{name} in seconds", columns, rows)
    _print_definition(console, comparison.results[comparison.first].summary)
    _print_too_few(console, comparison.results[comparison.first])
    for label in list(comparison.results)[1:]:
        pairs = comparison.pairs(label)
        if pairs is not None:
            text = f"{pairs[0]} requests got better and {pairs[1]} worse than in {comparison.first}"
            _say(console, f"{label}: {text}.")
    console.print()
    verdicts = [
        (label, text, _plus_minus(value), "yes" if met else "no", f"{often} of {comparison.count}")
        for label in comparison.results
        for text, value, met, often in comparison.objectives(label)
    ]
    if verdicts:
        _print_table(
            console,
            "Objectives (seconds, shares, replies per second)",
            ("variant", "objective", "mean", "met", "met in"),
            verdicts,
        )


def _print_precision(console: Console, comparison: Comparison) -> None:
    assert comparison.precision is not None
    asked = f"{comparison.precision.measure}={comparison.precision.share:g}"
    reached = {label: comparison.reached(label) for label in comparison.results}
    enough = all(half <= comparison.precision.share for half in reached.values())
    shares = ", ".join(f"{label} {_share(half)}" for label, half in reached.items())
    verdict = "is reached" if enough else "is not reached"
    _say(console, f"The precision {asked} {verdict}; half the interval is: {shares}.\n")


def _print_too_few(console: Console, result: Result) -> None:
    """Warn of percentiles that rest on few requests, where the run is stationary."""
    requests = result.summary.requests
    few = [p for p in PERCENTILES[:-1] if requests * (1 - share(p)) < _FEW]
    if few and not result.scenario.model.faults:
        text = f"Fewer than {_FEW} of {requests} measured requests lie beyond {', '.join(few)}"
        _say(console, f"Warning: {text}; a longer horizon tells more.\n")


def _replicated_row(comparison: Comparison, label: str, name: str) -> tuple[str, str, str, str]:
    at_least = "> " if comparison.at_least(label, name) else ""
    own = at_least + _plus_minus(comparison.percentile(label, name))
    if label == comparison.first:
        return label, own, "", ""
    difference = comparison.differences[label][name]
    if at_least and comparison.at_least(comparison.first, name):
        return label, own, "?", ""  # the difference of two lower bounds says nothing
    verdict = "seen" if difference.seen else "no difference seen"
    return label, own, _plus_minus(difference.interval, sign="+"), verdict


def _plus_minus(interval: Interval, sign: str = "") -> str:
    if math.isnan(interval.estimate):
        return "-"
    return f"{interval.estimate:{sign}.3f} ± {interval.half_width:.3f}"


def _difference(old: Percentile, new: Percentile) -> str:
    change = new.seconds - old.seconds
    if math.isnan(change) or (old.at_least and new.at_least):
        return "?"  # the difference of two lower bounds says nothing
    return f"{'< ' if old.at_least else ''}{'> ' if new.at_least else ''}{change:+.3f}"


def _print_summaries(console: Console, summaries: dict[str, Summary]) -> None:
    _print_percentiles(console, summaries)
    _print_outcomes(console, summaries)
    _print_verdicts(console, summaries)


def _print_percentiles(console: Console, summaries: dict[str, Summary]) -> None:
    rows = (
        (name, *(_seconds(summary.percentiles[p]) for p in PERCENTILES))
        for name, summary in summaries.items()
    )
    _print_table(console, "Latency percentiles in seconds", ("variant", *PERCENTILES), rows)
    _print_definition(console, next(iter(summaries.values())))


def _print_definition(console: Console, summary: Summary) -> None:
    _say(console, f"({DEFINITION}; warm-up {duration_text(summary.warmup)})\n")


def _print_outcomes(console: Console, summaries: dict[str, Summary]) -> None:
    shown = [
        o.word
        for o in Outcome
        if o is Outcome.OK or any(summary.outcomes[o.word] for summary in summaries.values())
    ]
    rows = (
        (name, str(summary.requests), *(str(summary.outcomes[word]) for word in shown))
        for name, summary in summaries.items()
    )
    columns = ("variant", "requests", *map(_words, shown))
    _print_table(console, "Outcomes of those requests", columns, rows)


def _print_verdicts(console: Console, summaries: dict[str, Summary]) -> None:
    limit = next(iter(summaries.values())).limit
    under = [] if limit is None else [f"under {limit:g} s"]
    rows = (
        (
            name,
            f"{summary.goodput:.3f}",
            _share(summary.error_rate),
            *(_share(summary.under) for _ in under),
            ", ".join(v.objective.text for v in summary.verdicts if not v.met) or "none",
        )
        for name, summary in summaries.items()
    )
    columns = ("variant", "goodput /s", "error rate", *under, "objectives missed")
    _print_table(console, "Goodput and objectives", columns, rows)
    _print_blame(console, summaries)
    for name, summary in summaries.items():
        if summary.met and summary.verdicts:
            _say(console, f"{name} meets every objective, {_cost(summary)}.")
    console.print()


def _print_blame(console: Console, summaries: dict[str, Summary]) -> None:
    blamed: dict[str, list[tuple[str, str, str]]] = {}
    for name, summary in summaries.items():
        for verdict in summary.verdicts:
            if verdict.blame is not None:
                row = (name, f"{verdict.blame.share:.0%}", verdict.blame.setting)
                blamed.setdefault(verdict.objective.text, []).append(row)
    is_latency = {
        v.objective.text: v.objective.is_latency for s in summaries.values() for v in s.verdicts
    }
    for objective, rows in blamed.items():
        of = (
            "time of the requests that took longer"
            if is_latency[objective]
            else "requests that it ended"
        )
        title = f"To blame where {objective} is missed, by its share of the {of}"
        _print_table(console, title, ("variant", "share", "setting"), rows)


def _cost(summary: Summary) -> str:
    counts = {word: summary.outcomes[word] for word in ("degraded", "rejected")}
    costs = [f"{n / summary.requests:.2%} {word}" for word, n in counts.items() if n]
    return f"at the cost of {' and '.join(costs)} replies" if costs else "with no reply degraded"


def print_check(check: Check) -> None:
    """Print what the settings amount to."""
    console = _console()
    variant = f", variant {check.scenario.variant}" if check.scenario.variant else ""
    _say(console, f"\n{check.scenario.name}{variant}: valid\n")
    if check.openings:
        _print_table(
            console,
            "Breakers against a dead dependency, at the mean arrival rate",
            ("breaker", "dependency", "failing calls", "opens after", "calls reaching it"),
            map(_opening, check.openings),
        )
    if check.retries:
        _print_table(
            console,
            "Retries of a call that fails throughout",
            ("retry", "waits", "calls per request", "sustained"),
            map(_retry, check.retries),
        )
    title = "Worst-case latency that the settings allow, in seconds"
    _print_table(console, title, ("path", "worst case"), _worst_case(check))
    for found in check.contradictions:
        _say(console, f"Warning: {', '.join(found.settings)}: {found.problem}")
    if not check.contradictions:
        _say(console, "No settings that contradict each other.")


def _opening(o: Opening) -> tuple[str, ...]:
    if o.after is None or o.reached is None:
        return o.breaker, o.dead, str(o.failing_calls), "never" if o.never else "not seen", "-"
    return o.breaker, o.dead, str(o.failing_calls), duration_text(o.after), str(o.reached)


def _retry(r: RetryCost) -> tuple[str, ...]:
    waits = ", ".join(_range(*wait) for wait in r.waits) or "none"
    return r.path, waits, f"x{r.load}", f"x{r.sustained:g}"


def _worst_case(check: Check) -> Iterable[tuple[str, str]]:
    for stage, bound in check.bounds.items():
        yield stage, _limit(bound.total)
        for path, seconds in sorted(bound.terms.items(), key=lambda term: -term[1]):
            if seconds:
                yield f"  {path}", _limit(seconds)
    yield "a request through all of them", _limit(check.worst_case.total)


def _limit(seconds: float) -> str:
    return "unbounded" if math.isinf(seconds) else f"{seconds:.3f}"


def _range(shortest: float, longest: float) -> str:
    if shortest == longest:
        return duration_text(longest)
    return f"{duration_text(shortest)} to {duration_text(longest)}"


def print_sweep(sweep: Sweep, percentile: str) -> None:
    """Print one percentile, goodput and error rate of every setting, best first."""
    console = _console()
    runs = sorted(
        zip(sweep.settings, sweep.replications, strict=True),
        # Without measured requests there is none, and such settings come last.
        key=lambda run: (math.isnan(value := interval(run[1], percentile).estimate), value),
    )
    rows = (
        (
            ", ".join(str(settings[path]) for path in sweep.vary),
            _swept(run, percentile),
            _mean(run, "goodput"),
            _share(interval(run, "error_rate").estimate),
        )
        for settings, run in runs
    )
    number = len(sweep.replications[0])
    worlds = f"{number} replications each" if number > 1 else "one run each"
    _say(console, f"\n{len(sweep.settings)} settings, {worlds}, seed {sweep.seed}: ")
    _say(console, f"{', '.join(sweep.vary)}\n")
    columns = ("setting", percentile, "goodput /s", "error rate")
    _print_table(console, f"{percentile} in seconds, lowest first", columns, rows)


def _swept(runs: Sequence[Replication], percentile: str) -> str:
    at_least = "> " if any(percentile in run.at_least for run in runs) else ""
    found = interval(runs, percentile)
    return at_least + (_plus_minus(found) if len(runs) > 1 else _mean(runs, percentile))


def _mean(runs: Sequence[Replication], measure: str) -> str:
    value = interval(runs, measure).estimate
    return "-" if math.isnan(value) else f"{value:.3f}"
