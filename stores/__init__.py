"""The ports of the read models, one file each, and their adapters, one folder for each engine.

A port has two protocols: projectors write through `...Rows`, and the query API reads through the other. Adapters have
the same file names. `sink.py` is the port by which a group stores its effects together with its positions.
"""
