"""Settings where they live: what a service's files say, held against a scenario.

from cascadesim.lint import lint_config
lint = lint_config("settings.map.yaml", variant="after")
lint.drift  # a line for every place that says other than the scenario
cascadesim.run(scenario.override(lint.found))  # what the code's own settings come to
"""

from __future__ import annotations

from cascadesim.lint.drift import Checked, Lint, Reading, Setting, lint_config

__all__ = ["Checked", "Lint", "Reading", "Setting", "lint_config"]
