"""The page of a test that misses objectives: by how much, what is to blame, and the causes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cascadesim.values import words
from cascadesim.views import facts, objective
from cascadesim.views.page import Note, Page, blocks, listing, name, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.runs import LazyRuns
    from cascadesim.views.page import Block, Table


def page(runs: LazyRuns, missed: Sequence[Judged]) -> Page:
    """Return each missed objective, and what a latency is made of."""
    texts = [judged.objective.text for judged in missed]
    verdict = "are missed" if len(texts) > 1 else "is missed"
    parts = (block for judged in missed for block in _objective(runs, judged))
    title = facts.in_short(texts, "objective", verdict)
    return Page(title, blocks(Note(name(runs.title)), Note(runs.how_many), parts), "bad")


def _objective(runs: LazyRuns, judged: Judged) -> Iterator[Block | None]:
    measure = f"{judged.objective.measure} is {objective.value(judged)}"
    details = listing(measure, objective.details(judged, runs.count))
    yield details or Note(f"{measure}.")
    if judged.objective.is_latency and not math.isnan(judged.value.estimate):
        yield _made_of(runs, judged)


def _made_of(runs: LazyRuns, judged: Judged) -> Table | None:
    made = runs.composition(judged.objective.metric, judged.objective.request_class).by_cause
    largest = sorted(made.items(), key=lambda cause: -cause[1])
    rows = (
        (words.in_words(cause), facts.latency(seconds))
        for cause, seconds in largest
        if facts.shows(seconds)
    )
    return table(f"{judged.objective.measure} is made of", ("cause", "seconds"), rows)
