"""What people read: results as tables for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cascadesim.analysis.percentiles import DEFINITION, FEW, PERCENTILES, too_few
from cascadesim.cli.connections_table import connection_tables
from cascadesim.plan.causes import CAUSES
from cascadesim.shown import percent, seconds_text
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import JustifyMethod

    from cascadesim.analysis.contradictions import RetryCost
    from cascadesim.analysis.summary import Summary
    from cascadesim.scenario.objectives import Objective
    from cascadesim.studies.check import Check, Opening
    from cascadesim.studies.replay import Replay
    from cascadesim.studies.run import Result


_SHOWN = 6  # transitions of a breaker
_MINOR = 0.05  # the share of a latency below which a part of it is not named


def new_console() -> Console:
    """Return a console that prints what it is given, and colours nothing by itself."""
    return Console(highlight=False, soft_wrap=False)


def print_table(
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


def say(console: Console, text: str) -> None:
    """Print text as it is, wrapped at the width of the terminal."""
    console.print(Text(text))


def words(name: str) -> str:
    """Return a name such as "timed_out" in words."""
    return name.replace("_", " ")


def print_replay(replay: Replay) -> None:
    """Print a replay: observations, then percentiles, outcomes and verdicts."""
    console = new_console()
    model = replay.scenario.model
    say(console, f"\n{model.name}: {model.summary}" if model.summary else f"\n{model.name}")
    start = f" from {model.clock}" if model.clock else ""
    say(console, f"{duration_text(model.horizon)}{start}, seed {replay.seed}\n")
    for i in range(len(model.observations)):
        _print_observation(console, replay.observation(i))
    _print_transitions(console, replay)
    _print_results(console, replay.results)


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
    of = f" of {seen['class']}" if "class" in seen else ""
    title = f"Observed at {seen['at']}{of}: {seen['observed_s']:.6f} s. Simulated, in seconds:"
    columns = ("variant", "simulated", *map(words, used))
    print_table(console, title, columns, rows)
    _print_parts(console, variants)
    # Adding 0.0 makes a rounded -0.0 plain.
    changes = (f"{name} {round(v['change'], 4) + 0.0:+.2%}" for name, v in variants.items())
    say(console, f"(change from the observed: {', '.join(changes)})")
    unused = [words(cause) for cause in CAUSES if cause not in used]
    say(console, f"(none in any variant: {', '.join(unused)})")
    for outcome in Outcome:
        names = [name for name, v in variants.items() if v["outcome"] == outcome.word]
        if names and outcome is not Outcome.OK:
            say(console, f"(ended {words(outcome.word)}: {', '.join(names)})")
    console.print()


def _print_transitions(console: Console, replay: Replay) -> None:
    """Print when breakers changed their state in the first variant; JSON has them all."""
    first = next(iter(replay.results))
    transitions = replay.transitions(first)
    if not transitions:
        return
    say(console, f"Breakers in {first}:")
    for breaker in dict.fromkeys(t["breaker"] for t in transitions):
        own = [f"{t['state']} {t['at']}" for t in transitions if t["breaker"] == breaker]
        more = f", and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        say(console, f"- {breaker}: {', '.join(own[:_SHOWN])}{more}")
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
        say(console, f"- {', '.join(names)}: {parts_text}")
    console.print()


def _simulated(variant: dict[str, Any]) -> str:
    return f"{'> ' if variant['at_least'] else ''}{variant['simulated_s']:.6f}"


def print_replays(replays: list[Replay]) -> None:
    """Print all observations of several replays in one table, and their p99 in another."""
    names = list(dict.fromkeys(name for replay in replays for name in replay.results))
    common = [name for name in names if all(name in replay.results for replay in replays)]
    console = new_console()
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
    print_table(console, "The observed requests, simulated, in seconds", columns, observed)
    percentiles = (
        (
            replay.scenario.name,
            *(seconds_text(replay.results[name].summary.percentiles["p99"]) for name in common),
        )
        for replay in replays
    )
    print_table(console, "p99 of all requests, in seconds", ("incident", *common), percentiles)


def print_run(result: Result) -> None:
    """Print the summary of one run."""
    console = new_console()
    variant = f", variant {result.scenario.variant}" if result.scenario.variant else ""
    say(console, f"\n{result.scenario.name}{variant}, seed {result.seed}\n")
    results = {result.scenario.variant or result.scenario.name: result}
    print_percentiles(console, results)
    _print_compositions(console, result)
    print_outcomes(console, results)
    print_connections(console, results)
    print_too_few(console, result)


def print_connections(
    console: Console, results: Mapping[str, Result], title: str = "Connections"
) -> None:
    """Print what became of connections in each run, where messages come over some."""
    counts = {label: result.records.connections for label, result in results.items()}
    for columns, *rows in connection_tables(counts, console.width):
        print_table(console, title, columns, rows)


def _print_compositions(console: Console, result: Result) -> None:
    """Print what each percentile is made of, by cause."""
    if not result.summary.requests:
        return
    made = {name: result.composition(name).by_cause for name in PERCENTILES}
    used = [c for c in CAUSES if any(each[c] for each in made.values())]
    rows = ((name, *(f"{each[cause]:.3f}" for cause in used)) for name, each in made.items())
    title = "What requests of about that latency spent it on, in seconds"
    print_table(console, title, ("percentile", *map(words, used)), rows)


def print_too_few(console: Console, result: Result) -> None:
    """Warn of percentiles that rest on no request, or on few where the run is stationary."""
    requests = result.summary.requests
    if not requests:
        say(console, "Warning: no request arrives between warm-up and horizon.\n")
        return
    few = too_few(requests, PERCENTILES)
    if few and not result.scenario.model.has_planned_faults:
        text = f"Fewer than {FEW} of {requests} measured requests lie beyond {', '.join(few)}"
        say(console, f"Warning: {text}; a longer horizon tells more.\n")


def _print_results(console: Console, results: dict[str, Result]) -> None:
    print_percentiles(console, results)
    print_outcomes(console, results)
    print_connections(console, results)


def print_percentiles(console: Console, results: dict[str, Result]) -> None:
    """Print the latency percentiles of each run, and what they are of."""
    rows = (
        (name, *(seconds_text(summary.percentiles[p]) for p in PERCENTILES))
        for name, summary in _with_classes({name: r.summary for name, r in results.items()})
    )
    print_table(console, "Latency percentiles in seconds", ("variant", *PERCENTILES), rows)
    print_definition(console, results)


def _with_classes(summaries: dict[str, Summary]) -> Iterator[tuple[str, Summary]]:
    """Yield each summary by its name, and below it those of its classes of requests."""
    for name, summary in summaries.items():
        yield name, summary
        for request_class, own in summary.classes.items():
            yield f"  {request_class}", own


def print_definition(console: Console, results: dict[str, Result]) -> None:
    """Print what percentiles are of, and warn where the warm-up is a guess."""
    warmup = duration_text(next(iter(results.values())).summary.warmup)
    say(console, f"({DEFINITION}; warm-up {warmup})\n")
    if any(result.scenario.too_short for result in results.values()):
        text = "the run is too short, or its first fault too early, to tell where the warm-up ends"
        say(console, f"Warning: {text}, so this one is a guess.\n")


def print_outcomes(console: Console, results: dict[str, Result]) -> None:
    """Print the outcomes of each run, goodput, objectives, and what is to blame."""
    summaries = {name: result.summary for name, result in results.items()}
    _print_counts(console, summaries)
    _print_verdicts(console, summaries)


def _print_counts(console: Console, summaries: dict[str, Summary]) -> None:
    shown = [
        o.word
        for o in Outcome
        if o is Outcome.OK or any(summary.outcomes[o.word] for summary in summaries.values())
    ]
    rows = (
        (name, str(summary.requests), *(str(summary.outcomes[word]) for word in shown))
        for name, summary in _with_classes(summaries)
    )
    columns = ("variant", "requests", *map(words, shown))
    print_table(console, "Outcomes of those requests", columns, rows)


def _print_verdicts(console: Console, summaries: dict[str, Summary]) -> None:
    limit = next(iter(summaries.values())).limit
    under = [] if limit is None else [f"under {limit:g} s"]
    rows = (
        (
            name,
            f"{summary.goodput:.3f}",
            percent(summary.error_rate),
            *(percent(summary.under if summary.limit == limit else None) for _ in under),
            ", ".join(_missed(summary)) or "none",
        )
        for name, summary in _with_classes(summaries)
    )
    columns = ("variant", "goodput /s", "error rate", *under, "objectives missed")
    print_table(console, "Goodput and objectives", columns, rows)
    _print_blame(console, summaries)
    for name, summary in summaries.items():
        if summary.met and summary.verdicts:
            say(console, f"{name} meets every objective, {_cost(summary)}.")
    console.print()


def _missed(summary: Summary) -> list[str]:
    """Return the objectives that are missed, without those that classes below have rows for."""
    own = [v for v in summary.verdicts if not (summary.classes and v.objective.request_class)]
    missed = [verdict.objective for verdict in own if not verdict.met]
    return [each.text.removeprefix(f"{each.request_class}: ") for each in missed]


def _print_blame(console: Console, summaries: dict[str, Summary]) -> None:
    blamed: dict[Objective, list[tuple[str, str, str]]] = {}
    for name, summary in summaries.items():
        for verdict in summary.verdicts:
            if verdict.blame is not None:
                row = (name, f"{verdict.blame.share:.0%}", verdict.blame.setting)
                blamed.setdefault(verdict.objective, []).append(row)
    for objective, rows in blamed.items():
        of = blamed_of(objective)
        title = f"To blame where {objective.text} is missed, by its share of the {of}"
        print_table(console, title, ("variant", "share", "setting"), rows)


def blamed_of(objective: Objective) -> str:
    """Return what the share of what is to blame is a share of."""
    if objective.is_latency:
        return "time of the requests that took longer"
    return "requests that it ended"


def _cost(summary: Summary) -> str:
    counts = {word: summary.outcomes[word] for word in ("degraded", "rejected")}
    costs = [f"{n / summary.requests:.2%} {word}" for word, n in counts.items() if n]
    return f"at the cost of {' and '.join(costs)} replies" if costs else "with no reply degraded"


def print_check(check: Check) -> None:
    """Print what the settings amount to."""
    console = new_console()
    variant = f", variant {check.scenario.variant}" if check.scenario.variant else ""
    say(console, f"\n{check.scenario.name}{variant}: valid\n")
    if check.openings:
        print_table(
            console,
            "Breakers against a dead dependency, at the mean arrival rate",
            ("breaker", "dependency", "failing calls", "opens after", "calls reaching it"),
            map(_opening, check.openings),
        )
    if check.retries:
        print_table(
            console,
            "Retries of a call that fails throughout",
            ("retry", "waits", "calls per request", "sustained"),
            map(_retry, check.retries),
        )
    title = "Worst-case latency that the settings allow, in seconds"
    print_table(console, title, ("path", "worst case"), _worst_case(check))
    for found in check.contradictions:
        say(console, f"Warning: {', '.join(found.settings)}: {found.problem}")
    if not check.contradictions:
        say(console, "No settings that contradict each other.")


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
    for name, bound in check.paths.items():
        through = "all of them" if name is None else "its path"
        which = "a request" if name is None else f"a request of {name}"
        yield f"{which} through {through}", _limit(bound.total)


def _limit(seconds: float) -> str:
    return "unbounded" if math.isinf(seconds) else f"{seconds:.3f}"


def _range(shortest: float, longest: float) -> str:
    if shortest == longest:
        return duration_text(longest)
    return f"{duration_text(shortest)} to {duration_text(longest)}"
