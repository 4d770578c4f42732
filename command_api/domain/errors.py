"""Why a command is refused. Errors know nothing of HTTP; rest/problems.py gives each a status and a page."""

from __future__ import annotations

from ..deciding import Refused


class AccountNotFound(Refused):
    """No such account, or it hides from the one who asks."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no account {name}")


class TweetNotFound(Refused):
    """No such tweet, or it hides from the one who asks."""

    def __init__(self, tweet: str) -> None:
        super().__init__(f"there is no tweet {tweet}")


class TweetGone(Refused):
    """The tweet was deleted."""

    def __init__(self, tweet: str) -> None:
        super().__init__(f"tweet {tweet} was deleted")


class NotYours(Refused):
    """Only the author may do this."""

    def __init__(self, what: str) -> None:
        super().__init__(f"only its author may {what} a tweet")


class EditWindowClosed(Refused):
    """The tweet was posted too long ago to be edited."""

    def __init__(self, tweet: str, minutes: int) -> None:
        super().__init__(f"tweet {tweet} was posted more than {minutes} minutes ago and stays as it is")


class VersionMismatch(Refused):
    """It was changed since the version that the command speaks of."""

    def __init__(self, wanted: int, present: int) -> None:
        super().__init__(f"this is about version {wanted}, the present one is {present}")


class Blocked(Refused):
    """One of the two blocks the other."""

    def __init__(self) -> None:
        super().__init__("one of you blocks the other")


class NotYourself(Refused):
    """This is done to others."""

    def __init__(self, what: str) -> None:
        super().__init__(f"you cannot {what} yourself")


class NotificationNotFound(Refused):
    """No notification can have this id yet."""

    def __init__(self, notification: str) -> None:
        super().__init__(f"there is no notification {notification}")
