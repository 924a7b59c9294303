"""The page of a diff: the verdict, the settings that changed, and what that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.figure_rules import FEW_REPLICATIONS, LOWER_BOUND
from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.files import from_here
from cascadesim.scenario.objectives import ANSWERED
from cascadesim.scenario.source import flow
from cascadesim.values import words
from cascadesim.values.errors import cut
from cascadesim.views import facts
from cascadesim.views.objective import blamed
from cascadesim.views.page import (
    Cell,
    Command,
    Note,
    Page,
    Section,
    blocks,
    left,
    listing,
    name,
    setting,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.analysis.contrast import Contrast
    from cascadesim.studies.changes import SettingChange
    from cascadesim.studies.diff import Diff, MovedObjective, Pair
    from cascadesim.views.page import Block, Kind, Severity, Words

MARKER = "<!-- cascadesim diff -->"  # by which a script finds the comment, to replace it
_NOTHING = "No setting changed that a run could tell"
_OPEN = 2  # variants that are not folded
_VALUE = 100  # characters of a setting
_KINDS: dict[str, Kind] = {"newly missed": "bad", "newly met": "good"}


def page(diffs: Sequence[Diff], command: str = "") -> Page:
    """Return what changed in each scenario, old and new side by side; `command` repeats it."""
    severity: Severity = "good" if any(diff.pairs for diff in diffs) else ""
    if not all(diff.passed for diff in diffs):
        severity = "bad"
    how = _how(diffs)
    repeat = Section("To repeat it", blocks(Command(command), how), folded=True)
    return Page(
        _verdict(diffs),
        blocks(
            (block for diff in diffs for block in _scenario(diff)),
            repeat if command else how,
        ),
        severity,
    )


def _verdict(diffs: Sequence[Diff]) -> str:
    if not diffs:
        return "No scenario changed"
    pairs = [pair for diff in diffs for pair in diff.pairs]
    numbers = {
        ("objective", "newly missed"): sum(len(pair.newly_missed) for pair in pairs),
        ("measure", "worse than allowed"): sum(len(pair.worse) for pair in pairs),
        ("measure", "not known"): sum(len(pair.unknown) for pair in pairs),
    }
    problems = [f"{words.counted(n, of)} {what}" for (of, what), n in numbers.items() if n]
    if problems:
        return ", ".join(problems)
    if not pairs:
        return _nothing_run(diffs)
    met = sum(moved.verdict == "newly met" for pair in pairs for moved in pair.objectives)
    newly_met = f", {words.counted(met, 'objective')} newly met" if met else ""
    return f"No objective newly missed{newly_met}"


def _nothing_run(diffs: Sequence[Diff]) -> str:
    if any(diff.left_out for diff in diffs):
        return "No variant run"
    if any(diff.changes for diff in diffs):
        return _NOTHING
    statuses = {diff.status for diff in diffs} - {"same"}
    return f"Scenarios {' and '.join(sorted(statuses))}" if statuses else "No setting changed"


def _scenario(diff: Diff) -> Iterator[Block | None]:
    files = [
        name(from_here(one.document.source)) for one in (diff.old, diff.new) if one is not None
    ]
    between: tuple[str | Cell, ...] = (" → ",) if len(files) > 1 else ()
    title = (name(diff.name), ": ", *files[:1], *between, *files[1:])
    ends = {"added": " is new.", "removed": " is removed.", "same": ": the settings are the same."}
    yield Note((*title, ends.get(diff.status, "")))
    columns = (left("setting"), left("old"), left("new"))
    yield table("", columns, map(_setting, diff.changes))
    for pair in diff.pairs:
        folded = len(diff.pairs) > _OPEN and pair.passed
        yield Section(_title(pair), blocks(_pair(pair)), folded)
    if diff.left_out:
        yield Note(("Changed too, and not run: ", name(", ".join(diff.left_out)), "."))
    elif diff.changes and not diff.pairs:
        yield Note(f"{_NOTHING}, so nothing was simulated.")


def _setting(change: SettingChange) -> tuple[Cell, ...]:
    path, texts = change.path, (flow(change.old), flow(change.new))
    if change.kind == "order":
        path, texts = f"{path} (order)", (", ".join(change.old), ", ".join(change.new))
    absent = {"added": 0, "removed": 1}.get(change.kind)  # which of the two values is none
    cells = (Cell(cut(text, _VALUE), kind="value") for text in texts)
    return setting(path), *(Cell("-") if i == absent else cell for i, cell in enumerate(cells))


def _title(pair: Pair) -> Words:
    """Return a variant, its answers, errors and p99, and how many objectives moved."""
    named = ("The scenario",) if pair.variant is None else ("Variant ", name(pair.variant))
    moves = ", ".join(_move(pair.moved[measure]) for measure in (ANSWERED, "error_rate", "p99"))
    verdicts = [moved.verdict for moved in pair.objectives if moved.verdict in _KINDS]
    newly = "".join(f"; {verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))
    return *named, f": {moves}{newly}"


def _move(moved: Contrast) -> str:
    old, new = (words.with_unit(moved.measure, cell.text) for cell in _means(moved))
    difference = "" if moved.seen else f" (difference {words.SEEN[moved.seen]})"
    return f"{words.in_words(moved.measure)} {old} → {new}{difference if old != new else ''}"


def _means(moved: Contrast) -> tuple[Cell, Cell]:
    old, new = moved.at_least
    return (
        facts.mean(moved.measure, moved.before, old),
        facts.mean(moved.measure, moved.after, new),
    )


def _pair(pair: Pair) -> Iterator[Block | None]:
    yield from _limits(pair)
    yield table("", ("measure", "old", "new", "difference", left("")), _measures(pair))
    yield table("", ("objective", "old", "new", left("")), map(_objective, pair.objectives))
    yield listing("To blame:", _blamed(pair))
    if pair.requests is None:
        yield Note("The two did not meet the same requests, as their workloads differ.")
    else:
        yield Note(f"{pair.requests[0]} requests got better and {pair.requests[1]} worse.")
    if pair.too_short:
        yield facts.GUESS


def _limits(pair: Pair) -> Iterator[Note]:
    """Yield each measure that is worse than is allowed, or not known."""
    for worse in pair.worse:
        by = words.mean(worse.measure, worse.known.difference, "+")
        allowed = words.amount(worse.measure, worse.tolerated)
        yield Note(f"{worse.measure} is worse by more than {allowed}: {by}.")
    for measure in pair.unknown:
        text = "is worse is not known, as requests are unfinished at the end, or none is measured."
        yield Note(f"Whether {measure} {text}", code=LOWER_BOUND.code)


def _measures(pair: Pair) -> Iterator[tuple[Cell, ...]]:
    for measure, moved in pair.moved.items():
        difference = facts.difference(measure, moved.interval, moved.bound)
        yield Cell(words.in_words(measure)), *_means(moved), difference, facts.seen(moved.seen)


def _objective(moved: MovedObjective) -> tuple[Cell, ...]:
    old = Cell("-") if moved.old is None else facts.judged_value(moved.old)
    verdict = Cell(moved.verdict, kind=_KINDS.get(moved.verdict, ""))
    return _stated(moved), old, facts.judged_value(moved.new), verdict


def _blamed(pair: Pair) -> Iterator[Words]:
    for moved in pair.objectives:
        if blame := blamed(moved.new):
            yield name(moved.new.objective.text), ": ", *blame, "."


def _stated(moved: MovedObjective) -> Cell:
    """Return an objective, and below it what it was before if that was another."""
    text = moved.new.objective.text
    if moved.old is None or moved.old.objective == moved.new.objective:
        return name(text)
    return Cell(text, kind="name", below=(f"was {moved.old.objective.text}",))


def _how(diffs: Sequence[Diff]) -> Note | None:
    runs = {(diff.seed or 0, diff.replications or 1) for diff in diffs if diff.pairs}
    if not runs:
        return None
    counts = (f"{words.counted(n, 'replication')} from seed {seed}" for seed, n in sorted(runs))
    how = f"{', '.join(counts)}; old and new with the same seed"
    if all(n == 1 for _, n in runs):
        text = f"{how}. A single one shows no difference; {words.UNITS}."
        return Note(text, code=FEW_REPLICATIONS.code)
    return Note(
        f"{how}: {facts.INTERVALS}, differences in pairs and called seen at 5 %, each by itself; "
        f"{words.UNITS}. Percentiles are {DEFINITION}."
    )
