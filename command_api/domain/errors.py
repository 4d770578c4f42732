"""The refusals of commands. They know nothing of HTTP; routes/problems.py maps each to a problem with a status."""

from __future__ import annotations

from ..deciding import Refused


class AccountNotFound(Refused):
    """There is no such account, or it is hidden from the actor."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no account {name}")


class TweetNotFound(Refused):
    """There is no such tweet, or it is hidden from the actor."""

    def __init__(self, tweet: str) -> None:
        super().__init__(f"there is no tweet {tweet}")


class TweetGone(Refused):
    """The tweet was deleted."""

    def __init__(self, tweet: str) -> None:
        super().__init__(f"tweet {tweet} was deleted")


class NotYours(Refused):
    """Only the author may do this."""

    def __init__(self, action: str) -> None:
        super().__init__(f"only its author may {action} a tweet")


class EditWindowClosed(Refused):
    """The tweet was posted too long ago to be edited."""

    def __init__(self, tweet: str, minutes: int) -> None:
        super().__init__(f"tweet {tweet} was posted more than {minutes} minutes ago and stays as it is")


class TooManyEdits(Refused):
    """The tweet has been edited as many times as allowed."""

    def __init__(self, tweet: str, most: int) -> None:
        super().__init__(f"tweet {tweet} was edited {most} times and stays as it is")


class VersionMismatch(Refused):
    """The resource has another version than the one that the command names in `if_version`."""

    def __init__(self, wanted: int, present: int) -> None:
        super().__init__(f"this is about version {wanted}, the present one is {present}")


class Blocked(Refused):
    """One of the two accounts blocks the other."""

    def __init__(self) -> None:
        super().__init__("one of you blocks the other")


class NotYourself(Refused):
    """An account cannot do this to itself."""

    def __init__(self, action: str) -> None:
        super().__init__(f"you cannot {action} yourself")


class NotificationNotFound(Refused):
    """The id lies in the future, so no notification can have it yet."""

    def __init__(self, notification: str) -> None:
        super().__init__(f"there is no notification {notification}")


class MediaNotFound(Refused):
    """There is no such medium, or it belongs to another account."""

    def __init__(self, media: str) -> None:
        super().__init__(f"you have no medium {media}")


class MediaGone(Refused):
    """The medium was deleted."""

    def __init__(self, media: str) -> None:
        super().__init__(f"medium {media} was deleted")


class MediaUnfinished(Refused):
    """The upload of the medium is not complete yet."""

    def __init__(self, media: str) -> None:
        super().__init__(f"the upload of medium {media} is not complete yet")


class MediaShown(Refused):
    """A tweet or the profile shows the medium and has to be deleted or changed first."""

    def __init__(self, media: str, where: str) -> None:
        super().__init__(f"medium {media} is shown {where}")


class NotAPicture(Refused):
    """The profile needs a picture, and the medium is a video."""

    def __init__(self, media: str, content_type: str) -> None:
        super().__init__(f"medium {media} is {content_type}, and a profile shows pictures")


class UploadMissing(Refused):
    """No file was uploaded for the medium."""

    def __init__(self, media: str) -> None:
        super().__init__(f"nothing was uploaded for medium {media} yet")
