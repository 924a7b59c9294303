"""What stands where on a time axis, for figures and the report alike."""

import json

import pytest

import cascadesim
from cascadesim.faults.plan import FaultPlan
from cascadesim.faults.registry import settings_by_kind
from cascadesim.plots.layout import DAY, Span, TimeTicks, faults, shades
from cascadesim.report.timeline import LEFT, RIGHT, WIDTH, timelines


@pytest.mark.parametrize(
    ("end", "unit", "texts"),
    [
        (0.25, "s", ["0", "0.05", "0.1", "0.15", "0.2", "0.25"]),
        (150, "s", ["0", "30", "60", "90", "120", "150"]),
        (480, "min", ["0", "1", "2", "3", "4", "5", "6", "7", "8"]),
        (5 * 3600, "h", ["0", "1", "2", "3", "4", "5"]),
        (20 * DAY, "h", ["0", "72", "144", "216", "288", "360", "432"]),
    ],
)
def test_without_a_clock_the_unit_goes_by_the_length(
    end: float, unit: str, texts: list[str]
) -> None:
    ticks = TimeTicks(None)
    assert ticks.unit(0, end) == unit
    assert ticks.texts(ticks.at(0, end), unit) == texts


def test_a_name_that_would_leave_the_axis_ends_with_it() -> None:
    early, late = shades([Span("a: outage", 10, 20), Span("b: outage", 95, 99)], 0, 100, 0.01)
    assert (early.name, early.at, early.at_end, early.line) == ("a: outage", 10, False, 0)
    assert (late.name, late.at, late.at_end, late.line) == ("b: outage", 100, True, 0)


def test_of_very_many_faults_those_without_a_name_are_merged() -> None:
    spans = [Span("a: outage", i, i + 0.5) for i in range(10_000)]
    shown = shades(spans, 0, 10_000, 0.0125)
    named = [shade for shade in shown if shade.name]
    assert 4 < len(named) < 100
    assert all((shade.start, shade.end) in {span[1:] for span in spans} for shade in named)
    assert len(shown) < 2 * len(named) + 1
    assert (shown[0].start, shown[-1].end) == (0, 9999.5)


def test_figures_and_the_report_have_the_same_ticks_and_faults() -> None:
    text = {
        "name": "q",
        "horizon": "10min",
        "workload": {"arrivals": {"constant": {"rate": "1/s"}}},
        "stages": {"a": {"work": {"constant": "1ms"}}},
        "faults": [{"on": "a", "from": "9min", "for": "1min", "hang": {}}],
    }
    result = cascadesim.run(cascadesim.loads(json.dumps(text)))
    (line,) = timelines({"q": result})
    assert [label for _, label in line.times] == [
        "0 min",
        "2 min",
        "4 min",
        "6 min",
        "8 min",
        "10 min",
    ]
    ax = result.plot("latency")
    assert ax.xaxis.get_major_locator().tick_values(0, 600).tolist() == list(range(0, 601, 120))
    assert ax.get_xlabel() == "arrival, in minutes after the start"
    (span,) = faults(result)
    (band,) = line.faults
    assert (span.name, band.label, band.anchor) == ("a: hang", "a: no answer", "end")
    assert band.label_x == WIDTH - RIGHT - 4
    assert band.x == pytest.approx(LEFT + 0.9 * (WIDTH - LEFT - RIGHT), abs=0.1)


def test_every_fault_has_words_of_its_own() -> None:
    words = {kind.kind: kind.words for kind in FaultPlan.__subclasses__()}
    assert set(words) == set(settings_by_kind())
    assert all(words.values())
    assert len(set(words.values())) == len(words)
