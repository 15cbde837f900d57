"""CloudEvents as EventBridge writes them: from a message of a queue, and from what was put onto a bus.

Sources: "Event overview" (the envelope of the bus), and "Formats of event for different triggers" (that of a queue);
the spellings are theirs.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tests.localcloud.api import ApiError, Json
from tests.localcloud.smq.queues import Message

BUS = "default"
LARGEST = 256 * 1024  # bytes of an event; "Limits" page
_PUBLISHED_FROM = "127.0.0.1"
_REQUIRED = ("id", "source", "specversion", "type")


@dataclass(frozen=True)
class Origin:
    """Whose events they are, and where."""

    region: str
    account_id: str


def of_message(message: Message, queue: str, bus: str, origin: Origin, body: str) -> Json:
    """Return the event of one message of a queue."""
    sent = written(message.published)
    return {
        "id": _event_id(message),
        "source": bus,
        "specversion": "1.0",
        "type": "mns:Queue:SendMessage",
        "datacontenttype": "application/json; charset=utf-8",
        "subject": f"acs:mns:{origin.region}:{origin.account_id}:queues/{queue}",
        "time": sent,
        "aliyunaccountid": origin.account_id,
        "aliyunpublishtime": sent,
        "aliyunoriginalaccountid": origin.account_id,
        "aliyuneventbusname": bus,
        "aliyunregionid": origin.region,
        "aliyunpublishaddr": _PUBLISHED_FROM,
        "data": {"requestId": secrets.token_hex(12).upper(), "messageId": message.id, "messageBody": body},
    }


def of_put(event: Mapping[str, Any], now: datetime, origin: Origin) -> Json:
    """Return an event as it comes off the bus: what was put there, and what EventBridge adds."""
    missing = [name for name in _REQUIRED if not isinstance(event.get(name), str) or not event[name]]
    if missing:  # "PutEvents": these four are required
        raise ApiError(400, "InvalidEvent", f"The event lacks {', '.join(missing)}, as texts.")
    if event["specversion"] != "1.0":
        raise ApiError(400, "InvalidEvent", 'specversion is not "1.0".')
    added = {
        "datacontenttype": "application/json; charset=utf-8",
        "subject": f"acs:eventbridge:{origin.region}:{origin.account_id}:eventbus/{BUS}/eventsource/{event['source']}",
        "time": written(now),
    }
    stamped = {
        "aliyunaccountid": origin.account_id,
        "aliyunpublishtime": written(now),
        "aliyuneventbusname": BUS,
        "aliyunregionid": origin.region,
        "aliyunpublishaddr": _PUBLISHED_FROM,
    }
    made = {**added, **event, **stamped}
    if len(json.dumps(made, ensure_ascii=False).encode()) > LARGEST:
        raise ApiError(400, "InvalidEvent", f"An event has at most {LARGEST} bytes.")
    return made


def decoded(body: str, *, mangle: bool) -> str:
    """Return what a body in base64 says, as IsBase64Decode does it.

    What is not base64 is passed on as it is, or (`mangle`) decoded all the same, without what base64 has no use for.
    """
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError:
        return _mangled(body) if mangle else body


def written(moment: datetime) -> str:
    """Return an instant as EventBridge writes it."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event_id(message: Message) -> str:
    """Return the same id for the same message, however often it is delivered: receivers tell duplicates by it."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, message.id))


def _mangled(body: str) -> str:
    useful = "".join(char for char in body if char.isascii() and (char.isalnum() or char in "+/"))
    try:
        return base64.b64decode(useful + "=" * (-len(useful) % 4)).decode(errors="replace")
    except binascii.Error:
        return ""
