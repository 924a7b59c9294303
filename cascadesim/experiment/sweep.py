"""Sweep: many settings, each replicated in the same worlds, as one tidy table."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.compile import compile_plan
from cascadesim.experiment.replications import Replication, Variant, interval, replicate
from cascadesim.experiment.run import write_files
from cascadesim.experiment.warmup import settled
from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.source import parse
from cascadesim.scenario.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from cascadesim.scenario.load import Scenario

_FIXED = ("name", "summary", "clock", "seed", "observations", "objectives", "variants")
MOST_SETTINGS = 100_000  # of one sweep; more is a slip, such as a step of 1ms over an hour


@dataclass(frozen=True, slots=True)
class Vary:
    """A setting to vary, by dotted path.

    Either over `values`, as they are written in a scenario, or between `low` and `high`, which are
    seconds where `is_duration` and whole numbers otherwise.
    """

    path: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_duration: bool = False

    def at(self, share: float) -> Any:
        """Return the value at a share (0 to 1, 1 excluded) of the way from low to high."""
        if self.is_duration:
            return _written(self.low + share * (self.high - self.low), is_duration=True)
        return int(self.low + share * (self.high - self.low + 1))


def parse_vary(text: str) -> Vary:
    """Return what to vary by a text such as "agent.deadline.timeout=5s,10s" or "…=1s..9s:2s".

    A range without a step is for samples. Raises ScenarioError saying what would be right.
    """
    path, equals, spec = (part.strip() for part in text.partition("="))
    source = f"--vary {text}"
    if not equals or not spec or not path:
        message = 'expected PATH=VALUES such as "agent.deadline.timeout=5s,10s,30s" or "…=5..20:5"'
        raise ScenarioError(message, source)
    if ".." not in spec:
        # As a list in YAML, so that commas inside brackets belong to a value.
        return Vary(path, tuple(parse(f"[{spec}]", source).data))
    low_text, _, rest = spec.partition("..")
    high_text, _, step_text = rest.partition(":")
    low, is_duration = _number(low_text, source)
    high, same = _number(high_text, source)
    if same != is_duration or low >= high:
        raise ScenarioError("a range goes from a value up to a greater one of its kind", source)
    if not step_text:
        return Vary(path, (), low, high, is_duration)
    step, same = _number(step_text, source)
    if same != is_duration or step <= 0:
        raise ScenarioError("the step must be more than 0 and of the range's kind", source)
    count = math.floor((high - low) / step * (1 + 1e-12)) + 1
    if count > MOST_SETTINGS:
        raise ScenarioError(f"makes {count} values, more than {MOST_SETTINGS}", source)
    steps = (_written(low + i * step, is_duration) for i in range(count))
    return Vary(path, tuple(steps), low, high, is_duration)


def _number(text: str, source: str) -> tuple[float, bool]:
    try:
        return parse_duration(text.strip()), True
    except PydanticCustomError:
        pass
    try:
        return float(int(text)), False
    except ValueError:
        message = f'expected a duration such as "5s" or a whole number, got "{text.strip()}"'
        raise ScenarioError(message, source) from None


def _written(value: float, is_duration: bool) -> Any:
    return f"{value:.9g}s" if is_duration else int(value)


def grid(vary: Sequence[Vary]) -> list[dict[str, Any]]:
    """Return every combination of the values, as settings by dotted path; the last varies fastest.

    Raises ScenarioError for a range without a step, and for more than MOST_SETTINGS.
    """
    for each in vary:
        if not each.values:
            message = "a grid needs values, or a range with a step such as 5..20:5"
            raise ScenarioError(message, f"--vary {each.path}")
    count = math.prod(len(each.values) for each in vary)
    if count > MOST_SETTINGS:
        raise ScenarioError(f"makes {count} settings, more than {MOST_SETTINGS}", "--vary")
    combinations = itertools.product(*(each.values for each in vary))
    return [dict(zip((v.path for v in vary), values, strict=True)) for values in combinations]


def parse_sample(text: str, vary: Sequence[Vary], seed: int) -> list[dict[str, Any]]:
    """Return the `sample` that a text such as "sobol:256" asks for."""
    kind, _, count = text.partition(":")
    if not count.isdecimal() or not 0 < int(count) <= MOST_SETTINGS:
        raise ScenarioError('expected "sobol:256" or "lhs:100"', f"--sample {text}")
    return sample(vary, kind, int(count), seed)


def sample(vary: Sequence[Vary], kind: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Return settings that fill ranges evenly, the same for the same seed.

    `kind` is "sobol" (scrambled, `count` a power of 2) or "lhs" (Latin hypercube); see
    scipy.stats.qmc. A list of values is filled evenly too. Raises ScenarioError for other kinds.
    """
    from scipy.stats import qmc  # slow to import, and not every command needs it

    source = f"--sample {kind}:{count}"
    if kind == "sobol" and count & (count - 1):
        raise ScenarioError("a Sobol sample needs a power of 2, such as 64 or 256", source)
    if kind == "sobol":
        shares = qmc.Sobol(len(vary), rng=seed).random(count)
    elif kind == "lhs":
        shares = qmc.LatinHypercube(len(vary), rng=seed).random(count)
    else:
        raise ScenarioError('expected "sobol:256" or "lhs:100"', source)
    return [
        {each.path: _at(each, float(share)) for each, share in zip(vary, row, strict=True)}
        for row in shares
    ]


def _at(vary: Vary, share: float) -> Any:
    return vary.values[int(share * len(vary.values))] if vary.values else vary.at(share)


@dataclass(frozen=True)
class Sweep:
    """What every setting came to, over replications in the same worlds."""

    scenario: Scenario
    seed: int
    vary: tuple[str, ...]  # dotted paths
    settings: list[dict[str, Any]]
    replications: list[tuple[Replication, ...]]

    @property
    def frame(self) -> pd.DataFrame:
        """Return one row for each setting and percentile.

        Columns: setting (its number), one for each varied path, percentile, latency_s (the mean
        over replications) with low_s and high_s (95 %, NaN for a single replication), at_least
        (whether unfinished requests could move it up), goodput_per_s and error_rate (means, the
        same for every percentile of a setting).
        """
        import pandas as pd  # slow to import, and not every command needs it

        rows = []
        for number, (settings, runs) in enumerate(
            zip(self.settings, self.replications, strict=True)
        ):
            others = {
                "goodput_per_s": interval(runs, "goodput").estimate,
                "error_rate": interval(runs, "error_rate").estimate,
            }
            for name in PERCENTILES:
                found = interval(runs, name)
                latency = {
                    "latency_s": found.estimate,
                    "low_s": found.low,
                    "high_s": found.high,
                    "at_least": any(name in run.at_least for run in runs),
                }
                rows.append(
                    {"setting": number, **settings, "percentile": name, **latency, **others}
                )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as plain data: scenario, variant, seed of the worlds, and `frame`.

        NaN is null.
        """
        frame = self.frame
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "seed": self.seed,
            "replications": len(self.replications[0]),
            "rows": rows,
        }

    def plot(self, percentile: str = "p99", ax: Axes | None = None) -> Axes:
        """Draw a percentile: as a line over one varied setting, as a heat map over two."""
        from cascadesim.plots.sweep import sweep

        return sweep(self, percentile, ax)

    def save(self, folder: Path) -> None:
        """Write sweep.parquet and sweep.csv into a folder.

        Raises ScenarioError where that is not possible.
        """
        frame = self.frame
        # A column of durations and numbers is text to Parquet.
        paths = {path: frame[path].map(str) for path in self.vary}
        write_files(
            folder,
            {
                "sweep.parquet": lambda file: frame.assign(**paths).to_parquet(file, index=False),
                "sweep.csv": lambda file: frame.to_csv(file, index=False),
            },
        )


def _check_paths(vary: Sequence[Vary]) -> None:
    paths = [each.path for each in vary]
    for path in paths:
        if path.split(".")[0] in _FIXED:
            message = "is the same for every setting of a sweep, and cannot be varied"
            raise ScenarioError(message, f"--vary {path}")
        if paths.count(path) > 1:
            raise ScenarioError("is given twice; list all its values once", f"--vary {path}")


def sweep(
    scenario: Scenario,
    vary: Sequence[Vary | str],
    settings: list[dict[str, Any]] | None = None,
    replications: int = 1,
    seed: int | None = None,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Sweep:
    """Run a scenario with many settings, each in the same worlds.

    What to `vary` is also taken as a text, see `parse_vary`. `settings` are those of `grid(vary)`
    unless others, such as a `sample`, are given. The result is the same for any number of `workers`
    (processes, -1 for one on each core). Raises ScenarioError for a setting that the scenario does
    not accept, before anything is run.
    """
    from joblib import Parallel, delayed  # slow to import, and not every command needs it

    varies = [parse_vary(each) if isinstance(each, str) else each for each in vary]
    _check_paths(varies)
    chosen = grid(varies) if settings is None else settings
    if seed is None:
        seed = scenario.model.seed
    varied = {str(i): scenario.override(each, "--vary") for i, each in enumerate(chosen)}
    variants = [
        Variant(compile_plan(each.model), scenario.objectives)
        for each in settled(varied, seed).values()
    ]
    jobs = [(variant, number) for variant in variants for number in range(replications)]
    runs: list[Replication] = []
    parallel = Parallel(n_jobs=min(workers, len(jobs)), return_as="generator")
    for (run,) in parallel(delayed(replicate)([variant], seed, n) for variant, n in jobs):
        runs.append(run)
        if progress is not None:
            progress(len(runs) / len(jobs))
    grouped = [tuple(runs[i : i + replications]) for i in range(0, len(runs), replications)]
    return Sweep(scenario, seed, tuple(each.path for each in varies), chosen, grouped)
