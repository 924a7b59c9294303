"""Faults: timed changes of the world. One file a fault says its settings and what it does.

What a fault does to a call is a function of time, known beforehand: it needs no events. `registry`
finds the files by themselves.
"""
