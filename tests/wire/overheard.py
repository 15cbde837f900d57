"""The rotator as it is deployed, on a cloud where everybody is overheard; and what both searches for leaks share."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, cast

import pytest  # noqa: TC002 - as tests import it

from functions.reset_password import index
from shared import audit, bootstrap, openapi, password
from shared.invocation import Context
from shared.ports import Clock
from tests.deployment import CloudClock, Context312, Deployment
from tests.localcloud.gateway.faults import Kind
from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import LocalCloud
from tests.wire.endings import ECHO, Ending, Stage
from tests.wire.findings import Findings, Mint
from tests.wire.heard import Eavesdropper, Heard
from tests.wire.wiretap import Wiretap

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")  # of LOG_LEVEL
KEY_SECONDS = 36 * 3600.0
DELIVERIES = 4
# Variables of the environment, and values with which it does not make sense.
WRONG = {
    "MAX_PARALLEL": "many",
    "PROTECTED_USER": "misspelt",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
}


class Runtime(Protocol):
    """Where a version of Python's runtime keeps what a function is given."""

    app: bootstrap.App

    def start(self, clock: Clock) -> bootstrap.App:
        """Return the function as it starts by this clock."""

    def give(self, credentials: Credentials) -> Context:
        """Return the context of an invocation with these credentials."""


class Runtime310:
    """The context has the credentials."""

    def __init__(self, deployed: Deployment) -> None:
        self.app = deployed.app
        self._context, self._environ = deployed.context, deployed.environ

    def start(self, clock: Clock) -> bootstrap.App:
        return bootstrap.start(index.RULES, self._context, self._environ, clock)

    def give(self, credentials: Credentials) -> Context:
        return replace(self._context, credentials=credentials)


class Runtime312:
    """The environment has the credentials, next to the settings."""

    def __init__(self, deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        self._deployed, self._monkeypatch = deployed, monkeypatch
        for name, value in deployed.environ.items():
            monkeypatch.setenv(name, value)
        self.app = self.start(CloudClock(deployed.cloud))

    def start(self, clock: Clock) -> bootstrap.App:
        return bootstrap.start(index.RULES, Context312(), clock=clock)

    def give(self, credentials: Credentials) -> Context:
        for name, value in self._deployed.credentials_environment(credentials).items():
            self._monkeypatch.setenv(name, value)
        return Context312()


class BreakingClock(CloudClock):
    """A clock whose nth reading raises something that no program foresees, with a secret in its text."""

    def __init__(self, cloud: LocalCloud, nth: int) -> None:
        super().__init__(cloud)
        self.left = nth

    def now(self) -> datetime:
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError(ECHO)
        return super().now()


@contextmanager
def patience(monkeypatch: pytest.MonkeyPatch, kind: Kind, *started: bootstrap.App) -> Iterator[None]:
    """Wait less long for an answer that will never come: functions yet to be started, and those that have."""
    with monkeypatch.context() as changed:
        if kind == "hang":
            changed.setattr(openapi, "READ_TIMEOUT", openapi.READ_TIMEOUT / 50)
            for client in (client for app in started for client in _clients(app)):
                changed.setattr(client, "_read_timeout", client._read_timeout / 50)
        yield


def _clients(app: bootstrap.App) -> tuple[Any, ...]:
    directory, store = cast("Any", app.rotator.directory), cast("Any", app.rotator.store)
    return (directory._reads, directory._resets, store._client)


@dataclass(frozen=True)
class Manner:
    """How an invocation is run."""

    staged: bool
    level: str = "DEBUG"
    runtime: int = 0  # of the two


class OverheardRotator:
    """The function that rotates; each scenario has a user and credentials of its own."""

    def __init__(
        self, cloud: LocalCloud, tap: Wiretap, console: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.mint = Mint()
        self.findings = Findings(self.mint)
        self.deployed = Deployment(cloud)
        self.runtimes: list[Runtime] = [Runtime310(self.deployed), Runtime312(self.deployed, monkeypatch)]
        self._role = self.deployed.cloud.ram.find(self.deployed.credentials.access_key_id)
        self._eavesdropper = Eavesdropper(console, tap, frozenset({cloud.admin.access_key_id}))
        self._users = itertools.count(1)
        self.monkeypatch = monkeypatch
        cloud.cloudsso.generate = self.mint.generated
        monkeypatch.setattr(password, "generate", self.mint.staged)
        monkeypatch.setattr(index, "_instance", {})

    def stage(self, manner: Manner) -> Stage:
        """Return a new user and what is to be done to it."""
        name = f"user{next(self._users)}"
        self.deployed.user_ids[name] = self.deployed.cloud.cloudsso.add_user(name)
        return Stage(self.deployed, name, manner.staged, lambda event: self.hear(event, manner))

    def hear(self, event: object, manner: Manner, app: bootstrap.App | None = None) -> Heard:
        """Invoke the function, with fresh credentials, and hear what it says."""
        runtime = self.runtimes[manner.runtime]
        context = runtime.give(self.fresh_credentials())
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        audit.configure(manner.level)
        index._instance["app"] = app or runtime.app
        return self.overhear(f"{event!r}, {manner}", lambda: index.handler(raw, context))

    def overhear(self, name: str, act: Callable[[], object]) -> Heard:
        """Hear what anything says, and search it."""
        return self.findings.search(name, self._eavesdropper.hear(act))

    def start(self, name: str, value: str) -> Heard:
        """Start an instance of the Python 3.12 runtime with another value of a variable, and let it serve a request."""
        context = self.runtimes[1].give(self.fresh_credentials())
        with self.monkeypatch.context() as changed:
            changed.setenv(name, value)
            changed.setattr(index, "_instance", {})
            return self.overhear(name, lambda: index.handler(b'{"UserName": "nobody"}', context))

    def end(self, ending: Ending, manner: Manner) -> Heard:
        """Run a scenario to its end."""
        heard = self.hear(ending.arrange(self.stage(manner)), manner)
        self.clear()
        return heard

    def deliver(self, event: object, manner: Manner) -> None:
        """Invoke the function until it succeeds, as a queue would."""
        for _ in range(DELIVERIES):
            if self.hear(event, manner).error is None:
                return
            self.deployed.later(120)
        message = "it was delivered often enough"
        raise AssertionError(message)

    def clear(self) -> None:
        """Lift what was armed, and let everything land that is on its way; the next scenario has another user."""
        self.deployed.cloud.faults.clear()
        self.deployed.cloud.release_late()

    def fresh_credentials(self) -> Credentials:
        """Return credentials of the function's role, as each invocation gets them."""
        assert self._role is not None
        fresh = self.deployed.cloud.ram.issue(self._role.role, expires_in=KEY_SECONDS)
        self.findings.know(fresh)
        return fresh
