"""A queue: messages that are received, hidden for a while, and deleted by who is done with them.

Sources: SMQ "Queue" and "ReceiveMessage" pages: a received message is invisible for its visibility timeout (30 s unless
the queue says otherwise), and comes back unless it was deleted with the handle of that receipt; each receipt counts.
Bodies are texts as they were sent. The Python SDK of SMQ sends base64 of what it is given, unless it is told not to.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.localcloud.api import ApiError

VISIBILITY_SECONDS = 30.0
LARGEST = 65_536  # bytes of a body; "Limits" page

Now = Callable[[], datetime]


def check_body(body: str) -> None:
    """Refuse a body that no message may have, in a queue or on a topic."""
    if not body or len(body.encode()) > LARGEST:
        raise ApiError(400, "InvalidArgument", f"The length of a message is 1 to {LARGEST} bytes.")


@dataclass(frozen=True)
class Message:
    """One message, as it was sent."""

    id: str
    body: str = field(repr=False)
    published: datetime

    @property
    def md5(self) -> str:
        """The checksum of the body, as SMQ writes it."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest().upper()

    @property
    def text(self) -> str:
        """The body, decoded if it is base64 of a text."""
        try:
            return base64.b64decode(self.body, validate=True).decode()
        except ValueError:
            return self.body


@dataclass(frozen=True)
class Receipt:
    """A message that was received, and what its receiver deletes it with."""

    message: Message
    handle: str
    count: int  # of receipts so far, this one included


@dataclass
class _Kept:
    message: Message
    receipts: int = 0
    handle: str = ""
    visible_from: datetime | None = None  # None while hidden for as long as its receiver likes


class Queue:
    """One queue; every method may be called from any thread."""

    def __init__(self, name: str, now: Now) -> None:
        self.name = name
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self._told: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def send(self, body: str, *, encoded: bool = False) -> Message:
        """Send a message; with `encoded`, base64 of the body, as the Python SDK does by default."""
        sent = base64.b64encode(body.encode()).decode() if encoded else body
        check_body(sent)
        message = Message(secrets.token_hex(16).upper(), sent, self._now())
        with self._lock:
            self._kept[message.id] = _Kept(message, visible_from=message.published)
        self._tell()
        return message

    def receive(self, limit: int = 1, visibility: float | None = VISIBILITY_SECONDS) -> list[Receipt]:
        """Receive what is visible, oldest first; None hides it until it is released or deleted."""
        now = self._now()
        until = None if visibility is None else now + timedelta(seconds=visibility)
        with self._lock:
            found = [kept for kept in self._kept.values() if kept.visible_from and kept.visible_from <= now][:limit]
            for kept in found:
                kept.receipts += 1
                kept.handle = f"{kept.message.id}-{secrets.token_hex(8)}"
                kept.visible_from = until
            return [Receipt(kept.message, kept.handle, kept.receipts) for kept in found]

    def delete(self, handle: str) -> None:
        """Delete a message with the handle of its last receipt."""
        with self._lock:
            del self._kept[self._find(handle).message.id]

    def release(self, handle: str) -> None:
        """Make a received message visible again now."""
        with self._lock:
            self._find(handle).visible_from = self._now()
        self._tell()

    def peek(self, limit: int = 16) -> list[Message]:
        """Look at what is visible, without receiving it."""
        now = self._now()
        with self._lock:
            return [kept.message for kept in self._kept.values() if kept.visible_from and kept.visible_from <= now][
                :limit
            ]

    def messages(self) -> list[Message]:
        """Return every message that is not deleted, hidden or not, oldest first."""
        with self._lock:
            return [kept.message for kept in self._kept.values()]

    def watch(self, told: Callable[[], object]) -> None:
        """Call this whenever a message became visible; in the thread that made it so."""
        self._told.append(told)

    def _find(self, handle: str) -> _Kept:
        kept = self._kept.get(handle.partition("-")[0])
        if kept is None or kept.handle != handle:
            raise ApiError(404, "MessageNotExist", "The message does not exist, or the receipt handle is not its last.")
        return kept

    def _tell(self) -> None:
        for each in list(self._told):
            each()
