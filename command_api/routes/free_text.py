"""Types of free-text fields in request bodies: they compose the text (NFC) and check its characters.

Every field of type `str` in a body is one of these or has a closed shape (an id, a name, a secret);
tests/scenarios/test_text_fields.py checks all fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from rest.problems import invalid

from ..domain.names import LONGEST_DISPLAY_NAME, InvalidName, check_display_name
from ..text.characters import FORBIDDEN_RANGES, is_visible
from ..text.errors import ForbiddenCharacter, NoAddress, TextError, TooManyCharacters
from ..text.free_text import check_free_text
from ..text.websites import WEBSITE_PATTERN, check_website

CODES: dict[type[TextError], str] = {
    ForbiddenCharacter: "character",
    NoAddress: "pattern",
    TooManyCharacters: "too_long",
}

# In the common syntax of Python and ECMAScript patterns: Python has no surrogates, and there is no common notation for
# code points above U+FFFF.
_NEVER = "".join(
    rf"\u{first:04x}-\u{last:04x}" for first, last in FORBIDDEN_RANGES if last <= 0xFFFF and first != 0xD800
)
# Invisible: Unicode's Default_Ignorable_Code_Point up to U+FFFF, and the braille blank.
_NOT_SEEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    r"\uffa0\ufff0-\ufff8"
)
_LINE_BREAKS = frozenset("\n\t\u2028\u2029")


@dataclass(frozen=True, slots=True)
class FreeText:
    """Text of `least` to `longest` code points as stored, in one line unless `lines`."""

    longest: int
    least: int = 0
    lines: bool = True

    def checked(self, text: str) -> str:
        """Return the text as stored. Raises PydanticCustomError; its type is the `code` of the field's error."""
        try:
            text = check_free_text(text, self.longest)
        except TextError as error:
            raise PydanticCustomError(CODES[type(error)], "{why}", {"why": str(error)}) from None
        if not self.lines and not _LINE_BREAKS.isdisjoint(text):
            raise PydanticCustomError("character", "the text must be on one line")
        if len(text) < self.least or (text and not is_visible(text)):
            raise PydanticCustomError("empty", "the text has no visible character")
        return text

    def field(self, name: str, text: str) -> str:
        """Check a field that is not in a JSON body, as `checked` does. Raises a problem with status 422."""
        try:
            return self.checked(text)
        except PydanticCustomError as error:
            raise invalid(name, error.type, error.message()) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**self.shape(), **handler(schema)}

    def shape(self) -> dict[str, Any]:
        """Return the JSON Schema of such a text.

        The schema cannot express the limit on combining marks, nor refused or invisible characters above U+FFFF.
        """
        never = _NEVER if self.lines else _NEVER + r"\t\n\r\u2028\u2029"
        seen = rf"[^{never}]*[^{never}{_NOT_SEEN}\s][^{never}]*"
        pattern = rf"^{seen}$" if self.least else rf"^(?:{seen}|[^{never}\S]*)$"
        least = {"minLength": self.least} if self.least else {}
        return {"type": "string", **least, "maxLength": self.longest, "pattern": pattern}


@dataclass(frozen=True, slots=True)
class Website(FreeText):
    """The URL of a website in a profile, or an empty text."""

    def checked(self, text: str) -> str:
        """Return the URL as stored. Raises PydanticCustomError."""
        text = FreeText.checked(self, text)
        try:
            return check_website(text)
        except TextError as error:
            raise PydanticCustomError(CODES[type(error)], "{why}", {"why": str(error)}) from None

    def shape(self) -> dict[str, Any]:
        """Return the JSON Schema; it cannot express whether a browser can open the URL."""
        return {**FreeText.shape(self), "pattern": WEBSITE_PATTERN}


@dataclass(frozen=True, slots=True)
class DisplayName(FreeText):
    """The display name of an account: one line, without marks that change the direction of the text around it."""

    def checked(self, text: str) -> str:
        """Return the name as stored. Raises PydanticCustomError."""
        try:
            return check_display_name(text)
        except InvalidName as error:
            raise PydanticCustomError(error.code, "{why}", {"why": str(error)}) from None


ShownName = Annotated[str, DisplayName(LONGEST_DISPLAY_NAME, least=1, lines=False)]
