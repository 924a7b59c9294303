"""The pages of replays: what was observed beside what the variants come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascadesim.plan.causes import CAUSES
from cascadesim.values import words
from cascadesim.values.outcome import Outcome
from cascadesim.values.units import duration_text
from cascadesim.views import facts, measures
from cascadesim.views.brief import figures, in_columns
from cascadesim.views.page import Cell, Note, Page, blocks, listing, name, setting, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.studies.replay import Replay
    from cascadesim.views.page import Block, Listing, Table

_SHOWN = 6  # transitions of a breaker
_MINOR = 0.05  # the share of a latency below which a part of it is not named
_OBSERVED = "as observed"  # a column that no variant is called, as it has a space
_DIGITS = 6  # decimals, as observations are often given in microseconds


def page(replay: Replay) -> Page:
    """Return the observations, then percentiles, outcomes and objectives."""
    model = replay.scenario.model
    summary = f": {model.summary}" if model.summary else ""
    start = f" from {model.clock}" if model.clock else ""
    return Page(
        f"{model.name}{summary}",
        blocks(
            Note(f"{duration_text(model.horizon)}{start}, seed {replay.seed}"),
            (block for i in _observations(replay) for block in observed(replay, i)),
            _transitions(replay),
            measures.of_runs(replay.results),
        ),
    )


def brief(replay: Replay) -> Page:
    """Return observed and simulated latencies, and the figures of each variant in a column."""
    seen = {_row(replay, i): replay.observation(i) for i in _observations(replay)}
    columns = {_OBSERVED: {row: facts.latency(one["observed_s"]) for row, one in seen.items()}}
    for label, result in replay.results.items():
        latencies = {row: _simulated(one["variants"][label], 3) for row, one in seen.items()}
        of_run = figures(measures.of_summary(result.summary), result.summary.verdicts)
        columns[label] = latencies | of_run
    title = f"{replay.scenario.name}, observed and simulated, seed {replay.seed}; {words.SECONDS}"
    for row, one in seen.items():
        title += _fitted(one["fitted_s"], f"request {row.partition(':')[0]}")
    return Page(title, blocks(in_columns(columns, replay.results)))


def _observations(replay: Replay) -> range:
    return range(len(replay.scenario.model.observations))


def _row(replay: Replay, i: int) -> str:
    return f"{i + 1}: at {replay.observation(i)['at']}"


def observed(replay: Replay, i: int) -> Iterator[Block | None]:
    """Yield an observation beside the same request in each variant, and where its time went."""
    seen = replay.observation(i)
    variants = seen["variants"]
    used = facts.used_causes(variant["attribution_s"] for variant in variants.values())
    of = f" of {seen['class']}" if "class" in seen else ""
    yield table(
        f"Observed at {seen['at']}{of}: {seen['observed_s']:.{_DIGITS}f} s. "
        f"Simulated, in seconds{_fitted(seen['fitted_s'])}:",
        ("variant", "simulated", *map(words.in_words, used), "change"),
        (
            (
                name(label),
                _simulated(variant),
                *(facts.part(variant["attribution_s"][c], variant["simulated_s"]) for c in used),
                Cell(f"{round(variant['change'], 3) + 0.0:+.1%}", variant["change"]),
            )
            for label, variant in variants.items()
        ),
    )
    yield _parts(variants)
    unused = [words.in_words(cause) for cause in CAUSES if cause not in used]
    yield Note(f"None in any variant: {', '.join(unused)}.")


def _fitted(work: dict[str, float], of: str = "this request") -> str:
    text = words.fitted(work, of)
    return f" {text}" if text else ""


def _simulated(variant: dict[str, Any], digits: int = _DIGITS) -> Cell:
    """Return a simulated latency, and how the request ended where it was not answered."""
    text = words.lower_bound(f"{variant['simulated_s']:.{digits}f}", variant["at_least"])
    ended = variant["outcome"]  # that it is answered goes without saying
    below = () if ended == Outcome.OK.word else (words.in_words(ended),)
    return Cell(text, variant["simulated_s"], below=below)


def _parts(variants: dict[str, Any]) -> Listing | None:
    """Return what most of the latency went to, part by part; variants that agree share a line."""
    agreeing: dict[tuple[str | Cell, ...], list[str]] = {}
    for label, variant in variants.items():
        parts = sorted(variant["parts_s"].items(), key=lambda part: -part[1])
        shown: list[str | Cell] = []
        for part, seconds in parts:
            if seconds > _MINOR * variant["simulated_s"]:
                shown += [", " if shown else "", f"{seconds:.3f} ", setting(part)]
        agreeing.setdefault(tuple(shown), []).append(label)
    items = ((name(", ".join(labels)), ": ", *parts) for parts, labels in agreeing.items())
    return listing("Where most of it went, in seconds:", items)


def _transitions(replay: Replay) -> Listing | None:
    """Return when breakers changed their state in the first variant; JSON has them all."""
    first = next(iter(replay.results))
    by_breaker: dict[str, list[str]] = {}
    for change in replay.transitions(first):
        text = f"{change['state']} {change['at']}"
        by_breaker.setdefault(change["breaker"], []).append(text)
    items = ((setting(breaker), ": ", _few(changes)) for breaker, changes in by_breaker.items())
    return listing(f"Breakers in {first}:", items)


def _few(changes: Sequence[str]) -> str:
    more = f", and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    return f"{', '.join(changes[:_SHOWN])}{more}"


def page_of_all(replays: Sequence[Replay]) -> Page:
    """Return all observations of several replays in one table, and their p99 in another."""
    names = list(dict.fromkeys(label for replay in replays for label in replay.results))
    common = [label for label in names if all(label in replay.results for replay in replays)]
    seen = [(replay, replay.observation(i)) for replay in replays for i in _observations(replay)]
    return Page(
        f"All {len(replays)} replays",
        blocks(
            table(
                "The observed requests, simulated, in seconds",
                ("scenario", "observed", *common),
                (
                    (
                        name(replay.scenario.name),
                        Cell(f"{one['observed_s']:.{_DIGITS}f}", one["observed_s"]),
                        *(_simulated(one["variants"][label]) for label in common),
                    )
                    for replay, one in seen
                ),
            ),
            (
                Note(f"{at.scenario.name} {text}")
                for at, one in seen
                if (text := words.fitted(one["fitted_s"]))
            ),
            _p99s(replays, common),
        ),
    )


def _p99(replay: Replay, label: str) -> Cell:
    return facts.percentile(replay.results[label].summary.percentiles["p99"])


def _p99s(replays: Sequence[Replay], common: Sequence[str]) -> Table | None:
    rows = (
        (
            name(replay.scenario.name),
            *(_p99(replay, label) for label in common),
        )
        for replay in replays
    )
    return table("p99 of all requests, in seconds", ("scenario", *common), rows)
