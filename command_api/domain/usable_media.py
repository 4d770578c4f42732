"""Check that an account may use a medium: it owns it, the upload is finished, and it is not deleted."""

from __future__ import annotations

from events.ids import AccountId, MediaId
from events.media import Attachment

from ..facts import Media
from .errors import MediaGone, MediaNotFound, MediaUnfinished


def owned(wanted: MediaId, medium: Media | None, actor: AccountId) -> Media:
    """Return the actor's medium, deleted or not. Raises MediaNotFound, also for a medium of another account."""
    if medium is None or medium.owner != actor:
        raise MediaNotFound(wanted)
    return medium


def usable(wanted: MediaId, medium: Media | None, actor: AccountId) -> Attachment:
    """Return the medium as an attachment of an event. Raises MediaNotFound, MediaGone, MediaUnfinished."""
    medium = owned(wanted, medium, actor)
    if medium.deleted:
        raise MediaGone(wanted)
    if medium.stored is None:
        raise MediaUnfinished(wanted)
    return medium.attachment
