"""What lives in simulated time."""
