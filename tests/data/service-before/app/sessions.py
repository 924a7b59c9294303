"""Database sessions: one that outlives its lifetime is ended at the next cleanup."""

SESSION = {
    "lifetime": 5 * 60,
    "cleanup_interval": 60,
}


def is_expired(age: float) -> bool:
    return age > SESSION["lifetime"]
