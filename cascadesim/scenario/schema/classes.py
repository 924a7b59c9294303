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
    """Raise the error of classes whose arrivals or weights contradict the workload's."""
    if workload.classes is None:
        return
    for name, each in workload.classes.items():
        if workload.load is None:
            _check_apart(each, name)
        else:
            _check_weighed(each, name, workload.load)
    if workload.load and not any(each.weight for each in workload.classes.values()):
        raise problem("one class needs a weight above 0", *_CLASSES)


def _check_apart(each: RequestClass, name: str) -> None:
    at = (*_CLASSES, name)
    if each.arrivals is None:
        message = "needs arrivals of its own, as workload has none that are shared by weight"
        raise problem(message, *at)
    if each.weight is not None:
        message = "shares nothing by weight, as it has arrivals of its own; leave the weight out"
        raise problem(message, *at, "weight")


def _check_weighed(each: RequestClass, name: str, load: str) -> None:
    at = (*_CLASSES, name)
    if each.arrivals is not None:
        message = f"workload.{load} is there too; leave it out, or give weights in place of these"
        raise problem(message, *at, "arrivals")
    if each.weight is None:
        raise problem(f"needs a weight, how often a request of workload.{load} is of it", *at)


def check_paths(classes: Mapping[str, RequestClass], stages: Mapping[str, Stage]) -> None:
    """Raise the error of a path through what is no top-level stage, and of a stage on none."""
    passed: set[str] = set()
    for name, each in classes.items():
        for i, stage in enumerate(each.path or ()):
            at = (*_CLASSES, name, "path", i)
            if stage not in stages:
                raise problem(_no_stage(stage, stages), *at)
            if stage in (each.path or ())[:i]:
                raise problem(f"{show(stage)} is on the path already; a path passes it once", *at)
        passed.update(stages if each.path is None else each.path)
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
    return name in stage.stages or any(_is_inside(name, each) for each in stage.stages.values())


def check_observed(
    seen: Observation, i: int, classes: Mapping[str, RequestClass], stages: Mapping[str, Stage]
) -> None:
    """Raise the error of an observation whose class is unknown, or lacks its stages."""
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
    """Raise the error of an objective of a class that is unknown, or of one inside a class."""
    for i, text in enumerate(objectives):
        name = parse_objective(text).request_class
        if name is not None and name not in classes:
            known = suggest(name, list(classes)) if classes else "there are no classes"
            raise problem(f"no class {show(name)}; {known}", "objectives", i)
    for own, each in classes.items():
        for i, text in enumerate(each.objectives):
            if parse_objective(text).request_class is not None:
                message = "is of this class alone; leave out the name before the colon"
                raise problem(message, *_CLASSES, own, "objectives", i)
