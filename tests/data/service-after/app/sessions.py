"""Database sessions: one that outlives its lifetime is ended at the next cleanup."""

SESSION = {
    "lifetime": 30,
    "cleanup_interval": 5,
}


def is_expired(age: float) -> bool:
    return age > SESSION["lifetime"]
