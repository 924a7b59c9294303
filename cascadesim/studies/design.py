"""Design: which settings a sweep runs. All combinations of values, or a sample of the ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.analysis.effects import shares
from cascadesim.scenario.samples import parse_size
from cascadesim.scenario.source import flow
from cascadesim.scenario.vary import Vary, check_paths, parse_range, parse_vary, varied
from cascadesim.studies.run import check_count, seed_of
from cascadesim.values.errors import ScenarioError, show

if TYPE_CHECKING:
    from cascadesim.scenario.load import Scenario
    from cascadesim.values.errors import Mark

MOST_SETTINGS = 100_000  # of one sweep; more is a slip, such as a step of 1ms over an hour
Settings = dict[str, Any]  # by dotted path
# What to vary: a text such as "agent.concurrency=5,10" or several, or values by dotted path.
Varying = Vary | str | Sequence[Vary | str] | Mapping[str, Any]


@dataclass(frozen=True)
class Design:
    """What is varied, the settings by dotted path that this makes, and how often each is run.

    `kind` is that of a sample, or "grid"; `where` is what errors of a setting call it.
    """

    vary: tuple[Vary, ...]
    settings: list[Settings]
    kind: str = "grid"
    replications: int = 1
    where: str = "--vary"

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the dotted paths that are varied."""
        return tuple(vary.path for vary in self.vary)

    @property
    def runs(self) -> int:
        """Return the number of runs; settings that are alike need only one."""
        return len(self.distinct) * self.replications

    @cached_property
    def distinct(self) -> dict[str, Settings]:
        """Return the settings without repeats; samples of few whole numbers have many."""
        return {str(settings): settings for settings in self.settings}


def design(
    scenario: Scenario,
    vary: Varying = (),
    sample: str | None = None,
    replications: int | None = None,
    seed: int | None = None,
) -> Design:
    """Return the settings that a sweep runs: by what to `vary`, or else by the scenario's `sweep`.

    Without a sample they are all combinations. Raises ScenarioError where there is nothing to vary,
    for what cannot be varied, and for a number of replications or a seed that there is not.
    """
    check_count("replications", replications)
    seed, document = seed_of(scenario, seed), scenario.document
    block = None if vary else scenario.model.sweep
    if vary:
        varies, mark = varies_of(vary), None
        check_paths(one.path for one in varies)
    elif block is None:
        message = (
            "has no sweep, so say what to vary: --vary agent.deadline.timeout=5s,10s, or in the "
            "scenario sweep: {vary: {agent.deadline.timeout: [5s, 10s]}}"
        )
        raise ScenarioError(message, document.source)
    else:
        varies, mark = varied(document, block.vary), document.mark(("sweep", "vary"), key=True)
    sample_mark = None
    if sample is None and block is not None:
        sample, sample_mark = block.sample, document.mark(("sweep", "sample"))
    number = replications or (block.replications if block is not None else 1)
    if sample is None:
        settings, kind = grid(varies, mark), "grid"
    else:
        kind, count = parse_sample(sample)
        settings = sampled(varies, kind, count, seed, sample_mark)
    return Design(tuple(varies), settings, kind, number, "--vary" if mark is None else str(mark))


def varies_of(given: Varying, option: str = "--vary") -> list[Vary]:
    """Return what is given to vary, one or several, as texts or not; raises ScenarioError.

    In a mapping by path it is what a scenario's sweep has: a list of values, or a range's text.
    """
    if not isinstance(given, Mapping):
        several = [given] if isinstance(given, str | Vary) else given
        return [parse_vary(one, option) if isinstance(one, str) else one for one in several]
    varies = []
    for path, values in given.items():
        source = f"{option} {path}"
        if isinstance(values, str) and ".." in values:
            varies.append(parse_range(path, values, source))
        elif isinstance(values, Sequence) and not isinstance(values, str) and values:
            varies.append(Vary(path, tuple(values)))
        else:
            got = "an empty list" if isinstance(values, Sequence) and not values else show(values)
            message = f'expected a list such as [5s, 10s] or a range such as "1s..60s", got {got}'
            raise ScenarioError(message, source)
    return varies


def settings_text(settings: Settings) -> str:
    """Return the values of settings as a scenario writes them."""
    return ", ".join(map(flow, settings.values()))


def grid(vary: Sequence[Vary], mark: Mark | None = None) -> list[Settings]:
    """Return every combination of the values, each once; the last path varies fastest.

    Raises ScenarioError, at a mark if there is one, for a range without a step and for more than
    MOST_SETTINGS.
    """
    for one in vary:
        if not one.values:
            message = "needs a step for a grid, such as 5..20:5; or give a sample such as sobol:64"
            name = f"sweep.vary.{one.path}" if mark else ""
            raise ScenarioError(message, mark or f"--vary {one.path}", name)
    values = [list({str(value): value for value in one.values}.values()) for one in vary]
    count = math.prod(map(len, values))
    if count > MOST_SETTINGS:
        message = f"makes {count} settings, more than {MOST_SETTINGS}"
        raise ScenarioError(message, mark or "--vary")
    paths = [one.path for one in vary]
    return [dict(zip(paths, row, strict=True)) for row in itertools.product(*values)]


def parse_sample(text: str) -> tuple[str, int]:
    """Return the kind and the number that a text such as "sobol:256" gives.

    Raises ScenarioError saying what would be right.
    """
    try:
        return parse_size(text)
    except PydanticCustomError as error:
        raise ScenarioError(error.message(), f"--sample {text}") from None


def sampled(
    vary: Sequence[Vary], kind: str, count: int, seed: int, mark: Mark | None = None
) -> list[Settings]:
    """Return settings that fill ranges evenly, the same for the same seed.

    `kind` is "sobol" (scrambled, `count` a power of 2), "lhs" (Latin hypercube; for both see
    scipy.stats.qmc) or "saltelli": `count` times (settings + 2), of which SALib estimates Sobol
    indices, total ones too. A list of values is filled evenly as well. Raises ScenarioError, at a
    mark if there is one, for more than MOST_SETTINGS.
    """
    total = count * (len(vary) + 2) if kind == "saltelli" else count
    if total > MOST_SETTINGS:
        message = f"makes {total} settings, more than {MOST_SETTINGS}"
        name = "sweep.sample" if mark else ""
        raise ScenarioError(message, mark or f"--sample {kind}:{count}", name)
    return [
        {one.path: one.at(float(share)) for one, share in zip(vary, row, strict=True)}
        for row in _shares(kind, len(vary), count, seed)
    ]


def _shares(kind: str, dimensions: int, count: int, seed: int) -> Any:
    """Return a row of shares (0 to 1) for each setting."""
    if kind == "saltelli":
        from SALib.sample import sobol  # slow to import, and not every command needs it

        return sobol.sample(shares(dimensions), count, calc_second_order=False, seed=seed)
    from scipy.stats import qmc

    sampler = {"sobol": qmc.Sobol, "lhs": qmc.LatinHypercube}[kind]
    return sampler(dimensions, rng=seed).random(count)
