"""What a service of the loopback cloud is: named actions on parameters, by a principal, at a time.

The wire (parsing, signatures, RAM, faults) lives elsewhere and is the same for every service; a service is a
state machine that can be read against Alibaba Cloud's documentation without thinking of HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

Json = dict[str, Any]


class ApiError(Exception):
    """A documented refusal: HTTP status, error code, message; rendered by the wire as the service's error body."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:  # noqa: ANN401 - whatever JSON the service adds
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra


class Clock:
    """The cloud's own clock: real time plus a shift, so that "after the lease" needs no sleeping."""

    def __init__(self) -> None:
        self._shift = timedelta()
        self._lock = threading.Lock()
        self._told: list[Callable[[], object]] = []

    @property
    def shifted(self) -> timedelta:
        """How far the cloud's time is ahead of real time."""
        return self._shift

    def now(self) -> datetime:
        """Return the cloud's time, in UTC, with microseconds."""
        return datetime.now(timezone.utc) + self._shift

    def shift(self, seconds: float) -> None:
        """Move the cloud's time forward (or back, if negative) by `seconds`."""
        with self._lock:
            self._shift += timedelta(seconds=seconds)
        for each in list(self._told):
            each()

    def watch(self, told: Callable[[], object]) -> None:
        """Call this after every shift, in the thread that shifts."""
        self._told.append(told)


@dataclass(frozen=True)
class Call:
    """One authenticated call, before authorization."""

    action: str
    params: Mapping[str, str]  # flat, decoded: query and form body together
    region: str
    account_id: str


Handler = Callable[[Call], Json]


@dataclass(frozen=True)
class Action:
    """One action of a service: what it does, and what RAM is asked before it may."""

    handle: Handler
    resources: Callable[[Call], list[str]]  # any one of these ARNs, allowed, is enough (two spellings are documented)
    also: Callable[[Call], list[tuple[str, str]]] = field(default=lambda _call: [])  # further (action, ARN) all needed


class Service(Protocol):
    """A product: its RAM code, its API version, its actions."""

    code: str  # RAM service code: "cloudsso", "kms"
    version: str  # API version: "2021-05-15", "2016-01-20"

    @property
    def actions(self) -> Mapping[str, Action]:
        """What it can do, by name."""


class Store(Protocol):
    """Where services keep their objects: memory, or one SQLite file."""

    def load(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Yield every (id, bytes) of a kind, in insertion order."""

    def save(self, kind: str, key: str, data: bytes) -> None:
        """Write one object through, durably, before the answer leaves."""

    def remove(self, kind: str, key: str) -> None:
        """Forget one object."""
