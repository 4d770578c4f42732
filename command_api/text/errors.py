"""Why a text is refused. Messages name characters by code point, never by the character itself: a
direction override quoted in a log line or an error page would act there.
"""


class TextError(ValueError):
    """The text is refused; which subclass says why."""


class EmptyText(TextError):
    """Nothing of the text can be seen."""

    def __init__(self) -> None:
        super().__init__("the text is empty")


class TextTooLong(TextError):
    """The text weighs more than a tweet may.

    `weight` is exact, but for a text so long that no reading of it could fit: that one is refused unweighed,
    with `limit + 1`.
    """

    def __init__(self, weight: int, limit: int) -> None:
        super().__init__(f"the text weighs {weight}, over the limit of {limit}")
        self.weight = weight
        self.limit = limit


class TooManyCharacters(TextError):
    """The text has more code points than its field takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the text has more than {limit} characters")
        self.limit = limit


class NoAddress(TextError):
    """The text is no address of a web page."""

    def __init__(self) -> None:
        super().__init__("this is no web address like https://example.org/page, without a user name in it")


class ForbiddenCharacter(TextError):
    """A character that no text may have. `index` counts code points of the text as it was given."""

    def __init__(self, codepoint: int, index: int) -> None:
        super().__init__(f"the character U+{codepoint:04X} at index {index} is not allowed")
        self.codepoint = codepoint
        self.index = index
