"""Notebooks as they are stored: without output, and with no figure that is not computed."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return stored


def sources(path: Path, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == kind]


def test_there_are_four() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestStored:
    def test_it_is_valid(self, path: Path) -> None:
        nbformat.validate(nbformat.read(path, as_version=4))

    def test_it_has_no_output_and_was_not_executed(self, path: Path) -> None:
        for cell in read(path)["cells"]:
            assert cell.get("outputs", []) == []
            assert cell.get("execution_count") is None
            assert cell["metadata"] == {}

    def test_it_runs_in_any_python_kernel(self, path: Path) -> None:
        assert read(path)["metadata"] == {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }

    def test_it_names_no_folder_of_a_machine(self, path: Path) -> None:
        assert not re.search(r"[\"' ](?:/|~/|[A-Z]:\\\\)\w", path.read_text("utf-8"))

    def test_prose_states_no_figure_of_its_own(self, path: Path) -> None:
        """Code in backticks and names of files apart: those are no results."""
        for text in sources(path, "markdown"):
            prose = re.sub(r"`[^`]*`|\[0[0-9]-[^\]]*\]\([^)]*\)", "", text)
            assert not re.search(r"[0-9]", prose), text

    def test_it_asserts_what_it_claims(self, path: Path) -> None:
        assert sum("assert " in text for text in sources(path, "code")) >= 3

    def test_links_lead_somewhere(self, path: Path) -> None:
        for text in sources(path, "markdown"):
            for target in re.findall(r"\]\(([^)]+)\)", text):
                assert (path.parent / target).exists()
