"""EventBridge, topics and timers on a timeline, with functions that only remember what they were given."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.events import Origin
from tests.localcloud.eventbridge.service import EventBridge
from tests.localcloud.fc.backend import AsyncConfig, Result, Target, TaskRecord
from tests.localcloud.fc.props import EventBridgeConfig
from tests.localcloud.fc.timers import Timers
from tests.localcloud.fc.topics import TopicTriggers
from tests.localcloud.smq.service import Smq
from tests.localcloud.switches import Switches
from tests.localcloud.timeline import Timeline

ACCOUNT = "1510000000000001"
REGION = "cn-hangzhou"
DEAD = f"acs:mns:{REGION}:{ACCOUNT}:/queues/dead/messages"
FUNCTION = Target("f")


@dataclass(frozen=True)
class Invocation:
    """One invocation, as the function saw it."""

    target: Target
    payload: bytes
    asynchronous: bool
    at: datetime

    @property
    def event(self) -> Any:  # noqa: ANN401 - whatever JSON it is
        """The payload as JSON."""
        return json.loads(self.payload)

    @property
    def bodies(self) -> list[str]:
        """The bodies of the messages in it."""
        events = self.event if isinstance(self.event, list) else [self.event]
        return [event.get("data", event)["messageBody"] for event in events]


def succeed(_invocation: Invocation) -> str | None:
    """Let a function end well."""
    return None


@dataclass
class Recorder:
    """A backend that remembers; `respond` returns the error type of a failure, may raise, and may wait."""

    now: Callable[[], datetime]
    respond: Callable[[Invocation], str | None] = succeed
    invocations: list[Invocation] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, target: Target, payload: bytes) -> Result:
        return Result("r", b"{}", self._note(Invocation(target, payload, asynchronous=False, at=self.now())))

    def invoke_async(self, target: Target, payload: bytes, task_id: str | None) -> str:
        self._note(Invocation(target, payload, asynchronous=True, at=self.now()))
        return "r"

    def _note(self, invocation: Invocation) -> str | None:
        with self._lock:
            self.invocations.append(invocation)
        return self.respond(invocation)

    def tasks(self, target: Target) -> Sequence[TaskRecord]:
        raise NotImplementedError

    def task(self, target: Target, task_id: str) -> TaskRecord:
        raise NotImplementedError

    def stop_task(self, target: Target, task_id: str) -> None:
        raise NotImplementedError

    def async_config(self, target: Target) -> AsyncConfig:
        raise NotImplementedError

    def set_async_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        raise NotImplementedError


class World:
    """Everything around the triggers; a queue `work`, a queue `dead` and a topic `news`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.timeline = Timeline(self.clock)
        self.switches = Switches()
        self.smq = Smq(self.clock)
        self.functions = Recorder(self.clock.now)
        origin = Origin(REGION, ACCOUNT)
        source = Random(1)  # noqa: S311 - delays, no secrets
        connections = Connections(
            self.timeline, self.smq, lambda: self.functions, lambda: self.switches, origin, source
        )
        self.eventbridge = EventBridge(connections)
        self.topics = TopicTriggers(connections)
        self.timers = Timers(connections, self.clock)
        self.work = self.smq.create_queue("work")
        self.dead = self.smq.create_queue("dead")
        self.smq.create_topic("news")

    def settle(self) -> list[Invocation]:
        """Wait until nothing is due, and return what the functions were given so far."""
        self.timeline.settle(30)
        return self.functions.invocations


@contextmanager
def running() -> Iterator[World]:
    """Let time pass in a world until the block ends."""
    world = World()
    world.timeline.start()
    try:
        yield world
    finally:
        world.timers.stop()
        world.timeline.stop()


def config(**changes: Any) -> EventBridgeConfig:  # noqa: ANN401 - whatever YAML holds
    """Return a trigger's config as s.yaml has it: a synchronous stream of single messages, unless it says otherwise.

    Keywords are runOptions', except for those of the other parts.
    """
    pattern, bus = changes.pop("pattern", {}), changes.pop("bus", False)
    source: dict[str, Any] = {"QueueName": "work", "IsBase64Decode": changes.pop("decode", False)}
    raw = {
        "triggerEnable": changes.pop("enable", True),
        "asyncInvocationType": changes.pop("asynchronous", False),
        "eventRuleFilterPattern": json.dumps(pattern),
        "eventSourceConfig": {
            "eventSourceType": "Default" if bus else "MNS",
            "eventSourceParameters": {} if bus else {"sourceMNSParameters": source},
        },
        "eventSinkConfig": {
            "deliveryOption": {
                "eventSchema": changes.pop("schema", "CloudEvents"),
                "concurrency": changes.pop("concurrency", 1),
            }
        },
        "runOptions": {"mode": "event-driven" if bus else "event-streaming", **changes},
    }
    return msgspec.convert(raw, EventBridgeConfig)


def fail(invocation: Invocation) -> str | None:
    """Let a function fail."""
    return "UnhandledInvocationError"


def refuse(invocation: Invocation) -> str | None:
    """Let Function Compute refuse."""
    raise ApiError(429, "ResourceThrottled", "no instance")
