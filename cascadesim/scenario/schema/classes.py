"""Whether classes of requests agree with the rest of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascadesim.scenario.objectives import parse_objective
from cascadesim.values.errors import show, suggest
from cascadesim.values.strict import problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cascadesim.scenario.schema.scenario import Observation
    from cascadesim.scenario.schema.stages import Stage
    from cascadesim.scenario.schema.workload import RequestClass, Workload

_CLASSES = ("workload", "classes")


def check_workload(workload: Workload) -> None:
    """Raise an error where arrivals or weights of a class contradict those of the workload."""
    if workload.classes is None:
        return
    for name, settings in workload.classes.items():
        if workload.load is None:
            _check_apart(settings, name)
        else:
            _check_weighed(settings, name, workload.load)
    if workload.load and not any(settings.weight for settings in workload.classes.values()):
        raise problem("one class needs a weight above 0", *_CLASSES)


def _check_apart(settings: RequestClass, name: str) -> None:
    at = (*_CLASSES, name)
    if settings.arrivals is None:
        message = "needs arrivals of its own, as workload has none that are shared by weight"
        raise problem(message, *at)
    if settings.weight is not None:
        message = "shares nothing by weight, as it has arrivals of its own; leave the weight out"
        raise problem(message, *at, "weight")


def _check_weighed(settings: RequestClass, name: str, load: str) -> None:
    at = (*_CLASSES, name)
    if settings.arrivals is not None:
        message = f"workload.{load} is there too; leave it out, or give weights in place of these"
        raise problem(message, *at, "arrivals")
    if settings.weight is None:
        raise problem(f"needs a weight, how often a request of workload.{load} is of it", *at)


def check_paths(classes: Mapping[str, RequestClass], stages: Mapping[str, Stage]) -> None:
    """Raise an error where a path names no top-level stage, or a stage is on no path."""
    passed: set[str] = set()
    for name, settings in classes.items():
        for i, stage in enumerate(settings.path or ()):
            at = (*_CLASSES, name, "path", i)
            if stage not in stages:
                raise problem(_no_stage(stage, stages), *at)
            if stage in (settings.path or ())[:i]:
                raise problem(f"{show(stage)} is on the path already; a path passes it once", *at)
        passed.update(stages if settings.path is None else settings.path)
    for stage in stages:
        if stage not in passed:
            message = f"no class passes {show(stage)}; put it on a path, or leave it out"
            raise problem(message, "stages", stage, key=True)


def _no_stage(name: str, stages: Mapping[str, Stage]) -> str:
    for outer, stage in stages.items():
        if _is_inside(name, stage):
            return f"{show(name)} is inside {show(outer)}; a path names the stages of the top level"
    return f"no stage {show(name)}; {suggest(name, list(stages))}"


def _is_inside(name: str, stage: Stage) -> bool:
    return name in stage.stages or any(_is_inside(name, inner) for inner in stage.stages.values())


def check_observed(
    seen: Observation, i: int, classes: Mapping[str, RequestClass], stages: Mapping[str, Stage]
) -> None:
    """Raise an error where an observation's class is unknown, or does not pass its stages."""
    name, at = seen.request_class, ("observations", i)
    if not classes:
        if name is not None:
            raise problem("there are no classes of requests; leave it out", *at, "class")
        return
    if name is None:
        raise problem(f"say of which class it is: {' or '.join(classes)}", *at)
    if name not in classes:
        raise problem(f"no class {show(name)}; {suggest(name, list(classes))}", *at, "class")
    path = classes[name].path
    for stage in seen.work if path is not None else ():
        if not any(stage == outer or _is_inside(stage, stages[outer]) for outer in path or ()):
            message = f"requests of the class {show(name)} do not pass {show(stage)}"
            raise problem(message, *at, "work", stage, key=True)


def check_objectives(objectives: list[str], classes: Mapping[str, RequestClass]) -> None:
    """Raise an error where an objective names an unknown class, or stands inside a class."""
    for i, text in enumerate(objectives):
        wanted = parse_objective(text).request_class
        if wanted is not None and wanted not in classes:
            known = suggest(wanted, list(classes)) if classes else "there are no classes"
            raise problem(f"no class {show(wanted)}; {known}", "objectives", i)
    for name, settings in classes.items():
        for i, text in enumerate(settings.objectives):
            if parse_objective(text).request_class is not None:
                message = "is of this class alone; leave out the name before the colon"
                raise problem(message, *_CLASSES, name, "objectives", i)
