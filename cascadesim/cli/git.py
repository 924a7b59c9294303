"""Scenarios that changed between two revisions of a git repository."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascadesim.scenario.load import Scenario, loads
from cascadesim.scenario.source import parse
from cascadesim.values.errors import ScenarioError, cut, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_OPTION = "--git"
_KEYS = ("name", "horizon", "stages")  # that every scenario has, and hardly another file
_RANGE = re.compile(r"(.*?)(\.\.\.?)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Revision:
    label: str  # as errors and tables name it
    commit: str


@dataclass(frozen=True, slots=True)
class _File:
    """A file in a revision."""

    source: str
    content: bytes

    def scenario(self) -> Scenario:
        """Return the scenario in it. Raises ScenarioError."""
        try:
            return loads(self.content.decode("utf-8-sig"), self.source)
        except UnicodeDecodeError:
            message = "is not UTF-8 text; save the file as UTF-8"
            raise ScenarioError(message, self.source) from None

    def is_scenario(self) -> bool:
        """Return whether it is a scenario, or was meant to be one where it is not even YAML."""
        text = self.content.decode("utf-8-sig", "replace")
        if not all(key in text for key in _KEYS):
            return False  # most files end here, and are not parsed
        try:
            data = parse(text, self.source).data
        except ScenarioError:
            return all(re.search(rf"^{key}\s*:", text, re.MULTILINE) for key in _KEYS)
        return isinstance(data, dict) and all(key in data for key in _KEYS)


def changed_scenarios(
    revisions: str, paths: Sequence[Path] = (), folder: Path | None = None
) -> list[tuple[Scenario | None, Scenario | None]]:
    """Return the scenarios that differ between revisions such as "main..HEAD", old and new.

    From the merge base where it is "main...HEAD"; either side may be left out for HEAD. `paths`
    are files and folders, seen from the `folder` inside the repository, to look in alone. One of
    the two is None for a scenario that was added or removed. Raises ScenarioError where git knows
    no such revisions, and for a scenario that cannot be read.
    """
    git = _Git(folder)
    old, new = _revisions(git, revisions)
    for path in paths:
        if not any(git.has(revision, str(path)) for revision in (old, new)):
            message = f"is neither in {old.label} nor in {new.label}"
            raise ScenarioError(message, str(path))
    pairs = []
    for before, after in git.changed(old, new, [str(path) for path in paths]):
        files = (git.read(old, before), git.read(new, after))
        if any(file is not None and file.is_scenario() for file in files):
            one, other = (None if file is None else file.scenario() for file in files)
            pairs.append((one, other))
    return pairs


def _revisions(git: _Git, text: str) -> tuple[_Revision, _Revision]:
    match = _RANGE.fullmatch(text.strip())
    if match is None or not (match[1] or match[3]):
        raise ScenarioError(f"expected revisions such as main..HEAD, got {show(text)}", _OPTION)
    old, new = (git.revision(name or "HEAD") for name in (match[1], match[3]))
    return (git.merge_base(old, new), new) if match[2] == "..." else (old, new)


class _Git:
    """Asks git, from a folder inside a repository."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        # Paths are paths, and no patterns; nothing goes through a shell.
        command = ["git", "--literal-pathspecs", *arguments]
        try:
            return subprocess.run(command, cwd=self._folder, capture_output=True, check=False)
        except FileNotFoundError:
            raise ScenarioError("git is not installed", _OPTION) from None
        except ValueError:
            raise ScenarioError("a name holds the character NUL", _OPTION) from None

    def _output(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").splitlines() or ["no reason given"]
            raise ScenarioError(f"git says: {lines[0].removeprefix('fatal: ')}", _OPTION)
        return done.stdout

    def revision(self, name: str) -> _Revision:
        """Return the commit of a revision, such as a branch, a tag, HEAD~2 or a hash."""
        if name.startswith("-"):  # which git would take as an option
            raise ScenarioError(f"{show(name)} is not a revision", _OPTION)
        self._output("rev-parse", "--git-dir")  # or else there is no repository
        done = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if done.returncode:
            message = f"no revision {show(name)}; a shallow clone may lack it (fetch-depth: 0)"
            raise ScenarioError(message, _OPTION)
        return _Revision(name, done.stdout.decode().strip())

    def merge_base(self, old: _Revision, new: _Revision) -> _Revision:
        """Return the commit from which two revisions parted."""
        done = self._run("merge-base", old.commit, new.commit)
        commit = done.stdout.decode().strip()
        if done.returncode:
            names = f"{cut(old.label)} and {cut(new.label)}"
            message = f"{names} have no commit in common; a shallow clone may lack it"
            raise ScenarioError(f"{message} (fetch-depth: 0)", _OPTION)
        return _Revision(commit[:12], commit)

    def has(self, revision: _Revision, path: str) -> bool:
        """Return whether a file or folder is in a revision."""
        return bool(self._output("ls-tree", "-z", revision.commit, "--", path))

    def changed(
        self, old: _Revision, new: _Revision, paths: Sequence[str]
    ) -> Iterator[tuple[str | None, str | None]]:
        """Give the paths of changed files from the top, in both; None in one that lacks it."""
        command = ("diff-tree", "-r", "-z", "--find-renames", "--name-status")
        output = self._output(*command, old.commit, new.commit, "--", *paths)
        words = iter(output.decode("utf-8", "surrogateescape").split("\0")[:-1])
        for status in words:
            path = next(words)
            if status.startswith("R"):
                yield path, next(words)
            else:
                yield None if status == "A" else path, None if status == "D" else path

    def read(self, revision: _Revision, path: str | None) -> _File | None:
        """Return a YAML file of a revision; None where there is none of this name."""
        if path is None or not path.endswith((".yaml", ".yml")):
            return None
        done = self._run("cat-file", "blob", f"{revision.commit}:{path}")
        # A repository in the repository may have such a name, too.
        return None if done.returncode else _File(f"{revision.label}:{path}", done.stdout)
