from pathlib import Path

import pytest
from executed import execute


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    execute("04-your-own-service.ipynb", monkeypatch, tmp_path)
