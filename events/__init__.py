"""Event classes by noun, their envelope, their codec, and the log.

Start at `event.py` (how a class becomes an event), then read the noun you care about (`tweets.py`, `graph.py`, ...),
then `log.py` (how events are appended and read). This package imports no other package of the project.
"""
