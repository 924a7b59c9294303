"""Whatever is wrong with a file, the user gets one line: where, which setting, what is right."""

import re
import string
from itertools import pairwise
from pathlib import Path

import pytest
from everything import EVERYTHING, swap
from hypothesis import example, given
from hypothesis import strategies as st

from cascadesim.faults.registry import settings_by_kind
from cascadesim.scenario.load import Scenario, load, loads
from cascadesim.values.errors import Mark, ScenarioError, one_line, show, suggest

CASES = [
    case.splitlines()
    for case in Path(__file__).with_name("errors.txt").read_text("utf-8").split("\n\n")
    if case.startswith("- ")
]
NINES = "9" * 59 + "…"  # as much of a long text as an error repeats
TOO_MUCH = "is larger than 256 KiB, too large to be a scenario"
EMPTY = "f.yaml:1:1: is empty; `cascadesim init NAME` writes one to start from"
NOT_A_MAPPING = "expected a mapping with name, horizon, stages, …, got"
JARGON = re.compile(r"Input should|type=|\[type|pydantic|Traceback|ruamel|NoneType|None\b|True\b")


def line_of(text: str) -> str:
    """Return the error that a text gets."""
    with pytest.raises(ScenarioError) as caught:
        loads(text, "f.yaml")
    return str(caught.value)


def lines(case: list[str], sign: str) -> str:
    return "\n".join(line[2:] for line in case if line[0] == sign)


@pytest.mark.parametrize("case", CASES, ids=lambda case: lines(case, "+") or "-")
def test_the_whole_line(case: list[str]) -> None:
    line = line_of(swap(lines(case, "-"), lines(case, "+")))
    assert line == lines(case, ">").replace("{faults}", ", ".join(settings_by_kind()))
    assert not JARGON.search(line)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("1min", "9" * 400 + "s", f'5:8: drain: a duration must be finite, got "{NINES}"'),
        ("1min", "9" * 400, "5:8: drain: expected a duration such as "
         '"60s" or "250ms", got a huge number'),
        ("1min", "9" * 5000, f'5:8: drain: cannot be read as a whole number: "{NINES}"'),
        ("20\n", "9" * 30 + "\n", "19:22: agent.concurrency: must be at most 1000000000, "
         "got a huge number"),
        ("0.5", "9" * 400, "22:50: agent.work.lognormal.sigma: expected a number, "
         "got a huge number"),
        ("seed: 7", "seed: " + "9" * 30, "7:7: seed: must be at most 1e+18, got a huge number"),
        ("4/s", "9" * 400 + "/s", "9:30: workload.arrivals.poisson.rate: "
         f'a rate must be more than 0 and finite, got "{NINES}"'),
        ("1%", "9" * 400, "21:23: agent.failure_rate: a share lies between 0% and 100%, "
         "got a huge number"),
        ("1min", "1\x07min", "5:9: is not YAML: the character U+0007 is not allowed"),
        ("1min", "1\x00min", "5:9: is not YAML: the character U+0000 is not allowed"),
        ("1min", '"\\nmin"', '5:8: drain: expected a duration such as "60s" or "250ms", '
         'got "\\nmin"'),
        ("drain", "a" * 300, f'5:1: {"a" * 119}…: unknown key "{"a" * 59}…"; known: name, '
         "summary, clock, horizon, drain, warmup, seed, workload, stages, faults, observations, "
         "objectives, variants, sweep"),
    ],
)  # fmt: skip
def test_long_and_unprintable_text_is_cut_and_escaped(old: str, new: str, line: str) -> None:
    assert line_of(swap(old, new)) == f"f.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", EMPTY),
        ("# only a comment\n", EMPTY),
        ("---\n...\n", EMPTY.replace("1:1", "2:1")),
        ("3", f"f.yaml:1:1: {NOT_A_MAPPING} 3"),
        ("text", f'f.yaml:1:1: {NOT_A_MAPPING} "text"'),
        ("[a]", f"f.yaml:1:1: {NOT_A_MAPPING} a list"),
        ("name: x", 'f.yaml:1:1: horizon: "horizon" is missing'),
        (
            f"{EVERYTHING}---\n{EVERYTHING}",
            "f.yaml:75:1: a second document begins here; a scenario is one, without --- inside",
        ),
        ("[" * 10_000, "f.yaml:1:65: is nested too deeply"),
        ("{a: " * 10_000, "f.yaml:1:254: is nested too deeply"),
        ("- " * 10_000, "f.yaml:1:129: is nested too deeply"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40,
         "f.yaml:1:31: b" + ".0" * 59 + "…: is nested too deeply"),
        ("a" * 300_000, f"f.yaml: {TOO_MUCH}"),
        ("{", "f.yaml:1:2: is not YAML: expected the node content, but found the end"),
        ("a: 1\n? {b: c}\n: 2", "f.yaml:2:3: a key must be plain text"),
        ("&a [*a]", "f.yaml:1:1: 0: an alias inside what it stands for makes a cycle"),
        ("\ud800", "f.yaml:1:1: is not YAML: the character U+D800 is not allowed"),
    ],
)  # fmt: skip
def test_texts_that_are_no_scenario(text: str, line: str) -> None:
    assert line_of(text) == line


def test_a_few_aliases_that_stand_for_a_billion_values() -> None:
    names = "abcdefghij"
    levels = [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in pairwise(names)]
    line = line_of("\n".join(["a: &a [x, x, x, x, x, x, x, x, x, x]", *levels]))
    assert line.endswith("has more than 100000 values")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_columns_are_right_with_any_line_ends(end: str) -> None:
    text = swap("timeout: 30s, on", "timeout: 30, on").replace("\n", end)
    assert line_of(text).startswith("f.yaml:44:33: agent.deadline.timeout: 30 has no unit")


def test_of_several_errors_the_first_in_the_file_is_told() -> None:
    text = swap("drain: 1min", "drain: 1").replace("warmup: 30s", "warmup: 30")
    assert line_of(text).startswith("f.yaml:5:8: drain")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name: \xff\n", ":1:7: is not UTF-8 text; save the file as UTF-8"),
        ("name: é€\r\nhö: ".encode() + b"\xe9", ":2:5: is not UTF-8 text; save the file as UTF-8"),
        (b"\xef\xbb\xbfab\xff", ":1:3: is not UTF-8 text; save the file as UTF-8"),
        (EVERYTHING.encode("utf-16"), ":1:1: is not UTF-8 text; save the file as UTF-8"),
        ("a: b".encode("utf-16-le"), ":1:2: is not YAML: the character U+0000 is not allowed"),
        (b"a: b\nc\x00", ":2:2: is not YAML: the character U+0000 is not allowed"),
        (b"#" * 300_000, f": {TOO_MUCH}"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert str(caught.value) == f"{file}{problem}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = "no such file; `cascadesim list` shows what there is"
    (tmp_path / "folder" / "scenario.yaml").mkdir(parents=True)
    for path, line in {
        tmp_path: f"{tmp_path}/scenario.yaml: {missing}",
        tmp_path / "no": f"{tmp_path}/no: {missing}",
        tmp_path / "folder": f"{tmp_path}/folder/scenario.yaml: cannot be read: Is a directory",
        "a\0b": "a\\x00b: cannot be read: embedded null byte",
        "a\nb": f"a\\nb: {missing}",
        "x" * 5000: f"{'x' * 5000}: cannot be read: File name too long",
    }.items():
        with pytest.raises(ScenarioError) as caught:
            load(path)
        assert str(caught.value) == line


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:  # as the system does, but root may read everything
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "f.yaml"
    file.touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ScenarioError, match="cannot be read: Permission denied"):
        load(file)


def test_text_is_shown_in_the_words_of_yaml() -> None:
    values = [None, True, 3, 2.5, float("-inf"), "a", [1], {}, 10**5000, "x" * 99]
    shown = ["nothing", "true", "3", "2.5", "-.inf", '"a"', "a list", "a mapping"]
    assert [show(value) for value in values] == [*shown, "a huge number", f'"{"x" * 59}…"']
    assert one_line("a\n\u2028\ud800\u202eé") == "a\\n\\u2028\\ud800\\u202eé"
    assert suggest("pol", ["pool"]) == 'did you mean "pool"?'
    assert suggest("x", [f"name{i}" for i in range(50)]).endswith("name19, …")
    assert suggest("x", []) == "there are none"


def test_an_error_without_place_or_path() -> None:
    assert str(ScenarioError("wrong", Mark("f"))) == "f: wrong"
    assert str(ScenarioError("wrong", "f", "a.b")) == "f: a.b: wrong"


# Fuzzing: whatever the text, it loads or there is one line with the name of the file ----------


def outcome(text: str) -> Scenario | None:
    try:
        return loads(text, "f.yaml")
    except ScenarioError as error:
        line = str(error)
        assert line.startswith("f.yaml:")
        assert line.isprintable()
        assert line == line.encode().decode()
        assert not JARGON.search(re.sub('"[^"]*"|found .*', "", line)), line
        assert len(line) < 1000
        return None


LINES = EVERYTHING.splitlines()
WORDS = re.findall(r"[^\s{}\[\],:]+|[{}\[\],:]", EVERYTHING)
YAML_WORDS = (
    "~", "true", "-1", "0", "1e3", ".nan", "{}", "[]", "[a]", "{a: b}", "", "-", ":", "?", "*a",
    "&a", "!", "!!int", "|", ">", "'", '"', "<<", "%", "@", "#", "\t", "\n", "\\", "60", "60s",
)  # fmt: skip


@given(st.data())
def test_a_scenario_with_lines_changed(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.integers(0, len(lines) - 1))
        line = data.draw(st.sampled_from(LINES))
        lines[i : i + 1] = data.draw(st.sampled_from([[], [lines[i], lines[i]], [line]]))
        lines = lines or [""]
    outcome("\n".join(lines))


@given(st.data())
def test_a_scenario_with_words_changed(data: st.DataObject) -> None:
    text = EVERYTHING
    for _ in range(data.draw(st.integers(1, 3))):
        words = list(re.finditer(r"[^\s{}\[\],:]+|[{}\[\],:]", text))
        if not words:
            break
        word = data.draw(st.sampled_from(words))
        anything = st.sampled_from([*YAML_WORDS, *WORDS]) | st.text(max_size=5)
        text = text[: word.start()] + data.draw(anything) + text[word.end() :]
    outcome(text)


@given(st.text(st.sampled_from(string.printable + "é\u2028\ud800\x00😀"), max_size=60) | st.text())
@example('a: "\\U00110000"')
@example("a: !!int ''")
@example("a: &x 1\nb: &x 2\nc: *x")
def test_any_text(text: str) -> None:
    assert outcome(text) is None


@given(st.lists(st.sampled_from([*YAML_WORDS, " ", "  ", "\n  ", ": ", "- ", "a"]), max_size=30))
def test_any_yaml(words: list[str]) -> None:
    assert outcome("".join(words)) is None


@given(st.binary(max_size=60))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).isprintable()
