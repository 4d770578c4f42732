"""The public contract of the events: a JSON Schema and an example of each event version, the topics, AsyncAPI.

`generate.py` writes these files from the event classes and from the code that produces and handles events: `python -m
schemas.generate`. With `--check` it compares the files with the code.
"""
