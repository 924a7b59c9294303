"""Runs a notebook from top to bottom in a kernel, as a reader does, but in no time."""

from pathlib import Path

import nbclient
import nbformat
import pytest
from conftest import ROOT

FOLDER = ROOT / "notebooks"


def execute(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path, here: Path = FOLDER) -> None:
    """Run a notebook from a folder; its own assertions hold what it claims.

    Nothing may be written to stderr, where warnings end up. What Jupyter keeps goes to a folder.
    """
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "CASCADESIM_STORE"):
        monkeypatch.setenv(variable, str(folder / variable))
    notebook = nbformat.read(FOLDER / name, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(here)}},
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert [each.text for each in outputs if each.get("name") == "stderr"] == []
    # A figure that is not drawn is the text of an object.
    texts = [each["data"] for each in outputs if "data" in each]
    assert [data for data in texts if "<Figure" in str(data.get("text/html", ""))] == []
    assert all("image/png" in data for data in texts if "<Figure" in data.get("text/plain", ""))
    assert any("image/png" in data for data in texts)
