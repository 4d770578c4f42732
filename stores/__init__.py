"""The ports of the read models, a file each, and their adapters, a folder for each engine.

A port has two sides: what a projector writes (`...Rows`) and what the query API reads. Adapters mirror them name for
name. `sink.py` is how a group of processors lands its effects together with its positions.
"""
