"""What a workload may say: rates that change, and arrivals that were recorded."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kit import Data

import cascadesim
from cascadesim.scenario.compile import compile_plan
from cascadesim.scenario.load import Scenario, load, loads
from cascadesim.studies.check import check
from cascadesim.values.errors import ScenarioError

RATES = [
    {"from": "0s", "rate": "4/s"},
    {"from": "1min", "rate": "4/s", "to": "40/s"},
    {"from": "90s", "rate": "40/s"},
]


def data(arrivals: Data, **rest: Any) -> Data:
    stages = {"a": {"work": {"constant": "1ms"}}}
    workload = {"arrivals": arrivals}
    return {"name": "w", "horizon": "10min", "workload": workload, "stages": stages} | rest


def scenario(arrivals: Data, **rest: Any) -> Scenario:
    return loads(json.dumps(data(arrivals, **rest)), "f")


def error_of(arrivals: Data, **rest: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario(arrivals, **rest)
    place, _, problem = str(caught.value).partition(": workload.arrivals.")
    assert place.startswith("f:1:")
    return problem


def times(scenario: Scenario) -> list[float]:
    return [round(float(at), 6) for at in cascadesim.run(scenario).records.arrival]


def test_every_part_of_a_piece_is_a_setting() -> None:
    curve = scenario({"piecewise": {"rates": RATES}})

    def expected(**settings: Any) -> float:
        paths = {f"workload.arrivals.piecewise.{k}": v for k, v in settings.items()}
        return 600 / compile_plan(curve.override(paths).model).arrivals.mean_gap(600)

    assert expected() == pytest.approx(240 + 22 * 30 + 40 * 510)
    assert expected(**{"rates.2.rate": "4/s"}) == pytest.approx(240 + 22 * 30 + 4 * 510)
    assert expected(**{"rates.1.to": "8/s"}) == pytest.approx(240 + 6 * 30 + 40 * 510)
    assert expected(**{"rates.2.from": "2min"}) == pytest.approx(240 + 22 * 60 + 40 * 480)
    assert expected(period="100s") == pytest.approx(6 * (240 + 22 * 30 + 40 * 10))


def test_pieces_may_begin_by_the_clock() -> None:
    rates = [{"from": "23:31:00", "rate": "1/s"}, {"from": "00:01:30", "rate": "0/s"}]
    curve = {"piecewise": {"rates": rates, "spacing": "even"}}
    found = times(scenario(curve, clock="23:30:00", horizon="2h"))
    assert found == [60.0 + k for k in range(1, 30 * 60 + 31)]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rates": []}, "piecewise.rates: expected at least one entry"),
        ({"rates": [RATES[1], RATES[0]]},
         "piecewise.rates.1.from: must begin after the piece before it, at 60.00 s"),
        ({"rates": RATES[:2]}, "piecewise.rates.1.to: the last piece has no end to reach it at; "
         "add a piece, or give a period"),
        ({"rates": RATES, "period": "90s"},
         "piecewise.rates.2.from: must begin within the period, 90.00 s"),
        ({"rates": [{"from": "0s", "rate": "0/s"}]},
         "piecewise.rates: sends no requests within the horizon"),
        ({"rates": [{"from": "11min", "rate": "1/s"}]},
         "piecewise.rates: sends no requests within the horizon"),
        ({"rates": [{"from": "0s", "rate": "1/s"}, {"from": "9min", "rate": "1000000/s"}]},
         "piecewise.rates: sends about 6e+07 requests within the horizon, and a run holds at most "
         "20 million; lower the rate or shorten the horizon"),
        ({"rates": [{"from": "23:29:00", "rate": "1/s"}]},
         'piecewise.rates.0.from: a clock time needs "clock", what t = 0 is called'),
        ({"rates": [{"from": "0s", "rate": "4"}]},
         'piecewise.rates.0.rate: "4" has no unit; write "4/s" or "4/min"'),
        ({"rates": [{"from": "0s", "rate": "-1/s"}]},
         'piecewise.rates.0.rate: a rate must be more than 0, got "-1/s"'),
    ],
)  # fmt: skip
def test_pieces_that_cannot_be(settings: Data, problem: str) -> None:
    assert error_of({"piecewise": settings}) == problem


def test_a_check_meets_the_mean_rate_and_a_run_the_curve() -> None:
    breaker = {"breaker": {"failure_threshold": 5, "recovery_timeout": "10s"}}
    stages = {"a": {"work": {"constant": "0s"}, "policies": [breaker]}}
    rates = [{"from": "0s", "rate": "1/s"}, {"from": "5min", "rate": "3/s"}]
    found = check(scenario({"piecewise": {"rates": rates}}, stages=stages))
    refused = next(opening for opening in found.openings if opening.dead == "refuses")
    assert refused.after == pytest.approx(4 / 2)  # the fifth of calls at 2/s


# Recorded arrivals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "rest"),
    [
        (["23:29:01.5", "23:29:00", "23:28:59", "23:31:00", "00:01:00"], {"clock": "23:29:00"}),
        (["2026-11-25T23:29:01.5", "2026-11-25 23:29:00", "2026-11-25 23:28:59",
          "2026-11-25 23:31:00", "2026-11-26 00:01:00"], {"clock": "23:29:00"}),
        (["2026-11-25T23:29:01.500+01:00", "2026-11-25T22:29:00Z", "2026-11-25T23:28:59+01:00",
          "2026-11-25T22:31:00Z", "2026-11-26T00:01:00+01:00"], {"clock": "23:29:00"}),
        ([1.5, 0, 120, 1920], {"unit": "s"}),
        ([1500, 0, 120_000, 1_920_000], {"unit": "ms"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_recorded_arrivals_come_exactly_then(
    column: list[Any], rest: Data, suffix: str, tmp_path: Path
) -> None:
    rest = dict(rest)
    file = tmp_path / f"log.{suffix}"
    frame = pd.DataFrame({"at": column})
    if suffix == "csv":
        frame.to_csv(file)
    elif suffix == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    unit = {"unit": rest.pop("unit")} if "unit" in rest else {}
    replay = {"file": str(file), "column": "at"} | unit
    assert times(scenario({"replay": replay}, **rest)) == [0.0, 1.5, 120.0]
    assert times(scenario({"replay": replay}, horizon="1h", **rest)) == [0.0, 1.5, 120.0, 1920.0]
    assert times(scenario({"replay": replay | {"speed": 2}}, **rest)) == [0.0, 0.75, 60.0]


def test_parquet_may_hold_instants(tmp_path: Path) -> None:
    stamps = pd.to_datetime(["2026-11-25T23:59:59Z", "2026-11-26T00:00:01Z"])
    for unit in ("ms", "us"):
        pd.DataFrame({"at": stamps.as_unit(unit)}).to_parquet(tmp_path / "log.parquet")
        replay = {"file": str(tmp_path / "log.parquet"), "column": "at"}
        for clock in ("23:59:50", "00:00:00"):
            found = times(scenario({"replay": replay}, clock=clock))
            assert found == ([9.0, 11.0] if clock == "23:59:50" else [1.0])


@pytest.mark.parametrize(
    ("rows", "rest", "problem"),
    [
        (["23:29:00"], {}, 'replay.column: timestamps need "clock", what t = 0 is called'),
        (["23:29:00"], {"unit": "s"}, 'replay.column: "log.csv", row 1 of "at": '
         'expected a number, got "23:29:00"'),
        (["23:29:00", "3.5"], {"clock": "23:00:00"}, 'replay.column: "log.csv", row 2 of "at": '
         'got "3.5", expected a timestamp or a clock time such as "23:29:00"; numbers need a unit'),
        (["23:29:00", "24:61:00"], {"clock": "23:00:00"}, 'replay.column: "log.csv", row 2 of '
         '"at": got "24:61:00", expected a timestamp or a clock time such as "23:29:00"; '
         "numbers need a unit"),
        (["2026-11-25T23:29:00", "2026-11-25T23:29:00Z"], {"clock": "23:00:00"},
         'replay.column: "log.csv", row 2 of "at": is a date with a time zone, and the first row '
         "is a date without a time zone"),
        (["1732577340"], {"unit": "s"}, 'replay.file: none of the times in "log.csv" lies within '
         "the run; the first is at t = 1732577340.00 s"),
        (["22:59:00"], {"clock": "23:00:00"},
         'replay.file: none of the times in "log.csv" lies within the run'),
        (["1"], {"unit": "s", "share": "0%"}, "replay.share: must be more than 0%"),
        (["-1"], {"unit": "s"}, 'replay.column: "log.csv", row 1 of "at": must not be negative, '
         'got "-1"'),
    ],
)  # fmt: skip
def test_recorded_arrivals_that_cannot_be(
    rows: list[str], rest: Data, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "log.csv"
    file.write_text("\n".join(["at", *rows]), "utf-8")
    clock = {"clock": rest["clock"]} if "clock" in rest else {}
    settings = {key: value for key, value in rest.items() if key != "clock"}
    replay = {"file": str(file), "column": "at"} | settings
    assert error_of({"replay": replay}, **clock) == problem


def test_a_saved_replay_repeats_without_its_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("at\n23:28:00\n23:29:03.1\n23:29:00.7\n23:59:00\n")
    replay = {"file": "log.csv", "column": "at", "speed": 3, "share": "70%"}
    text = json.dumps(data({"replay": replay}, clock="23:29:00"))
    (tmp_path / "scenario.yaml").write_text(text)
    result = cascadesim.run(load(tmp_path))
    result.save(tmp_path / "out")
    (tmp_path / "log.csv").unlink()
    again = load(tmp_path / "out")
    assert cascadesim.run(again).frame.equals(result.frame)
    assert compile_plan(again.model) == compile_plan(result.scenario.model)
