"""What people do with scenarios: run, replay, compare, check."""
