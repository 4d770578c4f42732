"""Projectors: they turn the log's events into rows of read models. One file per read model; `catalogue.py` lists them
all.

A projector only writes, through the narrow port of its read model (stores/). It never reads, so it never waits and does
not depend on the events of other entities that were applied before: their order does not matter (law 3).
"""
