"""The contract with outsiders: a JSON Schema and an example of each event version, the topics, AsyncAPI.

`generate.py` writes all of it from the event classes and the code that makes and handles events:
`python -m schemas.generate`, and `--check` to hold the files to the code.
"""
