"""Calling a service of the loopback cloud without HTTP: what the tests of the services speak through."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

import pytest

from tests.localcloud.api import ApiError, Call, Json, Service
from tests.localcloud.state import MemoryStore
from tests.localcloud.switches import Switches

REGION = "cn-shanghai"
ACCOUNT = "1512666876910000"


class Switchboard:
    """Switches that a test turns while the service runs."""

    def __init__(self) -> None:
        self._readings = Switches()

    def __call__(self) -> Switches:
        return self._readings

    def turn(self, **readings: str | bool) -> None:
        """Put other readings in force."""
        fields: Json = {**dataclasses.asdict(self._readings), **readings}
        self._readings = Switches(**fields)


class SlowStore(MemoryStore):
    """A store that gives way to other threads before it writes: what is not kept apart by a lock goes wrong."""

    def save(self, kind: str, key: str, data: bytes) -> None:
        """Write one object, a moment later."""
        time.sleep(0.001)
        super().save(kind, key, data)


def all_at_once(count: int, work: Callable[[int], None]) -> None:
    """Do numbered work in as many threads, and wait for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def call_of(action: str, params: dict[str, str]) -> Call:
    """Return a call as the wire would hand it over."""
    return Call(action, params, REGION, ACCOUNT)


class Caller:
    """A caller of one service; parameters that every call needs are given once."""

    def __init__(self, service: Service, **always: str) -> None:
        self._service = service
        self._always = always

    def __call__(self, action: str, /, **params: str) -> Json:
        """Make a call and return its answer."""
        return self._service.actions[action].handle(call_of(action, {**self._always, **params}))

    def refused(self, action: str, /, **params: str) -> str:
        """Make a call that must be refused and return its "status code"."""
        with pytest.raises(ApiError) as caught:
            self(action, **params)
        return f"{caught.value.status} {caught.value.code}"

    def resources(self, action: str, /, **params: str) -> list[str]:
        """Return the ARNs of which one must be allowed."""
        return self._service.actions[action].resources(call_of(action, {**self._always, **params}))

    def also(self, action: str, /, **params: str) -> list[tuple[str, str]]:
        """Return the further permissions that a call needs."""
        return self._service.actions[action].also(call_of(action, {**self._always, **params}))
