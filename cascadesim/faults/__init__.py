"""Faults: timed changes of stages. One file a fault has its settings and says what it does.

What a fault does to a call is a function of time, known beforehand, so it needs no events.
`registry` finds all files of this folder.
"""
