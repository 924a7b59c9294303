"""Simulates timeout cascades: requests through circuit breakers, agents and connection pools."""

__version__ = "0.1.0"
