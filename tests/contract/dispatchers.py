"""The Dispatcher port in its three worlds: what a test may do to each of them, and look at, from outside the port."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared import connections, dispatch
from shared.errors import DispatchDenied, DispatchRefused, DispatchUnavailable
from shared.model import Endpoint, RotationTarget
from shared.ports import Dispatcher
from tests.contract.directories import credentials_of
from tests.deployment import CloudClock
from tests.fakes import FakeClock, FakeDispatcher
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import FC_REGION, LocalCloud
from tests.loopback.fc_stub import StubBackend

FC3 = RotationTarget("rotator", "prod")
FC2 = RotationTarget("reset", "prod", "rotator")
INVOKE = "InvokeFunction"


@dataclass(frozen=True)
class HandedOn:
    """A rotation that the rotating function will be asked for."""

    task_id: str
    event: dict[str, Any]


class DispatcherWorld(Protocol):
    """A dispatcher, and the hands and eyes of the account's administrator."""

    @property
    def dispatcher(self) -> Dispatcher:
        """The port."""

    def now(self) -> datetime:
        """Return the present instant by the clock that the port goes by."""

    def handed_on(self) -> list[HandedOn]:
        """Return what was accepted, in its order."""

    def lose_answer(self) -> None:
        """Let the next dispatch be accepted and its answer be lost for good."""

    def shut_down(self) -> None:
        """Let the next dispatch be refused because the service has no time for it, however often it is tried."""

    def deny(self) -> None:
        """Let the next dispatch be refused because the caller may not."""

    def remove_function(self) -> None:
        """Delete the rotating function."""


class FakeDispatcherWorld:
    """The fake, which the scan's tests trust."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._fake = FakeDispatcher()

    @property
    def dispatcher(self) -> Dispatcher:
        return self._fake

    def now(self) -> datetime:
        return self._clock.now()

    def handed_on(self) -> list[HandedOn]:
        sent = self._fake.accepted.items()
        return [HandedOn(task_id, json.loads(dispatch.event_of(request))) for task_id, request in sent]

    def lose_answer(self) -> None:
        self._fake.faults.lose.add(self._next())

    def shut_down(self) -> None:
        self._fake.faults.refuse[self._next()] = DispatchUnavailable("throttled", unchanged="It was not handed on.")

    def deny(self) -> None:
        self._fake.faults.refuse[self._next()] = DispatchDenied("no permission")

    def remove_function(self) -> None:
        self._fake.faults.refuse[self._next()] = DispatchRefused("no such function")

    def _next(self) -> tuple[str, int]:
        return "dispatch", self._fake.faults.calls["dispatch"] + 1


class CloudDispatcherWorld:
    """An adapter on the loopback cloud, with a role that may invoke the one function and nothing else."""

    def __init__(self, cloud: LocalCloud, target: RotationTarget) -> None:
        self.cloud = cloud
        self.target = target
        self.clock = CloudClock(cloud)
        self.function = Target(target.name, target.qualifier or "LATEST", target.service)
        self.backend = cloud.fc.backend = StubBackend({self.function})
        self.credentials = cloud.role("dispatching", may_invoke(self.function, cloud))
        self._dispatcher = self.made()

    def made(self, endpoint: str | None = None) -> Dispatcher:
        """Return a new dispatcher, to another endpoint if one is given."""
        where = Endpoint(endpoint or self.cloud.endpoint, "HTTP")
        who = credentials_of(self.credentials)
        return dispatch.dispatcher(self.target, where, FC_REGION, who, self.clock)

    @property
    def dispatcher(self) -> Dispatcher:
        return self._dispatcher

    def now(self) -> datetime:
        return self.clock.now()

    def handed_on(self) -> list[HandedOn]:
        return [HandedOn(task.task_id, json.loads(task.payload)) for task in self.backend.accepted]

    def lose_answer(self) -> None:
        # So late that it is not tried again.
        self.cloud.faults.arm(Fault(INVOKE, "drop-after"))
        self.after_the_next(lambda: self.cloud.clock.shift(connections.UNHURRIED.total_seconds()))

    def shut_down(self) -> None:
        self.cloud.faults.arm(Fault(INVOKE, "throttle", count=100))

    def deny(self) -> None:
        self.cloud.faults.arm(Fault(INVOKE, "error", status=403, code="AccessDenied"))

    def remove_function(self) -> None:
        self.backend.functions.clear()

    def after_the_next(self, hook: Callable[[], object]) -> None:
        """Call `hook` once the next try was carried out, before its answer leaves."""
        self.cloud.faults.after(INVOKE, hook)

    def tries(self) -> int:
        """Count the calls that arrived."""
        return self.cloud.calls.count(INVOKE)


def may_invoke(function: Target, cloud: LocalCloud) -> dict[str, Any]:
    """Return the policy that a dispatching function needs."""
    statement = {"Effect": "Allow", "Action": "fc:InvokeFunction", "Resource": cloud.fc.place.arn(function)}
    return {"Version": "1", "Statement": [statement]}
