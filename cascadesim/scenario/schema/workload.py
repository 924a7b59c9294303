"""The offered load: when requests arrive."""

from __future__ import annotations

from pydantic import Field

from cascadesim.scenario.schema.base import Choice, Strict
from cascadesim.scenario.units import Rate


class Arrival(Strict):
    """Arrivals at a rate."""

    rate: Rate = Field(description="requests per unit of time, such as 4/s or 240/min")


class Arrivals(Choice):
    """When requests arrive: at equal distances, or as a Poisson process."""

    constant: Arrival | None = Field(None, description="at equal distances")
    poisson: Arrival | None = Field(None, description="independent of each other")


class Workload(Strict):
    """The offered load."""

    arrivals: Arrivals = Field(description="when requests arrive")
