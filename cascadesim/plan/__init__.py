"""The plan: what an engine needs to know of a scenario, frozen, in seconds and numbers."""
