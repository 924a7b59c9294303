"""Design: which settings a sweep runs. All combinations of values, or a sample of the ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim import MOST_SEED
from cascadesim.analysis.effects import shares
from cascadesim.scenario.samples import parse_size
from cascadesim.scenario.source import flow
from cascadesim.scenario.vary import Vary, check_paths, parse_range, parse_vary, varied
from cascadesim.values.errors import ScenarioError, show

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        return tuple(each.path for each in self.vary)

    @property
    def runs(self) -> int:
        """Return the number of runs; settings that are alike need only one."""
        return len(self.distinct) * self.replications

    @cached_property
    def distinct(self) -> dict[str, Settings]:
        """Return the settings without repeats; samples of few whole numbers have many."""
        return {str(each): each for each in self.settings}


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
    _check_numbers(replications, seed)
    block = scenario.model.sweep
    if vary:
        varies = list(_varies(vary))
        check_paths(each.path for each in varies)
        block, mark = None, None
    elif block is None:
        message = (
            "has no sweep, so say what to vary: --vary agent.deadline.timeout=5s,10s, or in the "
            "scenario sweep: {vary: {agent.deadline.timeout: [5s, 10s]}}"
        )
        raise ScenarioError(message, scenario.document.source)
    else:
        varies = varied(scenario.document, block.vary)
        mark = scenario.document.mark(("sweep", "vary"), key=True)
    sample_mark = None
    if sample is None and block is not None:
        sample, sample_mark = block.sample, scenario.document.mark(("sweep", "sample"))
    number = replications or (block.replications if block is not None else 1)
    if sample is None:
        settings, kind = grid(varies, mark), "grid"
    else:
        kind, count = parse_sample(sample)
        own = scenario.model.seed if seed is None else seed
        settings = sampled(varies, kind, count, own, sample_mark)
    return Design(tuple(varies), settings, kind, number, "--vary" if mark is None else str(mark))


def _check_numbers(replications: int | None, seed: int | None) -> None:
    if replications is not None and replications < 1:
        raise ScenarioError("expected a number from 1", f"--replications {replications}")
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise ScenarioError(f"expected a number from 0 to {MOST_SEED}", f"--seed {seed}")


def _varies(vary: Varying) -> Iterable[Vary]:
    if isinstance(vary, Mapping):
        return [_of_values(path, values) for path, values in vary.items()]
    several = [vary] if isinstance(vary, str | Vary) else vary
    return [parse_vary(each) if isinstance(each, str) else each for each in several]


def _of_values(path: str, values: Any) -> Vary:
    """Return what to vary as a scenario's sweep has it: a list of values, or the text of a range.

    Raises ScenarioError for anything else.
    """
    source = f"--vary {path}"
    if isinstance(values, str) and ".." in values:
        return parse_range(path, values, source)
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        got = "an empty list" if isinstance(values, Sequence) and not values else show(values)
        message = f'expected a list such as [5s, 10s] or a range such as "1s..60s", got {got}'
        raise ScenarioError(message, source)
    return Vary(path, tuple(values))


def settings_text(settings: Settings) -> str:
    """Return the values of settings as a scenario writes them."""
    return ", ".join(map(flow, settings.values()))


def grid(vary: Sequence[Vary], mark: Mark | None = None) -> list[Settings]:
    """Return every combination of the values, each once; the last path varies fastest.

    Raises ScenarioError, at a mark if there is one, for a range without a step and for more than
    MOST_SETTINGS.
    """
    for each in vary:
        if not each.values:
            message = "needs a step for a grid, such as 5..20:5; or give a sample such as sobol:64"
            name = f"sweep.vary.{each.path}" if mark else ""
            raise ScenarioError(message, mark or f"--vary {each.path}", name)
    values = [list({str(value): value for value in each.values}.values()) for each in vary]
    count = math.prod(map(len, values))
    if count > MOST_SETTINGS:
        message = f"makes {count} settings, more than {MOST_SETTINGS}"
        raise ScenarioError(message, mark or "--vary")
    paths = [each.path for each in vary]
    return [dict(zip(paths, each, strict=True)) for each in itertools.product(*values)]


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
        {each.path: each.at(float(share)) for each, share in zip(vary, row, strict=True)}
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
