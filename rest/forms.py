"""Forms with a file (multipart/form-data, RFC 7578), for uploads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from .problems import ProblemError, invalid

MOST_FIELDS = 20
LONGEST_FIELD = 16_384


class SubmittedForm(NamedTuple):
    """The text fields of a form, and the content of the file in its field `file`."""

    fields: Mapping[str, str]
    file: bytes


async def form_of(request: Request) -> SubmittedForm:
    """Read a form. Raises a 415 for any other body, a 400 for a broken one, a 422 without exactly one `file`."""
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != "multipart/form-data":
        raise ProblemError("wrong-type", f"the body must be multipart/form-data, not {given or 'unnamed'}")
    await request.body()  # the whole body, so that its bounds are checked before it is parsed
    fields: dict[str, str] = {}
    file: bytes | None = None
    try:
        async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD) as form:
            for name, value in form.multi_items():
                if name in fields or (name == "file" and file is not None):
                    raise invalid(name, "twice", f"{name} was sent twice")
                if isinstance(value, UploadFile):
                    if name != "file":
                        raise invalid(name, "unknown", f"unknown file {name!r}; the field's name is file")
                    file = await value.read()
                elif name == "file":
                    raise invalid("file", "not_a_file", "file must be sent as a file, with a filename")
                else:
                    fields[name] = value
    except HTTPException as error:
        raise ProblemError("bad-request", f"the form cannot be read: {error.detail}") from None
    if file is None:
        raise invalid("file", "missing", "the form needs a file in the field `file`")
    return SubmittedForm(fields, file)
