"""Check the website of a profile: the link has to open the host that it shows.

Browsers accept more than the URL syntax allows (WHATWG URL), so the check uses the WHATWG parser of pydantic. Before
that, it refuses hosts that the parser would change.
"""

import re
from typing import Final

from pydantic import HttpUrl, ValidationError

from .characters import find_invisible
from .errors import ForbiddenCharacter, NoAddress

#: Empty, or a URL without user name and password: readers take the text before an @ for the host.
WEBSITE_PATTERN: Final = r"^(https?://[^\s/?#@%\\]+([/?#]\S*)?)?$"
_WEBSITE: Final = re.compile(WEBSITE_PATTERN)


def check_website(text: str) -> str:
    """Return `text`, a URL or "". Raises `NoAddress`, or `ForbiddenCharacter` for an invisible character."""
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
