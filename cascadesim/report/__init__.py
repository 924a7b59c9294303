"""The report: one HTML file that says what happened, why, and what other settings would do."""
