"""`cascadesim diff --git`: scenarios of two revisions."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli
from diffed import QUICK, SLOW, VARIANTS, put

Git = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Return a function that runs git in a new repository, of nobody's settings."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "nobody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "nobody@example.org")

    def run(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch", "main")
    return run


def commit(git: Git) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "m", "--allow-empty")


def found(cli: Cli, *arguments: str) -> list[tuple[str, str | None, str | None]]:
    """Return status, old and new of every scenario that changed."""
    options = (*QUICK, "--replications", "2", "--format", "json")
    code, out, err = cli("diff", "--git", *arguments, *options)
    assert (code in (0, 1), err) == (True, "")
    return [(each["status"], each["old"], each["new"]) for each in json.loads(out)["scenarios"]]


def test_scenarios_between_revisions(cli: Cli, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("scenarios/a b/é.yaml", "scenarios/old.yml", "scenarios/gone.yaml", "same.yaml"):
        put(name, summary=name)
    Path("README.md").write_text("name horizon stages", "utf-8")
    Path("deploy.yaml").write_text("name: {{ .horizon }}\nstages: [", "utf-8")
    commit(git)
    git("tag", "v1")
    put("scenarios/a b/é.yaml", summary="scenarios/a b/é.yaml", stages=SLOW)
    git("mv", "scenarios/old.yml", "renamed.yml")
    Path("scenarios/gone.yaml").unlink()
    put("fresh.yaml", name="fresh", summary="no file that was renamed " * 50)
    Path("README.md").write_text("name horizon stages, changed", "utf-8")
    Path("deploy.yaml").write_text("name: {{ .horizon }}\nstages: [[", "utf-8")
    commit(git)
    everything = [
        ("added", None, "HEAD:fresh.yaml"),
        ("changed", "v1:scenarios/a b/é.yaml", "HEAD:scenarios/a b/é.yaml"),
        ("removed", "v1:scenarios/gone.yaml", None),
        ("same", "v1:scenarios/old.yml", "HEAD:renamed.yml"),
    ]
    assert sorted(found(cli, "v1..HEAD")) == everything
    assert sorted(found(cli, "v1..")) == everything
    code, out, _ = cli("diff", "--git", "v1..HEAD", *QUICK, "--replications", "2")
    assert code == 1
    assert "`fresh`: `HEAD:fresh.yaml` is new." in out
    assert "`v1:scenarios/gone.yaml` is removed." in out
    assert "| `a.concurrency` | `20` | `1` |" in out
    monkeypatch.chdir("scenarios")
    assert sorted(found(cli, "v1..HEAD")) == everything
    assert found(cli, "v1..HEAD", "a b") == everything[1:2]
    assert found(cli, "v1..HEAD", "../fresh.yaml") == everything[:1]
    assert found(cli, "HEAD..HEAD") == []
    assert "### No scenario changed\n" in cli("diff", "--git", "HEAD..HEAD")[1]
    code, out, err = cli("diff", "--git", "v1..HEAD", "*.yaml")
    assert (code, out, err) == (2, "", "*.yaml: is neither in v1 nor in HEAD\n")


def test_variants_that_only_some_of_the_files_have(cli: Cli, git: Git) -> None:
    files = {"plain.yaml": {}, "both.yaml": VARIANTS, "others.yaml": {"slow": {}}}
    for name, variants in files.items():
        put(name, name=name, variants=variants)
    commit(git)
    for name, variants in files.items():
        put(name, name=name, variants=variants, horizon="50s")
    commit(git)
    options = (*QUICK, "--replications", "2", "--variants", "fast", "--format", "json")
    _, out, err = cli("diff", "--git", "HEAD~1..HEAD", *options)
    ran = {
        each["scenario"]: ([pair["variant"] for pair in each["variants"]], each["left_out"])
        for each in json.loads(out)["scenarios"]
    }
    assert err == ""
    assert ran == {
        "plain.yaml": ([None], []),
        "both.yaml": (["fast"], ["slow", "gone"]),
        "others.yaml": ([], ["slow"]),
    }
    # A name that none of them has is a slip, and must not pass a build.
    for paths, name in ((["others.yaml"], "fast"), ([], "fats")):
        code, out, err = cli("diff", "--git", "HEAD~1..HEAD", *paths, "--variants", name)
        assert (code, out) == (2, "")
        assert err.startswith(f'--variants {name}: no variant "{name}"; ')


def test_three_dots_begin_where_the_branches_parted(cli: Cli, git: Git) -> None:
    put("ours.yaml")
    put("theirs.yaml")
    commit(git)
    base = git("rev-parse", "HEAD")[:12]
    git("checkout", "--quiet", "-b", "topic")
    put("ours.yaml", stages=SLOW)
    commit(git)
    git("checkout", "--quiet", "main")
    put("theirs.yaml", stages=SLOW)
    commit(git)
    assert found(cli, "main...topic") == [("changed", f"{base}:ours.yaml", "topic:ours.yaml")]
    assert found(cli, "main..topic") == [
        ("changed", "main:ours.yaml", "topic:ours.yaml"),
        ("changed", "main:theirs.yaml", "topic:theirs.yaml"),
    ]
    git("checkout", "--quiet", "--orphan", "alone")
    commit(git)
    code, _, err = cli("diff", "--git", "main...alone")
    assert (code, err.count("\n")) == (2, 1)
    assert "main and alone have no commit in common" in err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": "x", "horizon": "1s", "stages": {}}', "HEAD:q.yaml:1:1: workload: "),
        ("name: x\nhorizon: 1s\nstages: [", "HEAD:q.yaml:3:"),
        ("[]", "HEAD:q.yaml:1:1: expected a mapping"),
        ("", "HEAD:q.yaml:1:1: is empty"),
        (b"name: \xff\n", "HEAD:q.yaml: is not UTF-8 text"),
    ],
)
def test_a_broken_scenario_is_named_with_its_revision(
    cli: Cli, git: Git, text: str | bytes, says: str
) -> None:
    put("q.yaml")
    commit(git)
    Path("q.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    commit(git)
    code, out, err = cli("diff", "--git", "HEAD~1..HEAD")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize(
    ("revisions", "says"),
    [
        ("main", 'expected revisions such as main..HEAD, got "main"'),
        ("..", "expected revisions such as main..HEAD"),
        ("nope..HEAD", 'no revision "nope"; a shallow clone may lack it (fetch-depth: 0)'),
        ("--output=stolen..HEAD", '"--output=stolen" is not a revision'),
        ("main..-x", '"-x" is not a revision'),
        ("main..a\0b", "holds the character NUL"),
    ],
)
def test_wrong_revisions_are_one_line_and_2(cli: Cli, git: Git, revisions: str, says: str) -> None:
    put("q.yaml")
    commit(git)
    code, out, err = cli("diff", f"--git={revisions}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not Path("stolen").exists()


def test_without_git_it_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert cli("diff", "--git", "a..b") == (2, "", "--git: git is not installed\n")
