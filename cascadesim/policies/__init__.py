"""Policies: what wraps a stage. One file a policy says all that is known of it without running it.

A policy's file has its settings (the YAML), its plan (frozen, in seconds), its worst case, the load
that it makes, what contradicts it, and the sources that it follows. The file of the same name in
an engine says what it does. `registry` finds the files by themselves, so a new policy is a new
file here and one in each engine, and nothing else.
"""
