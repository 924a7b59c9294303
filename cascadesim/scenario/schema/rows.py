"""Checks of blocking: a stage that blocks needs a stage before it in which calls can wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.values.errors import show
from cascadesim.values.strict import problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cascadesim.scenario.schema.stages import Stage
    from cascadesim.scenario.schema.workload import RequestClass


def check_row(stages: Mapping[str, Stage], *at: str | int) -> None:
    """Raise an error where a stage blocks and calls cannot wait before it; `at` is the stages'."""
    for before, name in _blocking(list(stages), stages):
        place = (*at, name, "when_full")
        if before is None:
            message = "no stage comes before this one in which a call could keep its place"
            raise problem(message, *place)
        for key, lacks in (("concurrency", True), ("codel", False)):
            if (getattr(stages[before], key) is None) == lacks:
                right = f"needs {key} for that" if lacks else f"cannot have {key} for that"
                raise problem(f"a call keeps its place in {show(before)}, which {right}", *place)


def check_parallel(stages: Mapping[str, Stage], *at: str | int) -> None:
    """Raise an error where one of several parallel stages blocks calls."""
    for name, stage in stages.items():
        if stage.when_full == "block":
            message = "no stage comes before one in parallel, so none has a place to keep"
            raise problem(message, *at, name, "when_full")


def check_path_rows(classes: Mapping[str, RequestClass], stages: Mapping[str, Stage]) -> None:
    """Raise an error where the stage before a blocking one is not the same on all paths.

    Otherwise two classes could wait for each other's places for ever.
    """
    usual = {name: before for before, name in _blocking(list(stages), stages)}
    for request_class, settings in classes.items():
        path = list(stages) if settings.path is None else settings.path
        for before, name in _blocking(path, stages):
            if before != usual[name]:
                message = (
                    f"{show(name)} lets calls in late that keep their place in "
                    f"{show(usual[name])}; put it right after that one"
                )
                at = ("workload", "classes", request_class, "path", path.index(name))
                raise problem(message, *at)


def _blocking(
    names: Sequence[str], stages: Mapping[str, Stage]
) -> Iterator[tuple[str | None, str]]:
    """Yield each stage that blocks, after the stage before it, None for none."""
    for before, name in zip((None, *names), names, strict=False):
        if stages[name].when_full == "block":
            yield before, name
