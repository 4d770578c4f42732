"""Builds the media part of an application from the settings: the object store, the checks of files, and the store's own
routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter

from command_api.media.checking import Checking
from command_api.routes.executing import InHand
from command_api.routes.media import MEDIA_PATH, Uploads
from events.ids import Clock, Randomness
from query_api.routes.media import media_files
from rest.rate_limits import RatePolicy
from rest.shares import Shares
from stores.localfs.objects import PATH, LocalObjects
from stores.objects import Objects

from .media_store import FORM_BYTES, media_store
from .settings import Settings

_DAY_S = 24 * 3600
_MINUTE_MS = 60_000


class MediaSide:
    """The media dependencies of both APIs. `secret` signs the folder's addresses.

    `longer` are the paths that accept longer bodies. `store_routers` are the folder's own routes, outside the API;
    `file_routers` serve files where media are read.
    """

    def __init__(self, settings: Settings, *, secret: bytes, clock: Clock, randomness: Randomness) -> None:
        chosen = settings.media
        self.checking = Checking(most_pixels=chosen.max_pixels, threads=chosen.threads, waiting=chosen.uploads_at_once)
        self.objects: Objects
        self.store_routers: Sequence[APIRouter] = ()
        if chosen.s3 is None:
            folder = LocalObjects(chosen.folder or settings.data / "media", secret, clock, randomness)
            self.objects = folder
            self.store_routers = (media_store(folder),)
        else:
            from stores.s3.objects import (  # the S3 client is installed with the distributed profile only
                Location,
                S3Objects,
            )

            self.objects = S3Objects(Location.parse(chosen.s3.get_secret_value()), public=chosen.s3_public)
        self.file_routers: Sequence[APIRouter] = (media_files, *self.store_routers)
        a_day = settings.rate_limits.uploads_a_day
        self.uploads = Uploads(
            objects=self.objects,
            checking=self.checking,
            policies=(RatePolicy("uploads", a_day, _DAY_S, a_day),),
            in_hand=InHand(chosen.uploads_at_once),
            of_account=Shares("uploads of an account", chosen.uploads_of_account),
            most_bytes=chosen.max_bytes,
            form_ms=chosen.form_minutes * _MINUTE_MS,
        )
        most = chosen.max_bytes + FORM_BYTES
        self.longer: Mapping[str, int] = {MEDIA_PATH: most, PATH: most}

    async def prepare(self) -> None:
        """Prepare the store for writing. Raises StoreUnavailable."""
        await self.objects.prepare()

    def close(self) -> None:
        """Stop the threads."""
        self.checking.close()
        self.objects.close()
