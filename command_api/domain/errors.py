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


class TooManyEdits(Refused):
    """The tweet was edited as often as it may be."""

    def __init__(self, tweet: str, most: int) -> None:
        super().__init__(f"tweet {tweet} was edited {most} times and stays as it is")


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


class MediaNotFound(Refused):
    """No such medium, or another's."""

    def __init__(self, media: str) -> None:
        super().__init__(f"you have no medium {media}")


class MediaGone(Refused):
    """The medium was deleted."""

    def __init__(self, media: str) -> None:
        super().__init__(f"medium {media} was deleted")


class MediaUnfinished(Refused):
    """The medium was not finished: its upload is still to come, or to be completed."""

    def __init__(self, media: str) -> None:
        super().__init__(f"the upload of medium {media} is not complete yet")


class MediaShown(Refused):
    """The medium is shown somewhere, which is to be changed first."""

    def __init__(self, media: str, where: str) -> None:
        super().__init__(f"medium {media} is shown {where}")


class NotAPicture(Refused):
    """This takes a picture, and the medium is something else."""

    def __init__(self, media: str, content_type: str) -> None:
        super().__init__(f"medium {media} is {content_type}, and a profile shows pictures")


class UploadMissing(Refused):
    """Nothing was uploaded for the medium."""

    def __init__(self, media: str) -> None:
        super().__init__(f"nothing was uploaded for medium {media} yet")
