"""Log to read models: one read model a file, `catalogue.py` lists them all.

A projector only writes, through the narrow port of its read model (stores/), so that it never waits and never has to
guess what another entity's events did already: interleavings do not matter (law 3).
"""
