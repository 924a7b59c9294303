import json
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import cascadesim
from cascadesim.export import KINDS, export

INCIDENT = ROOT / "scenarios" / "incident-60s"
SHORT = ("--variant", "after", "--set", "horizon=6min", "--set", "drain=30s")
PLAIN = """
name: plain
horizon: 9s
workload: {arrivals: {constant: {rate: 1/s}}}
stages: {a: {work: {constant: 100ms}}}
"""


def test_run_writes_every_export_that_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    spans, trace = tmp_path / "new" / "spans.jsonl", tmp_path / "trace.json"
    options = ("--export", f"otlp-json={spans}", "--export", f"chrome-trace={trace}")
    code, out, err = cli("run", INCIDENT, *SHORT, *options)
    assert (code, err) == (0, "")
    assert out == cli("run", INCIDENT, *SHORT)[1]
    settings = {"horizon": "6min", "drain": "30s"}
    result = cascadesim.run(cascadesim.load(INCIDENT).at("after").override(settings))
    for kind, written in (("otlp-json", spans), ("chrome-trace", trace)):
        export(result, kind, tmp_path / "again")
        assert written.read_bytes() == (tmp_path / "again").read_bytes()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "again",
        "spans.jsonl",
        "trace.json",
    ]


def test_a_file_name_may_hold_an_equals_sign(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", INCIDENT, *SHORT, "--export", f"chrome-trace={tmp_path}/a=b")[0] == 0
    assert json.loads((tmp_path / "a=b").read_text())["traceEvents"]


@pytest.mark.parametrize(
    ("exports", "says"),
    [
        (["otlp-json"], '--export: expected KIND=FILE, got "otlp-json"; kinds are otlp-json, '),
        (["otlp-json="], "expected KIND=FILE"),
        (["=x"], '--export: no kind ""; known: otlp-json, chrome-trace'),
        (["otlp-jsn=x"], 'no kind "otlp-jsn"; did you mean "otlp-json"?'),
        (["chrome-trace=/dev/null/x"], "/dev/null: cannot be written: "),
        (["chrome-trace=/tmp"], "/tmp: is a folder; name a file"),
        (["chrome-trace=x", "otlp-json=./x"], "x: is to hold two exports; name two files"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_2(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exports: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cascadesim.studies.run.simulate", None)  # it is found out before a run
    options = [word for each in exports for word in ("--export", each)]
    code, out, err = cli("run", INCIDENT, *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert not list(tmp_path.iterdir())


def test_python_names_the_kinds_too(tmp_path: Path) -> None:
    result = cascadesim.run(cascadesim.loads(PLAIN))
    with pytest.raises(cascadesim.ScenarioError, match='no kind "csv"; known: otlp-json'):
        export(result, "csv", tmp_path / "x")


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    result = cascadesim.run(cascadesim.loads(PLAIN))
    file = tmp_path / "trace"
    file.write_text("earlier")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for module in ("otlp", "chrome"):
        monkeypatch.setattr(f"cascadesim.export.{module}.requests", full)
    with pytest.raises(cascadesim.ScenarioError, match="cannot be written: No space left"):
        export(result, kind, file)
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]
