"""Tables of data say what their columns are, and in which unit."""

import json
import re
from functools import cache
from typing import Any

import pandas as pd
import pytest

import cascadesim
from cascadesim.records import Records
from cascadesim.studies.compare import Comparison
from cascadesim.studies.optimization import Optimization
from cascadesim.studies.sweep import Sweep

HERE = cascadesim.Execution(jobs=1)
WORKERS = "a.concurrency=1,2"
NO_UNIT = {
    "answered_rate",
    "p_value",
    "error_rate",
    "first_order",
    "total_order",
    "along",
}  # shares, or a chance


@cache
def frames() -> dict[str, tuple[Any, pd.DataFrame]]:
    """Return what documents the columns of each kind of table, and one of that kind."""
    scenario = cascadesim.loads(
        json.dumps(
            {
                "name": "a",
                "horizon": "20s",
                "drain": "1min",
                "workload": {"arrivals": {"poisson": {"rate": "4/s"}}},
                "stages": {"a": {"work": {"exponential": {"mean": "100ms"}}, "concurrency": 1}},
                "variants": {"one": {}, "two": {"a.concurrency": 2}},
            }
        )
    )
    swept = cascadesim.sweep(scenario, WORKERS, replications=2, execution=HERE)
    found = cascadesim.optimize(
        scenario,
        WORKERS,
        minimize=["p99", "error_rate"],
        maximize="goodput",
        budget=2,
        replications=1,
        confirm=2,
        execution=HERE,
    )
    compared = cascadesim.compare(scenario, replications=2, execution=HERE)
    return {
        "requests": (Records.frame, cascadesim.run(scenario).frame),
        "comparison": (Comparison.frame, compared.frame),
        "sweep": (Sweep.frame, swept.frame),
        "effects": (Sweep.effects, swept.effects()),
        "main effects": (Sweep.main_effects, swept.main_effects()),
        "main effects on goodput": (Sweep.main_effects, swept.main_effects("goodput")),
        "optimization": (Optimization.frame, found.frame),
    }


KINDS = (
    *("requests", "comparison", "sweep", "effects"),
    *("main effects", "main effects on goodput", "optimization"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_real_numbers_has_its_unit_in_its_name(kind: str) -> None:
    _, frame = frames()[kind]
    reals = [name for name in frame if pd.api.types.is_float_dtype(frame[name])]
    assert reals
    for name in reals:
        share = re.sub("_(low|high)$", "", name)
        assert name.endswith(("_s", "_per_s")) or share in NO_UNIT, name


@pytest.mark.parametrize("kind", ["requests", "comparison", "sweep", "optimization"])
def test_every_column_is_documented(kind: str) -> None:
    documented, frame = frames()[kind]
    words = set(re.findall(r"[\w.]+", documented.__doc__))
    for name in frame:
        of_its_own = "." in name  # a part of the latency, or a setting that varies
        measure = kind == "optimization" and name in {"p99_s", "error_rate", "goodput_per_s"}
        assert name in words or of_its_own or measure, name
