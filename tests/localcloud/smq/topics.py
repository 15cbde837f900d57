"""A topic: what is published goes to every subscription at once, and is not kept.

Sources: SMQ "Topic" pages; for filter tags "Subscribe": a subscription with a tag gets messages of that tag only.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.localcloud.smq.queues import Message, Now, check_body


@dataclass(frozen=True)
class Published:
    """A message of a topic, with what came with it."""

    message: Message
    attributes: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""


@dataclass(frozen=True)
class Subscription:
    """Who gets what is published."""

    name: str
    deliver: Callable[[Published], object] = field(repr=False)
    filter_tag: str = ""

    def wants(self, published: Published) -> bool:
        """Tell whether a message passes the filter."""
        return self.filter_tag in ("", published.tag)


class Topic:
    """One topic; every method may be called from any thread."""

    def __init__(self, name: str, now: Now) -> None:
        self.name = name
        self.published: list[Published] = []  # for tests: a real topic keeps nothing
        self._now = now
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.Lock()

    def publish(self, body: str, attributes: Mapping[str, str] | None = None, tag: str = "") -> Message:
        """Publish a message to every subscription that wants it."""
        check_body(body)
        message = Message(secrets.token_hex(16).upper(), body, self._now())
        published = Published(message, dict(attributes or {}), tag)
        with self._lock:
            self.published.append(published)
            wanting = [each for each in self._subscriptions.values() if each.wants(published)]
        for each in wanting:
            each.deliver(published)
        return message

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, or replace the one of this name."""
        with self._lock:
            self._subscriptions[subscription.name] = subscription

    def unsubscribe(self, name: str) -> None:
        """Remove a subscription."""
        with self._lock:
            self._subscriptions.pop(name, None)
