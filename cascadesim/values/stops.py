"""The signals that stop a command: Ctrl-C, an ended terminal, and what `kill` sends."""

from __future__ import annotations

import signal

STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP
