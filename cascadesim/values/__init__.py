"""What values of a scenario are: units, distributions, sources, errors with their place."""
