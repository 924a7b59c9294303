"""The stacked bars of attribution: their parts add up to the percentile, and look like causes."""

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

import cascadesim
from cascadesim.analysis.composition import composition
from cascadesim.analysis.percentiles import PERCENTILES
from cascadesim.plan.causes import CAUSES, WAITS
from cascadesim.plots.attribution import attribution
from cascadesim.plots.style import CAUSE_LOOKS
from cascadesim.studies.compare import Comparison
from cascadesim.values.errors import ScenarioError

VARIANTS = ("before", "after", "recommended")


@pytest.fixture(scope="module")
def compared() -> Comparison:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    return cascadesim.compare(scenario, variants=VARIANTS)


def bars(ax: Axes) -> dict[str, dict[str, tuple[float, float]]]:
    """Return left end and width of the parts by cause, by the label of their line."""
    lines = dict(zip(ax.get_yticks(), [t.get_text() for t in ax.get_yticklabels()], strict=True))
    found: dict[str, dict[str, tuple[float, float]]] = {label: {} for label in lines.values()}
    for container in ax.containers:
        for bar in container:
            label = lines[bar.get_y() + bar.get_height() / 2]
            found[label][container.get_label()[1:]] = (bar.get_x(), bar.get_width())
    return found


def test_parts_follow_each_other_and_add_up_to_the_percentile(compared: Comparison) -> None:
    drawn = bars(attribution(compared))
    assert list(drawn) == [f"{label}  {name}" for name in PERCENTILES for label in VARIANTS]
    for label, result in compared.results.items():
        for name, percentile in result.summary.percentiles.items():
            parts = drawn[f"{label}  {name}"]
            assert sum(width for _, width in parts.values()) == pytest.approx(
                percentile.seconds, rel=1e-12
            )
            ends = 0.0
            for left, width in parts.values():
                assert left == pytest.approx(ends, rel=1e-12)
                ends = left + width
            expected = composition(result.records, name).by_cause
            widths = {cause: width for cause, (_, width) in parts.items()}
            assert widths == pytest.approx({cause: s for cause, s in expected.items() if s > 0})


def test_a_single_run_has_a_bar_for_each_percentile(compared: Comparison) -> None:
    ax = attribution(compared.results["before"])
    assert list(bars(ax)) == list(PERCENTILES)
    assert ax.get_title(loc="left") == "incident-60s, before: what percentiles are made of"


def test_totals_are_written_behind_the_bars(compared: Comparison) -> None:
    ax = attribution(compared.results["before"])
    texts = [text.get_text() for text in ax.texts]
    assert texts[0].endswith(" ms, largest part agent execution")
    assert texts[2:] == ["30.03 s", "51.59 s", "60.24 s", "60.64 s"]


def test_lower_bounds_are_marked() -> None:
    text = "name: q\nhorizon: 60s\nworkload: {arrivals: {constant: {rate: 1/s}}}\n"
    result = cascadesim.run(cascadesim.loads(text + "stages: {a: {work: {constant: 1h}}}"))
    assert [text.get_text()[:2] for text in attribution(result).texts] == ["> "] * 6


def test_every_cause_has_a_look_of_its_own() -> None:
    assert set(CAUSE_LOOKS) == set(CAUSES)
    assert len({look.colour for look in CAUSE_LOOKS.values()}) == len(CAUSES)
    hatches = [CAUSE_LOOKS[cause].sign for cause in WAITS]
    assert len(set(hatches)) == len(hatches)
    # Without hatches, grey must tell apart: luminance by Rec. 601, as a printer does.
    plain = [look.colour for look in CAUSE_LOOKS.values() if not look.sign]
    grey = np.sort([np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour in plain])
    assert np.diff(grey).min() > 0.15


def test_bars_look_like_their_cause_and_the_legend_has_them(compared: Comparison) -> None:
    ax = attribution(compared)
    for container in ax.containers:
        look = CAUSE_LOOKS[container.get_label()[1:]]
        for bar in container:
            assert to_hex(bar.get_facecolor()).upper() == look.colour
            assert (bar.get_hatch() or "") == look.sign
    box = ax.get_legend()
    assert box is not None
    used = {container.get_label()[1:] for container in ax.containers}
    assert [t.get_text() for t in box.get_texts()] == [
        cause.replace("_", " ") for cause in CAUSE_LOOKS if cause in used
    ]


def test_no_requests_are_nothing_to_draw() -> None:
    text = "name: q\nhorizon: 1ms\nworkload: {arrivals: {constant: {rate: 1/h}}}\n"
    result = cascadesim.run(cascadesim.loads(text + "stages: {a: {work: {constant: 1s}}}"))
    with pytest.raises(ScenarioError, match="nothing to draw"):
        attribution(result)
