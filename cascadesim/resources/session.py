"""Sessions: the spans for which calls hold a connection of a pool."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """Settings of the sessions of one stage: the spans for which requests hold a connection."""

    lifetime: float = math.inf  # seconds after which the reaper ends a session, in use or leaked
    leak: float = 0.0  # share of sessions that their request never closes
