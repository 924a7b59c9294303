"""The fixture `cascade`: runs scenarios for a test, and checks their figures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest

from cascadesim import MOST_SEED
from cascadesim.pytest_plugin.files import file_name, from_root, load_near
from cascadesim.pytest_plugin.named import NOTE
from cascadesim.scenario.load import Scenario
from cascadesim.studies.baseline import (
    baseline_of,
    check_same,
    drift,
    read_baseline,
    write_baseline,
)
from cascadesim.studies.no_worse import change, more_errors, side_by_side
from cascadesim.studies.runs import LazyRuns, Simulations
from cascadesim.studies.thresholds import (
    check_measure,
    parse_allowed,
    parse_thresholds,
    parse_tolerance,
)
from cascadesim.values.errors import ScenarioError, show, suggest
from cascadesim.views import baseline, missed, no_worse
from cascadesim.views.terminal import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cascadesim.views.page import Page

P = ParamSpec("P")
T = TypeVar("T")

# pytest puts up to 12 characters before a line of a failure, which leaves so many of 80.
_WIDTH = 68
_SIMULATIONS = pytest.StashKey[Simulations]()
_MARKED = ["replications", "seed"]  # what the mark may say


def _short(method: Callable[P, T]) -> Callable[P, T]:
    """Let an error of the user show the line of their test, and no frame of ours."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return method(*args, **kwargs)
        except ScenarioError as error:
            raise error.with_traceback(None) from None

    return call


class Cascade:
    """Runs scenarios, each with the same settings and seed once in a session.

    See `cascadesim guide pytest`.

    The number of replications and the seed are those of the command line, or else of the call, or
    else of the mark `cascade`; or else a scenario runs once, or 8 times where an interval decides,
    and with its own seed.
    """

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._config = node.config
        self._used: set[Path] = set()  # baselines; a test that is run again has a new fixture

    @_short
    def run(
        self,
        scenario: str | Path | Scenario,
        variant: str | None = None,
        settings: Mapping[str, Any] | None = None,
        replications: int | None = None,
        seed: int | None = None,
    ) -> LazyRuns:
        """Return a scenario at a variant, with `settings` by dotted path, ready to be checked.

        A relative path starts at the folder of the test, or else at pytest's root directory. What
        is returned has `result` (the run of replication 0, with `summary` and `frame`),
        `replications`, and `percentiles` with intervals. Raises ScenarioError.
        """
        _expect(scenario, str | Path | Scenario, "scenario", "a path, or a loaded scenario")
        _expect(variant, str | None, "variant", 'the name of a variant such as "after"')
        _expect(settings, Mapping | None, "settings", 'values by path such as {"a.work": "1s"}')
        for path in settings or {}:
            _expect(path, str, "settings", 'dotted paths such as "agent.deadline.timeout"')
        chosen = scenario if isinstance(scenario, Scenario) else load_near(self._node, scenario)
        if variant is not None:
            chosen = chosen.at(variant)
        if settings:
            chosen = chosen.override(settings, "settings")
        number = self._asked("replications", replications, 1, 10**6)
        given = self._asked("seed", seed, 0, MOST_SEED)
        return LazyRuns(chosen, chosen.model.seed if given is None else given, number, self._runs)

    @_short
    def check(self, result: LazyRuns, *objectives: str, **thresholds: str) -> None:
        """Fail where one of the objectives is missed, such as "p99 < 5s", p99_9="<5s".

        With neither, those of the scenario are checked. Over replications their means decide.
        """
        __tracebackhide__ = True
        _expect_result(result, "cascade.check")
        if objectives or thresholds:
            chosen = parse_thresholds(objectives, thresholds, "cascade.check")
        else:
            chosen = result.scenario.objectives
        if not chosen:
            message = 'states no objectives; give one such as p99="<5s"'
            raise ScenarioError(message, result.given.document.source)
        judged = [result.judge(objective) for objective in chosen]
        if missing := [objective for objective in judged if not objective.met]:
            raise _failure(missed.page(result, missing))

    @_short
    def no_worse(
        self,
        before: str | LazyRuns,
        after: str | LazyRuns,
        *,
        scenario: str | Path | Scenario | None = None,
        on: str = "p99",
        by: str = "0%",
        ignore_errors: bool = False,
    ) -> None:
        """Fail where a measure is worse in `after` than in `before` by more than `by`.

        Both are what `run` returned, or variants of the `scenario`. Their replications have the
        same requests, so the paired interval of the difference decides: all of it must lie beyond
        `by`, which is a share of the former mean or an amount such as "50ms"; for rates it is
        percentage points. So a change inside the noise passes. Where unfinished requests could move
        a measure, what is worse at best fails, what is no worse at worst passes, and all else is an
        error.

        A latency that is low as requests fail is no better: it fails too where the error rate rises
        beyond doubt, unless `ignore_errors` says otherwise.
        """
        __tracebackhide__ = True
        check_measure(on, "cascade.no_worse: on")  # before anything is simulated
        parse_tolerance(by, on)
        pair = side_by_side(self._taken(before, scenario), self._taken(after, scenario))
        difference = change(*pair, on, by)
        if difference.worse:
            raise _failure(no_worse.page(*pair, difference, by))
        errors = None if ignore_errors else more_errors(*pair, on)
        if errors is not None:
            raise _failure(no_worse.page(*pair, errors, "0%", held=on))

    @_short
    def baseline(
        self,
        result: LazyRuns,
        name: str = "",
        *,
        absolute: str | None = None,
        relative: str | None = None,
    ) -> None:
        """Fail where a percentile is worse than in the baseline's file beside the test.

        The same settings and seed must give the same percentiles. After a change of settings the
        interval of the difference decides, for which it takes FEWEST replications; or the means do,
        with what is allowed: `absolute` such as "50ms", `relative` such as "2%", or their sum.
        Where unfinished requests hide a percentile that the file knows, it fails, too. `name` tells
        several baselines of a test apart. `pytest --cascade-update` writes the files, and nothing
        else does.
        """
        __tracebackhide__ = True
        _expect_result(result, "cascade.baseline")
        _expect(name, str, "name", "a text that tells this baseline from others", "baseline")
        allowed = parse_allowed(absolute, relative)
        path = self._baseline_path(name)
        shown = from_root(self._node, path)
        result = result.enough()
        if self._config.getoption("cascade_update"):
            write_baseline(path, baseline_of(result, self._test))
            self._note(baseline.written(result, shown, by_interval=allowed is None))
            return
        if not path.is_file():
            raise AssertionError(
                f"there is no baseline yet\n{shown}\n"
                "`pytest --cascade-update` writes it; keep it with the test"
            )
        stored = read_baseline(path)
        check_same(stored, result, shown)
        drifted = drift(stored, result, allowed)
        if drifted.failing:
            raise _failure(baseline.page(drifted, shown))
        if drifted.outdated:
            self._note(baseline.outdated(drifted, shown))

    def _taken(self, given: str | LazyRuns, scenario: str | Path | Scenario | None) -> LazyRuns:
        if isinstance(given, LazyRuns):
            return given
        if not isinstance(given, str):
            message = f"expected what cascade.run returns, or a variant, got {show(given)}"
            raise ScenarioError(message, "cascade.no_worse")
        if scenario is None:
            message = "needs scenario= to find the variant in"
            raise ScenarioError(message, "cascade.no_worse", given)
        return self.run(scenario, given)

    @property
    def _runs(self) -> Simulations:
        stash = self._config.stash
        if _SIMULATIONS not in stash:
            is_worker = hasattr(self._config, "workerinput")  # of pytest-xdist, one of many
            jobs = 1 if is_worker else self._config.getoption("cascade_jobs")
            stash[_SIMULATIONS] = Simulations(jobs)
        return stash[_SIMULATIONS]

    def _asked(self, name: str, given: int | None, least: int, most: int) -> int | None:
        option: int | None = self._config.getoption(f"cascade_{name}")
        marked = self._marked()
        for value, source in ((option, ""), (given, "cascade.run"), (marked.get(name), "mark")):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                message = f"expected a whole number from {least}, got {show(value)}"
                raise ScenarioError(message, source, name)
            return value
        return None

    def _marked(self) -> dict[str, Any]:
        marked: dict[str, Any] = {}
        for mark in self._node.iter_markers("cascade"):  # the closest comes first
            marked = {**mark.kwargs, **marked}
            for key in mark.kwargs.keys() - set(_MARKED):
                raise ScenarioError(f"unknown {show(key)}; {suggest(key, _MARKED)}", "mark cascade")
            if mark.args:
                message = "takes names, such as cascade(replications=8)"
                raise ScenarioError(message, "mark cascade")
        return marked

    @property
    def _test(self) -> str:
        """Return the name of the test inside its file, such as "TestChat::test_p99"."""
        return self._node.nodeid.partition("::")[2]

    def _baseline_path(self, name: str) -> Path:
        stem = file_name("-".join(part for part in (self._test, name) if part))
        path = self._node.path.parent / "baselines" / self._node.path.stem / f"{stem}.yaml"
        if path in self._used:
            message = 'a test with several baselines needs to name them: baseline(result, "before")'
            raise ScenarioError(message, "cascade.baseline")
        self._used.add(path)
        return path

    def _note(self, text: str) -> None:
        self._node.user_properties.append((NOTE, text))


def _failure(page: Page) -> AssertionError:
    return AssertionError(text(page, _WIDTH))


def _expect(value: Any, kind: Any, name: str, right: str, call: str = "run") -> None:
    if not isinstance(value, kind):
        raise ScenarioError(f"expected {right}, got {show(value)}", f"cascade.{call}", name)


def _expect_result(value: Any, source: str) -> None:
    if not isinstance(value, LazyRuns):
        raise ScenarioError(f"expected what cascade.run returns, got {show(value)}", source)
