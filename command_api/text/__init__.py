"""The text of tweets: its weight, its allowed characters and its entities.

The rules are those of twitter-text v3 (https://github.com/twitter/twitter-text), written anew for Python and
held to its conformance cases by `tests/text/test_conformance.py`, which also lists where they are not
followed and why.
"""
