"""What happened: event classes by noun, their envelope, codec and log.

Start at `event.py` (what an event is), then the noun you care about (`tweets.py`, `graph.py`, ...), then
`log.py` (how events are kept and read). This package imports nothing else of the project.
"""
