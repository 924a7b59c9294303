"""Small scenarios of clients that connect, and what is counted of their connections."""

from typing import Any

from kit import Data, fault

from cascadesim.records import ConnectionCounts, Records

WHERE = "workload.connections"


def connected(
    n: float = 2, every: str = "1s", work: str = "200ms", rest: Data | None = None, **options: Any
) -> Data:
    """Return a scenario in which clients send until `n` seconds and a half."""
    own = {"clients": 1, "messages": {"constant": every}} | options
    return {
        "name": "connected",
        "horizon": f"{n + 0.5}s",
        "drain": "1000s",
        "workload": {"connections": own},
        "stages": {"a": {"work": {"constant": work}}},
    } | (rest or {})


def login(work: str, **rest: Any) -> Data:
    return {"stages": {"login": {"work": {"constant": work}} | rest}}


def counts(records: Records) -> ConnectionCounts:
    assert records.connections is not None
    return records.connections


def restart(start: str, duration: str) -> Data:
    return {"faults": [fault(start, duration, "connections", restart={})]}


def partition(start: str, duration: str) -> Data:
    return {"faults": [fault(start, duration, "connections", partition={})]}
