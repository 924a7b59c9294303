"""Policies: what wraps a stage. One file a policy says all that is known of it without running it.

A policy's file has its settings (the YAML), its plan (frozen, in seconds), its worst case, the load
that it makes, what contradicts it, and the sources that it follows. The file of the same name in
an engine runs it. `registry` finds all files of this folder, so a new policy is one file here and
one in each engine.
"""
