"""The comment of a diff for a pull request: the verdict, the changed settings, and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.ci.markdown import block, code, details, html_code, page, table
from cascadesim.ci.texts import (
    UNITS,
    blame_text,
    counted,
    judged_text,
    limits_text,
    moved_texts,
    requests_text,
    setting_texts,
)
from cascadesim.values.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cascadesim.studies.diff import Diff, MovedObjective, Pair

MARKER = "<!-- cascadesim diff -->"  # by which a script finds the comment, to replace it
NOTHING = "No setting changed that a run could tell"
LONGEST = 65_000  # characters of a comment, of which GitHub takes 65,536
_OPEN = 2  # variants that are shown unfolded


def diff_markdown(diffs: Sequence[Diff], command: str) -> str:
    """Return the comment, in short where it would be too long; `command` repeats it."""
    text = _comment(diffs, command, in_short=False)
    return text if len(text) <= LONGEST else _comment(diffs, command, in_short=True)


def _comment(diffs: Sequence[Diff], command: str, in_short: bool) -> str:
    sign = "✅ " if any(each.pairs for each in diffs) else ""
    if not all(each.passed for each in diffs):
        sign = "❌ "
    parts = [part for each in diffs for part in _scenario(each, in_short)]
    title = f"### {sign}{verdict(diffs)}"
    return page(MARKER, title, *parts, details("To repeat it", block(command), _how(diffs)))


def verdict(diffs: Sequence[Diff]) -> str:
    """Return what the diffs come to, in a line."""
    if not diffs:
        return "No scenario changed"
    pairs = [pair for each in diffs for pair in each.pairs]
    missed = sum(len(pair.newly_missed) for pair in pairs)
    worse = sum(len(pair.worse) for pair in pairs)
    unknown = sum(len(pair.unknown) for pair in pairs)
    problems = [f"{counted(missed, 'objective')} newly missed"] if missed else []
    problems += [f"{counted(worse, 'measure')} worse than allowed"] if worse else []
    problems += [f"{counted(unknown, 'measure')} not known"] if unknown else []
    if problems:
        return ", ".join(problems)
    if not pairs:
        return _nothing_run(diffs)
    met = sum(each.verdict == "newly met" for pair in pairs for each in pair.objectives)
    return "No objective newly missed" + (f", {counted(met, 'objective')} newly met" if met else "")


def _nothing_run(diffs: Sequence[Diff]) -> str:
    if any(each.left_out for each in diffs):
        return "No variant run"
    if any(each.changes for each in diffs):
        return NOTHING
    statuses = {each.status for each in diffs} - {"same"}
    return f"Scenarios {' and '.join(sorted(statuses))}" if statuses else "No setting changed"


def _scenario(diff: Diff, in_short: bool) -> list[str]:
    sources = [one_line(each.document.source) for each in (diff.old, diff.new) if each is not None]
    title = f"**{code(diff.name)}**: {' → '.join(map(code, sources))}"
    if diff.status in ("added", "removed"):
        return [f"{title} is {'new' if diff.status == 'added' else 'removed'}."]
    if not diff.changes:
        return [f"{title}: the settings are the same."]
    parts = [title, table(("setting", "old", "new"), _settings(diff)), *_pairs(diff, in_short)]
    if diff.left_out:
        parts.append(f"Changed too, and not run: {', '.join(map(code, diff.left_out))}.")
    elif not diff.pairs:
        parts.append(f"{NOTHING}, so nothing was simulated.")
    return parts


def _pairs(diff: Diff, in_short: bool) -> list[str]:
    if not in_short:
        return [_pair(pair, len(diff.pairs) <= _OPEN) for pair in diff.pairs]
    lines = [f"- {_title(pair)}" for pair in diff.pairs]
    return ["\n".join(lines), "In short, as GitHub takes no longer comment."] if lines else []


def _settings(diff: Diff) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for change in diff.changes:
        order = " (order)" * (change.kind == "order")
        old, new = (code(text) if text else "-" for text in setting_texts(change))
        rows.append((f"{code(change.path)}{order}", old, new))
    return rows


def _pair(pair: Pair, shown: bool) -> str:
    columns = ("", "old", "new", "difference", "seen")
    measures = [(_words(name), *moved_texts(moved)) for name, moved in pair.moved.items()]
    objectives = [_objective(each) for each in pair.objectives]
    return details(
        _title(pair),
        "\n".join(f"- {line}" for line in limits_text(pair)),
        table(columns, measures, len(columns) - 1),
        table(("objective", "old", "new", "", "to blame"), objectives) if objectives else "",
        requests_text(pair),
        "The runs are too short to tell where the warm-up ends, so it is a guess." * pair.too_short,
        shown=shown or not pair.passed,
    )


def _title(pair: Pair) -> str:
    """Return a pair in a line of HTML."""
    named = "The scenario" if pair.variant is None else f"Variant {html_code(pair.variant)}"
    old, new, *_ = moved_texts(pair.moved["p99"])
    seen = pair.moved["p99"].seen
    difference = {True: "", False: ", no difference seen", None: ", not known"}[seen]
    verdicts = [each.verdict for each in pair.objectives if each.verdict.startswith("newly")]
    newly = [f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts)]
    p99 = f"p99 {old} s → {new} s{difference}".replace(">", "&gt;")
    return f"{named}: {'; '.join([p99, *newly])}"


def _objective(each: MovedObjective) -> tuple[str, ...]:
    text = code(each.new.objective.text)
    if each.old is not None and each.old.objective != each.new.objective:
        text = f"{text}, was {code(each.old.objective.text)}"
    blame = blame_text(each.new)
    word = f"**{each.verdict}**" if each.verdict == "newly missed" else each.verdict
    return (
        text,
        "-" if each.old is None else judged_text(each.old),
        judged_text(each.new),
        word,
        code(blame) if blame else "",
    )


def _how(diffs: Sequence[Diff]) -> str:
    runs = {(each.seed or 0, each.replications or 1) for each in diffs if each.pairs}
    if not runs:
        return ""
    worlds = ", ".join(f"{counted(n, 'replication')} from seed {s}" for s, n in sorted(runs))
    if all(n == 1 for _, n in runs):
        return f"{worlds}, old and new in the same world, which alone shows no difference; {UNITS}."
    return (
        f"{worlds}; old and new in the same worlds. Means with half their 95 % interval "
        f"(Student t), differences in pairs and called seen at 5 %, each by itself; {UNITS}. "
        f"Percentiles are {DEFINITION}."
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
