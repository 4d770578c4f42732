"""Which web addresses a profile can link to: those that lead where they seem to lead.

A browser shows and opens more than is an address by its letter (WHATWG URL), so the parser that pydantic has of it is
asked. What it would change in a host before it opens it is refused ahead of that.
"""

import re
from typing import Final

from pydantic import HttpUrl, ValidationError

from .characters import find_invisible
from .errors import ForbiddenCharacter, NoAddress

#: Nothing, or an address without user name and password: what stands before an @ passes for the host.
WEBSITE_PATTERN: Final = r"^(https?://[^\s/?#@%\\]+([/?#]\S*)?)?$"
_WEBSITE: Final = re.compile(WEBSITE_PATTERN)


def check_website(text: str) -> str:
    """Return `text`, an address or nothing. Raises `NoAddress`, or `ForbiddenCharacter` for one that is not seen."""
    invisible = find_invisible(text)
    if invisible is not None:
        raise ForbiddenCharacter(ord(text[invisible]), invisible)
    if _WEBSITE.fullmatch(text) is None:
        raise NoAddress
    if text:
        try:
            HttpUrl(text)
        except ValidationError:
            raise NoAddress from None
    return text
