"""The axis of time: round times of the clock, and faults that keep their names."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import cascadesim
from cascadesim.plots.layout import Span, faults
from cascadesim.plots.timeaxis import ClockFormatter, ClockLocator, mark_spans, time_axis
from cascadesim.values.instants import Instants
from cascadesim.values.outcome import Outcome

TEXT = (
    "name: q\nhorizon: 60s\nworkload: {arrivals: {constant: {rate: 1/s}}}\n"
    "stages: {a: {work: {constant: 1s}}, b: {work: {constant: 1s}}}\n"
)


def drawn(ax: Axes) -> list[str]:
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    return [text.get_text() for text in ax.get_xticklabels()]


@given(st.floats(0, 86_399), st.floats(0, 1e5), st.floats(0.01, 1e6))
def test_ticks_are_few_even_and_at_round_times(zero: float, start: float, length: float) -> None:
    ticks = ClockLocator(zero).tick_values(start, start + length)
    assert len(ticks) <= 9
    slack = 1e-6 * (1 + length)
    assert all(start - slack <= tick <= start + length + slack for tick in ticks)
    if len(ticks) > 1:
        step = np.diff(ticks)[0]
        np.testing.assert_allclose(np.diff(ticks), step, rtol=1e-3, atol=1e-6)
        shown = (ticks + zero) / step
        np.testing.assert_allclose(shown, np.round(shown), atol=1e-3)


def test_ticks_are_by_the_clock() -> None:
    scenario = cascadesim.loads('clock: "23:29:30"\n' + TEXT)
    ax = Figure(layout="constrained").add_subplot()
    time_axis(ax, scenario.model, 0, 60, "arrival")
    assert drawn(ax) == ["23:29:30", "23:29:40", "23:29:50", *(f"23:30:{i}0" for i in range(4))]
    assert ax.get_xlabel() == "arrival, by the scenario's clock"
    time_axis(ax, scenario.model, 0, 420, "arrival")
    assert drawn(ax) == [f"23:{30 + i}" for i in range(7)]
    assert Instants(scenario.model.clock).text(30.25) == "23:30:00.250"


def test_without_a_clock_ticks_are_seconds() -> None:
    scenario = cascadesim.loads(TEXT)
    ax = Figure().add_subplot()
    time_axis(ax, scenario.model, 0, 60, "time")
    assert ax.get_xlabel() == "time, in seconds after the start"
    assert set(drawn(ax)) >= {"0", "20", "60"}
    assert Instants(scenario.model.clock).text(1.5) == "1.500 s"


def test_days_are_told_apart_where_there_are_several() -> None:
    form = ClockFormatter(23 * 3600.0)
    assert form.format_ticks([0, 7200]) == ["23:00", "01:00"]
    assert form.format_ticks([0, 90_000]) == ["23:00\nday 1", "00:00\nday 3"]
    assert form.format_ticks([0, 30]) == ["23:00:00", "23:00:30"]


def test_faults_are_in_seconds_by_their_start() -> None:
    text = TEXT + 'faults:\n  - {on: b, from: "23:30:10", for: 5s, outage: {}}\n'
    text += "  - {on: a, from: 2s, for: 1min, latency: {add: 1s}}\n"
    found = faults(cascadesim.run(cascadesim.loads('clock: "23:30:00"\n' + text)))
    assert found == [Span("a: latency", 2.0, 62.0), Span("b: outage", 10.0, 15.0)]


def test_random_faults_are_those_of_the_run() -> None:
    text = TEXT + "faults: [{on: [a, b], random: {mtbf: 5s, mttr: 2s}, outage: {}}]\n"
    scenario = cascadesim.loads(text)
    for seed in (1, 2):
        result = cascadesim.run(scenario, seed=seed)
        found = faults(result)
        assert {span.name for span in found} == {"a, b: outage"}
        failed = result.records.outcome == Outcome.FAILED
        assert failed.any()
        # A request is at a for 1 s, and then at b for 1 s; outages befall both.
        cut = [
            any(span.start < at + 2 and at < span.end for span in found)
            for at in result.records.arrival
        ]
        ended = result.records.outcome != Outcome.UNFINISHED
        assert (failed == np.array(cut))[ended].all()


def test_thousands_of_faults_are_shaded_within_as_many_patches_as_there_are_pixels() -> None:
    ax = axes(60_000)
    spans = [Span("a: outage", float(at), at + 0.5) for at in range(0, 60_000, 3)]
    mark_spans(ax, spans, 0)
    assert len(ax.patches) <= 1200
    shaded = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
    assert min(box.x0 for box in shaded) <= 0.1
    assert max(box.x1 for box in shaded) >= 59_997


def axes(end: float = 60) -> Axes:
    ax = Figure(figsize=(8, 3), layout="constrained").add_subplot()
    ax.set_xlim(0, end)
    return ax


def test_names_stand_above_their_faults_and_do_not_overlap() -> None:
    ax = axes()
    spans = [Span(f"stage-{i}: outage", 3.0 * i, 3.0 * i + 2) for i in range(12)]
    _, labels, _ = mark_spans(ax, spans, 0)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
        assert one.y0 >= ax.get_window_extent().y1
    assert labels == ["fault (12 in all)"] or len(ax.texts) == 12
    assert len(ax.patches) == 12


def test_spans_are_cut_at_the_ends_of_the_axis() -> None:
    ax = axes()
    _, labels, _ = mark_spans(ax, [Span("a", -5, 10), Span("b", 50, 99), Span("c", 70, 80)], 20)
    extents = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
    assert extents == [(0, 10), (50, 60), (0, 20)]
    assert labels == ["fault", "warm-up, not measured"]
    assert ax.get_xlim() == (0, 60)


def test_nothing_to_mark() -> None:
    ax = axes()
    assert mark_spans(ax, [], 0)[:2] == ([], [])
    assert not ax.patches
