"""Convert records of the log to CloudEvents 1.0 objects in the JSON format."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import BY_NAME
from events.ids import millis
from events.log import Record
from rest.times import rfc3339

SOURCE = "/minitwitter"


def as_cloud_event(record: Record, *, unseal: bool) -> dict[str, Any]:
    """Return the CloudEvents object, without sealed fields unless `unseal`. If their key is destroyed, `data` is null.

    For an unreadable record, the object has `fault` and the attributes that could be read.
    """
    about = record.about
    if record.fault:
        return {
            "specversion": "1.0",
            **({"id": about.id} if about.id else {}),
            "source": SOURCE,
            "type": record.type,
            "subject": record.key,
            "position": f"{record.place}@{record.offset}",
            "fault": record.fault,
            "data": None,
        }
    kind = BY_NAME[record.type]
    data: dict[str, Any] | None = None
    if record.event is not None:
        data = msgspec.to_builtins(record.event)
        if not unseal:
            data = {name: value for name, value in data.items() if name not in kind.sealed}
    attributes = {
        "correlation": about.correlation,
        "causation": about.causation,
        "actor": about.actor,
        "traceparent": about.traceparent,
    }
    return {
        "specversion": "1.0",
        "id": about.id,
        "source": SOURCE,
        "type": record.type,
        "subject": record.key,
        "partitionkey": record.key,
        "time": rfc3339(about.time),
        "recorded": rfc3339(millis(about.id)),
        "dataschema": kind.schema,
        "position": f"{record.place}@{record.offset}",
        **{name: value for name, value in attributes.items() if value},
        "data": data,
    }
