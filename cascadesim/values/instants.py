"""How instants of a run are written: by the scenario's clock, or as seconds after the start."""

from __future__ import annotations

from dataclasses import dataclass

from cascadesim.values.units import clock_text, parse_clock


@dataclass(frozen=True, slots=True)
class Instants:
    """Writes instants of a run. `clock` is what the clock shows at t = 0; None without a clock."""

    clock: str | None

    @property
    def zero(self) -> float | None:
        """Return what the clock shows at t = 0, in seconds since midnight; None without a clock."""
        return None if self.clock is None else parse_clock(self.clock)

    def text(self, at: float) -> str:
        """Return an instant, in seconds after t = 0, as "23:30:00.250" or as "30.250 s"."""
        return f"{at:.3f} s" if self.zero is None else clock_text(self.zero + at)
