"""The errors of refused texts. Messages name a character by code point, never literally: a direction override would
also turn the text of a log line or an error page.
"""


class TextError(ValueError):
    """The text is refused; the subclass names the reason."""


class EmptyText(TextError):
    """The text has no visible character."""

    def __init__(self) -> None:
        super().__init__("the text is empty")


class TextTooLong(TextError):
    """The text weighs more than allowed for a tweet.

    `weight` is exact, except for a text that is far too long: it is refused without weighing, and `weight` is
    `limit + 1`.
    """

    def __init__(self, weight: int, limit: int) -> None:
        super().__init__(f"the text weighs {weight}, over the limit of {limit}")
        self.weight = weight
        self.limit = limit


class TooManyCharacters(TextError):
    """The text has more code points than its field allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the text has more than {limit} characters")
        self.limit = limit


class NoAddress(TextError):
    """The text is not the URL of a web page."""

    def __init__(self) -> None:
        super().__init__("this is no web address like https://example.org/page, without a user name in it")


class ForbiddenCharacter(TextError):
    """A forbidden character. `index` is its index in the given text, in code points."""

    def __init__(self, codepoint: int, index: int) -> None:
        super().__init__(f"the character U+{codepoint:04X} at index {index} is not allowed")
        self.codepoint = codepoint
        self.index = index
