"""Settings where they live: the files of a service, compared with a scenario.

from cascadesim.lint import lint_config
lint = lint_config("settings.map.yaml", variant="after")
lint.drift  # a line for every place that differs from the scenario
cascadesim.run(scenario.override(lint.found))  # with the code's own settings
"""

from __future__ import annotations

from cascadesim.lint.drift import Checked, Lint, Reading, Setting, lint_config

__all__ = ["Checked", "Lint", "Reading", "Setting", "lint_config"]
