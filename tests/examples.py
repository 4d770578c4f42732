"""How many examples a costly property is tried on."""

import hypothesis


def at_most(examples: int) -> hypothesis.settings:
    """Return settings of so many examples, or of fewer if the profile asks for fewer, as that of the fast tests does.

    A number that a test states itself overrides the profile.
    """
    return hypothesis.settings(max_examples=min(examples, hypothesis.settings().max_examples))
