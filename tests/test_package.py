"""What is built of the project: a wheel and a source archive, with nothing that is not meant."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

KINDS = {".py", ".md", ".css", ".js", ".j2", ".yaml"}


def tracked(*folders: str) -> set[str]:
    """Return the files that Git keeps in folders of the project."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *folders]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no checkout by Git, which says what is meant to be there")
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == tracked("cascadesim")
    assert {Path(name).suffix for name in names} <= KINDS


@pytest.mark.slow
def test_the_source_archive_has_what_is_kept_and_nothing_else(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    made = {"PKG-INFO", ".gitignore"}  # by the builder
    assert names - made == tracked() - {".gitignore", ".pre-commit-hooks.yaml"}
