from pathlib import Path

import pytest
from conftest import ROOT
from executed import execute


@pytest.mark.slow
def test_it_runs_from_top_to_bottom_in_the_root_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    execute("01-replay-an-incident.ipynb", monkeypatch, tmp_path, ROOT)
