"""Resources: what calls of several requests take and give back, such as a pool. One file a kind.

A resource's file has its settings, its plan, its worst case and what contradicts it; the file of
the same name in an engine says what it does.
"""
