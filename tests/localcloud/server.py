"""The loopback cloud as one object: a context manager for tests, the engine of `python -m tests.localcloud`."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

from starlette.applications import Starlette
from starlette.routing import Route

from tests.localcloud.api import Clock
from tests.localcloud.cloudsso.passwords import SignIn
from tests.localcloud.cloudsso.service import CloudSSO
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.events import Origin
from tests.localcloud.eventbridge.service import EventBridge
from tests.localcloud.fc.api2 import Api2
from tests.localcloud.fc.api3 import Api3
from tests.localcloud.fc.deploy import Deployer, Policies
from tests.localcloud.fc.entrance import Entrance
from tests.localcloud.fc.http_signature import HttpVerifier
from tests.localcloud.fc.http_triggers import HttpTriggers
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.operation import Api, Place
from tests.localcloud.fc.platform import Functions
from tests.localcloud.fc.signature import Fc2Verifier
from tests.localcloud.fc.timers import Timers
from tests.localcloud.gateway.app import Gateway, Product
from tests.localcloud.gateway.calls import Calls
from tests.localcloud.gateway.control import control_mount, new_token
from tests.localcloud.gateway.faults import Faults
from tests.localcloud.gateway.flights import Counted
from tests.localcloud.gateway.listener import Listener
from tests.localcloud.gateway.tls import server_context
from tests.localcloud.kms.service import Kms
from tests.localcloud.ram.service import Credentials, Ram
from tests.localcloud.smq.service import Smq
from tests.localcloud.state import CallStore, MemoryStore
from tests.localcloud.switches import Switches
from tests.localcloud.timeline import Timeline

if TYPE_CHECKING:
    from starlette.types import ASGIApp

ACCOUNT_ID = "1510000000000001"
DIRECTORY_REGION = "cn-shanghai"
KMS_REGION = "cn-hangzhou"
FC_REGION = "cn-hangzhou"
TOKEN_SECONDS = 36 * 3600.0  # longer than any test or demo; Ram.expire() ends a key earlier
_SEED = 2026
ADMIN_POLICY = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class CloudDefectError(Exception):
    """The cloud itself, or a hook a test gave it, failed while it ran; what the clients saw then proves nothing."""


@final
class LocalCloud:
    """CloudSSO, KMS, RAM and Function Compute of one account on 127.0.0.1, for the unmodified official SDKs.

    `with LocalCloud() as cloud:` serves until the block ends. `cloud.endpoint` is what an SDK's Config(endpoint=...)
    takes, with protocol="HTTP"; `cloud.tls_endpoint` (with tls=True) is for clients that insist on HTTPS.
    `cloud.deploy` runs what an s.yaml declares; `cloud.fc` has the functions and the URLs of their HTTP triggers, and
    `cloud.smq`, `cloud.eventbridge` and `cloud.timers` what feeds them. With skip_waiting=True nobody waits in real
    time for retries, leases and time-outs.
    `middleware` is ASGI middleware, for a test that looks at what clients send.
    """

    def __init__(  # noqa: PLR0913 - everything by which a cloud can differ from another; none is needed
        self,
        *,
        port: int = 0,
        tls: bool = False,
        store: CallStore | None = None,
        switches: Switches | None = None,
        skip_waiting: bool = False,
        middleware: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        self.clock = Clock()
        self.timeline = Timeline(self.clock, skip=skip_waiting)
        self.switches = switches or Switches()
        self.control_token = new_token()
        self._store = store or MemoryStore()
        self._port = port
        self._tls = tls
        self._middleware = middleware
        self.cloudsso = CloudSSO(self.clock, lambda: self.switches, self._store, region=DIRECTORY_REGION)
        self.kms = Kms(self.clock, lambda: self.switches, self._store)
        self.ram = Ram()
        products = [Product(self.cloudsso, DIRECTORY_REGION), Product(self.kms, KMS_REGION)]
        self._gateway = Gateway(products, self.ram, self._store, self._cloud_time)
        if skip_waiting:
            self._gateway.later = self.timeline.after  # a late call must land before a lease that is skipped ends
        place = Place(FC_REGION, ACCOUNT_ID)
        self.fc = Functions(place, self.ram, self.clock, self.timeline, lambda: self.switches.async_retry_delay)
        self.smq = Smq(self.clock)
        self.fc.send_messages_to(self.smq)
        self.random = random.Random(_SEED)  # noqa: S311 - the delays of retries; seed it for others
        around = Connections(
            self.timeline,
            self.smq,
            lambda: self.fc.backend,
            lambda: self.switches,
            Origin(FC_REGION, ACCOUNT_ID),
            self.random,
        )
        self.eventbridge = EventBridge(around)
        self.timers = Timers(around, self.clock)
        self.fc.fire = self.timers.fire
        self.http = HttpTriggers(
            self.fc, self.timeline, HttpVerifier(self.ram, time.time, self._cloud_time), self._trigger_entrance
        )
        self.fc.url = self.http.url
        self.deployer = Deployer(self.fc, around, self.eventbridge, self.timers, self.http)
        self.admin = self.role("admin", ADMIN_POLICY)

    def __enter__(self) -> LocalCloud:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        defects = [*self._gateway.defects, *self.timeline.defects]
        if defects and kind is None:
            raise CloudDefectError("; ".join(defects))

    @property
    def faults(self) -> Faults:
        """What is armed."""
        return self._gateway.faults

    @property
    def calls(self) -> Calls:
        """What was called."""
        return self._gateway.calls

    @property
    def endpoint(self) -> str:
        """The plain HTTP endpoint, "127.0.0.1:PORT"."""
        return self._listener.endpoints[0]

    @property
    def tls_endpoint(self) -> str:
        """The HTTPS endpoint; there is one only if it was asked for."""
        if not self._tls:
            msg = "this cloud has no TLS endpoint; make it with LocalCloud(tls=True)"
            raise ValueError(msg)
        return self._listener.endpoints[1]

    def start(self) -> None:
        """Bind the ports and serve."""
        routes = [
            control_mount(self, self.control_token),
            Route("/2023-03-30/{path:path}", self._entrance(Api3(self._gateway.verifier))),
            Route("/2016-08-15/{path:path}", self._entrance(Api2(Fc2Verifier(self.ram, time.time, self._cloud_time)))),
            Route("/{path:path}", Counted(self._gateway, self.timeline.busy)),
        ]
        served = self._middleware(Starlette(routes=routes))
        self._listener = Listener(served, self._port, server_context() if self._tls else None)
        self._gateway.hosts = frozenset(self._listener.endpoints)
        self._listener.start()
        self.fc.start(self._listener.turn)
        self.timeline.start()

    def stop(self) -> None:
        """End what runs, drop every connection, give the ports back, close the store."""
        with contextlib.ExitStack() as undo:  # each is tried, whatever becomes of those before it
            stops = (self._store.close, self._listener.stop, self.http.stop, self.timeline.stop, self.fc.stop)
            for stop in (*stops, self.timers.stop):
                undo.callback(stop)

    def role(self, name: str, *documents: Mapping[str, Any], expires_in: float | None = TOKEN_SECONDS) -> Credentials:
        """Create a role from policy documents, and issue a key for it: temporary, as a function's always are."""
        return self.ram.issue(self.ram.role(name, ACCOUNT_ID, *documents), expires_in=expires_in)

    def deploy(
        self, path: Path, environ: Mapping[str, str], policies: Policies, *, code: Path | None = None
    ) -> Manifest:
        """Deploy what an s.yaml declares: functions with their roles, and their triggers.

        `environ` is what the manifest's env() sees; `policies` are the documents of each role, by its name. Queues and
        topics must be there: `Manifest.queues()` and `topics()` tell which. `code` stands in for the code that the
        manifest names, where that is for a Python that is not this one.
        """
        manifest = Manifest.read(path, environ, ACCOUNT_ID)
        if code is not None:
            manifest = manifest.running(code)
        self.deployer.deploy(manifest, policies)
        return manifest

    def let_pass(self, seconds: float, *, within: float = 120) -> None:
        """Let time pass: every timer fires at its own instant, and what follows from it is over before the next one.

        `clock.shift` leaps instead: all that was missed happens at once, after the leap. `within` bounds it in real
        time, which is short only where waiting is skipped.
        """
        with self.timeline.busy():
            until = self.clock.now() + timedelta(seconds=seconds)
            self.timers.enter(until)
            self.timeline.at(until, _nothing)
        self.timeline.settle(within)

    def sign_in(self, user_name: str, password: str) -> SignIn:
        """Try a password at the user portal: the proof that it is the live one."""
        with self._gateway.lock:
            return self.cloudsso.sign_in(user_name, password)

    def change_password(self, user_name: str, old: str, new: str) -> SignIn:
        """Change a user's own password at the user portal."""
        with self._gateway.lock:
            return self.cloudsso.change_password(user_name, old, new)

    def release_late(self) -> int:
        """Let the effects of every late call happen; return how many there were."""
        return self._gateway.late.release()

    def _entrance(self, api: Api) -> Counted:
        return Counted(Entrance(api, self.fc, self._gateway, lambda: self.switches), self.timeline.busy)

    def _trigger_entrance(self, api: Api, host: Callable[[], str]) -> Entrance:
        return Entrance(api, self.fc, self._gateway, lambda: self.switches, host)

    def _cloud_time(self) -> float:
        return self.clock.now().timestamp()


def _nothing() -> None:
    """Happen, and no more."""
