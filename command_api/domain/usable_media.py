"""Which media can be used: those that the one who acts has finished and not deleted."""

from __future__ import annotations

from events.ids import AccountId, MediaId
from events.media import Attachment

from ..facts import Media
from .errors import MediaGone, MediaNotFound, MediaUnfinished


def owned(wanted: MediaId, medium: Media | None, actor: AccountId) -> Media:
    """The medium, deleted or not. Raises MediaNotFound (for another's too: nobody is told of those)."""
    if medium is None or medium.owner != actor:
        raise MediaNotFound(wanted)
    return medium


def usable(wanted: MediaId, medium: Media | None, actor: AccountId) -> Attachment:
    """The medium as it is carried along. Raises MediaNotFound, MediaGone, MediaUnfinished."""
    medium = owned(wanted, medium, actor)
    if medium.deleted:
        raise MediaGone(wanted)
    if medium.object is None:
        raise MediaUnfinished(wanted)
    return medium.attachment
