"""`cascadesim plot`: each figure from a scenario or a saved run, and what it refuses."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Cli

from cascadesim.plots.kinds import KINDS

INCIDENT = ROOT / "scenarios" / "incident-60s"
TWO = ("--variants", "before,after")
SCENARIO = """\
name: q
horizon: 20s
workload: {arrivals: {poisson: {rate: 5/s}}}
stages:
  a:
    work: {exponential: {mean: 100ms}}
    pool: {kind: queue, connect_time: 10ms}
    policies: [{breaker: {failure_threshold: 3, recovery_timeout: 1s}}]
  b: {work: {exponential: {mean: 20ms}}, pool: {kind: "null", connect_time: 10ms}}
  c: {work: {constant: 1ms}}
variants: {slow: {a.work.exponential.mean: 200ms}, fast: {a.work.exponential.mean: 50ms}}
"""


OTHERS = ("pool", "connections")  # which this scenario has two of, and none


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which each figure adds its Axes."""
    from cascadesim.plots import kinds

    axes: list[Any] = []
    original = kinds.draw

    def draw(*arguments: Any, **options: Any) -> Any:
        axes.append(original(*arguments, **options))
        return axes[-1]

    monkeypatch.setattr(kinds, "draw", draw)
    return axes


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OTHERS])
def test_every_figure_is_drawn(cli: Cli, scenario: Path, kind: str) -> None:
    out = scenario.with_name("f.png")
    assert cli("plot", scenario, kind, "-o", out) == (0, "", "")
    assert out.stat().st_size > 2000


def test_no_kind_is_the_dumbbell(cli: Cli, scenario: Path, tmp_path: Path) -> None:
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    assert cli("plot", scenario, "-o", files[0])[0] == 0
    assert cli("plot", scenario, "dumbbell", "-o", files[1])[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_saved_run_is_drawn_as_the_run_itself(
    cli: Cli, scenario: Path, tmp_path: Path, drawn: list[Any]
) -> None:
    run = ("--variant", "slow", "--seed", "5")
    assert cli("run", scenario, *run, "--out", tmp_path / "saved")[0] == 0
    assert cli("plot", scenario, "latency", *run, "-o", tmp_path / "1.png")[0] == 0
    assert cli("plot", tmp_path / "saved", "latency", "-o", tmp_path / "2.png")[0] == 0
    first, second = ([line.get_xydata().tolist() for line in ax.lines] for ax in drawn)
    assert first == second
    assert [ax.get_title(loc="left") for ax in drawn] == [
        *("q, slow: latency of each request", "q: latency of each request")
    ]


def test_options_choose_what_is_drawn(cli: Cli, scenario: Path, drawn: list[Any]) -> None:
    out = scenario.with_name("f.png")
    for arguments, says in (
        (["timeline", "--request", "7"], "q: request 7, "),
        (["timeline", "--request", "7", "--variant", "fast"], "q, fast: request 7, "),
        (["pool", "--pool", "b"], "pool of b, a new connection each time"),
        (["latency", "--set", "a.work.exponential.mean=1s"], "q, 1 other setting: latency"),
        (["attribution", "--variant", "slow"], "q, slow: what percentiles"),
        (["attribution"], "q: what percentiles"),
    ):
        assert cli("plot", scenario, *arguments, "-o", out)[0] == 0
        assert says in drawn[-1].get_title(loc="left")
    lines = [text.get_text() for text in drawn[-1].get_yticklabels()]
    assert lines[:2] == ["slow  p50", "fast  p50"]
    seeds = []
    for seed in ("1", "2"):
        assert cli("plot", scenario, "latency", "--seed", seed, "-o", out)[0] == 0
        seeds.append(drawn[-1].lines[0].get_xdata().tolist())
    assert seeds[0] != seeds[1]


def test_replications_are_drawn(cli: Cli, scenario: Path, drawn: list[Any]) -> None:
    more = ("--variants", "fast", "--replications", "3", "--jobs", "1")
    for kind in ("curve", "dumbbell"):
        assert cli("plot", scenario, kind, *more, "-o", scenario.with_name("f.png"))[0] == 0
        assert "95 % intervals" in drawn[-1].get_xlabel()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["curv"], 'KIND: no figure "curv"; did you mean "curve"?'),
        (["latency", *TWO], "--variants: latency draws one run; choose it by --variant"),
        (["ecdf", *TWO, "--variant", "slow"], "--variant: name one variant, or several by"),
        (["ecdf", "--variant", "slo"], 'no variant "slo"; did you mean "slow"?'),
        (["latency", "--variant", "slo"], 'no variant "slo"; did you mean "slow"?'),
        (["ecdf", "--replications", "3"], "--replications: is for curve and dumbbell; ecdf has no"),
        (["curve", "--request", "3"], "--request: is for timeline; curve has no use for it"),
        (["curve", "--pool", "b"], "--pool: is for pool; curve has no use for it"),
        (["timeline", "--request", "999"], "no request 999; they go from 0 to "),
        (["pool"], "has 2 pools; choose one by --pool: a, b"),
        (["pool", "--pool", "c"], 'no pool "c"; known: a, b'),
        (["connections"], "no connections to draw: the scenario's workload has none"),
        (["latency", "--set", "a.wrk=1s"], 'did you mean "work"?'),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_2(
    cli: Cli, scenario: Path, arguments: list[str], says: str
) -> None:
    out = scenario.with_name("f.png")
    code, text, err = cli("plot", scenario, *arguments, "-o", out)
    assert (code, text, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert not out.exists()


def test_an_incident_without_a_breaker_says_so(cli: Cli, tmp_path: Path) -> None:
    incident = INCIDENT.with_name("incident-179s")
    code, _, err = cli("plot", incident, "breakers", "-o", tmp_path / "f.png")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "no breaker to draw" in err


def test_help_is_quick(cli: Cli) -> None:
    code, out, _ = cli("plot", "--help")
    assert code == 0
    for kind, figure in KINDS.items():
        assert re.search(rf"\n    {kind} +{re.escape(figure.draws)}", out)
        assert all(f"\n  {option.flag} {option.metavar}" in out for option in figure.options)
    assert max(map(len, out.splitlines())) <= 80


def test_plot_draws_and_refuses_what_it_cannot_draw(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "p.png"
    assert cli("plot", INCIDENT, "--variants", "before,after", "-o", out)[0] == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    code, _, err = cli("plot", INCIDENT, "-o", tmp_path / "p.gif")
    assert code == 2
    assert err.endswith("p.gif: ends in none of .png, .svg, .pdf\n")
