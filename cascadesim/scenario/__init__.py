"""What the user writes: YAML, units, overrides, variants."""
