"""Streams: they turn the log's events into events of derived topics. `catalogue.py` lists them all."""
