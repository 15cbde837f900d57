"""The queues and topics of one account, by name or by ARN."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.smq.arns import NAME, Address, Kind
from tests.localcloud.smq.queues import Message, Queue
from tests.localcloud.smq.topics import Topic


class Smq:
    """What `cloud.smq` is: in memory, without an API of its own; other services and tests call it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._topics: dict[str, Topic] = {}
        self._lock = threading.Lock()

    def create_queue(self, name: str) -> Queue:
        """Create a queue; one that exists is returned as it is, as SMQ does for equal attributes."""
        _check(name, "queues")
        with self._lock:
            return self._queues.setdefault(name, Queue(name, self._clock.now))

    def create_topic(self, name: str) -> Topic:
        """Create a topic; one that exists is returned as it is."""
        _check(name, "topics")
        with self._lock:
            return self._topics.setdefault(name, Topic(name, self._clock.now))

    def queue(self, name: str) -> Queue:
        """Return a queue, by name or ARN."""
        found = self._queues.get(_plain(name, "queues"))
        if found is None:
            raise ApiError(404, "QueueNotExist", f"The queue {name!r} does not exist.")
        return found

    def topic(self, name: str) -> Topic:
        """Return a topic, by name or ARN."""
        found = self._topics.get(_plain(name, "topics"))
        if found is None:
            raise ApiError(404, "TopicNotExist", f"The topic {name!r} does not exist.")
        return found

    def queues(self) -> list[Queue]:
        """Return every queue."""
        return list(self._queues.values())

    def topics(self) -> list[Topic]:
        """Return every topic."""
        return list(self._topics.values())

    def has(self, address: Address) -> bool:
        """Tell whether a queue or a topic exists."""
        return address.name in (self._queues if address.kind == "queues" else self._topics)

    def send(self, where: str, body: str, *, encoded: bool = False) -> Message:
        """Send to a queue by name or ARN, or publish to a topic by its ARN."""
        if where.startswith("acs:") and _parsed(where).kind == "topics":
            return self.topic(where).publish(body)
        return self.queue(where).send(body, encoded=encoded)

    def publish(self, topic: str, body: str, attributes: Mapping[str, str] | None = None, *, tag: str = "") -> Message:
        """Publish to a topic, by name or ARN."""
        return self.topic(topic).publish(body, attributes, tag)


def _plain(name: str, kind: Kind) -> str:
    if not name.startswith("acs:"):
        return name
    address = _parsed(name)
    if address.kind != kind:
        raise ApiError(400, "InvalidArgument", f"{name!r} is one of {address.kind}, not one of {kind}.")
    return address.name


def _parsed(arn: str) -> Address:
    try:
        return Address.parse(arn)
    except ValueError as problem:
        reason = str(problem)
    raise ApiError(400, "InvalidArgument", reason)


def _check(name: str, kind: Kind) -> None:
    if not NAME.fullmatch(name):
        raise ApiError(400, "InvalidArgument", f"{name!r} is no name for one of {kind}: letters, digits and hyphens.")
