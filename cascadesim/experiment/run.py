"""One run of a scenario, and the files it leaves."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascadesim import __version__
from cascadesim.analysis.percentiles import DEFINITION
from cascadesim.analysis.summary import Summary, summarize
from cascadesim.compile import compile_plan
from cascadesim.engine import simulate
from cascadesim.scenario.errors import ScenarioError
from cascadesim.scenario.source import write

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from cascadesim.records import Records
    from cascadesim.scenario.load import Scenario


@dataclass(frozen=True)
class Result:
    """A scenario, the seed it ran with, and its records."""

    scenario: Scenario
    seed: int
    records: Records

    @cached_property
    def summary(self) -> Summary:
        """Return percentiles, outcomes, goodput and verdicts."""
        return summarize(self.records, self.scenario.objectives)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Return one row a request; see `Records.frame` for the columns."""
        return self.records.frame()

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain data: scenario, variant, seed, version, and the summary."""
        return {
            "scenario": self.scenario.name,
            "variant": self.scenario.variant,
            "seed": self.seed,
            "cascadesim": __version__,
            "percentile_definition": DEFINITION,
            **self.summary.to_dict(),
        }

    def save(self, folder: str | Path) -> None:
        """Write requests.parquet, requests.csv, summary.json and scenario.yaml into a folder.

        The scenario is the one that ran, variant and overrides applied, so `cascadesim run FOLDER`
        repeats the run. Raises ScenarioError where the folder cannot be written.
        """
        comment = f"Written by cascadesim {__version__}; `cascadesim run` repeats the run."
        writers: dict[str, Callable[[Path], object]] = {
            "requests.parquet": lambda path: self.frame.to_parquet(path, index=False),
            "requests.csv": lambda path: self.frame.to_csv(path, index=False),
            "summary.json": lambda path: path.write_text(json_text(self.to_dict()), "utf-8"),
            "scenario.yaml": lambda path: path.write_text(
                write(self._repeatable().document, comment), "utf-8"
            ),
        }
        write_files(Path(folder), writers)

    def _repeatable(self) -> Scenario:
        return self.scenario.override({"seed": self.seed}).resolved()


def run(
    scenario: Scenario, seed: int | None = None, progress: Callable[[float], None] | None = None
) -> Result:
    """Simulate a scenario once, by its own seed unless one is given.

    `progress` is called with the share of simulated time that is done.
    """
    if seed is None:
        seed = scenario.model.seed
    records = simulate(compile_plan(scenario.model), seed, progress=progress)
    return Result(scenario, seed, records)


def json_text(data: Any) -> str:
    """Return data as indented JSON, refusing what JSON cannot say (NaN, infinity)."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_files(folder: Path, writers: dict[str, Callable[[Path], object]]) -> None:
    """Write files into a folder: all of them beside it first, then renamed into place.

    Raises ScenarioError where that is not possible; then nothing in the folder has changed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".cascadesim-", dir=folder) as beside:
            for name, writer in writers.items():
                writer(Path(beside) / name)
            for name in writers:
                (Path(beside) / name).replace(folder / name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScenarioError(f"cannot be written: {reason}", os.fspath(folder)) from None
