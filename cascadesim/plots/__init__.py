"""Figures: one function each, which takes an Axes and returns it."""
