"""HTTP triggers: each answers on a port of its own, as each has a domain of its own in reality.

Sources: "Configure an HTTP trigger" and "HTTP triggers overview" pages of FC 3.0; see http_signature.py and
http_events.py. Who invokes needs fc:InvokeFunction for the function: that is inferred, no page says it of HTTP
triggers. "Disable Internet URL" leaves only the internal address, which this cloud does not have: the port stands for
the public one, and refuses everything then. A method that the trigger does not list is 403 ("HTTP functions:
troubleshooting" page).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.localcloud.api import ApiError
from tests.localcloud.fc import http_events
from tests.localcloud.fc.api3 import TASK_ID
from tests.localcloud.fc.backend import UNHANDLED, Backend, Target
from tests.localcloud.fc.entrance import Entrance
from tests.localcloud.fc.http_events import Domain
from tests.localcloud.fc.http_signature import HttpVerifier
from tests.localcloud.fc.invocation import Invocation, check_size
from tests.localcloud.fc.operation import Api, Operation, Place, Route
from tests.localcloud.fc.props import HttpConfig
from tests.localcloud.gateway.flights import Counted
from tests.localcloud.gateway.listener import Listener
from tests.localcloud.gateway.wire import Answer, HttpRequest
from tests.localcloud.ram.service import Key
from tests.localcloud.timeline import Timeline

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.localcloud.fc.platform import Functions

_PREFIX_LETTERS = 10


class _AnyPath(Route):
    """The one route of a trigger: whatever is asked for, the function is invoked."""

    def names(self, request: HttpRequest) -> dict[str, str]:
        """See Route."""
        return {}


class _Trigger:
    """One trigger as an API (operation.Api): whoever may, invokes the function with the request."""

    version = "2023-03-30"

    def __init__(self, target: Target, name: str, functions: Functions, verifier: HttpVerifier) -> None:
        self.config: HttpConfig | None = None  # None: it was removed
        self._target = target
        self._name = name
        self._functions = functions
        self._verifier = verifier
        self.domain = Domain(_prefix(target, name), functions.place.region, functions.place.account_id)
        self.routes: Sequence[Route] = (_AnyPath("InvokeFunction", "", re.compile(""), self._read),)

    def verify(self, request: HttpRequest) -> Key:
        """See Api; the order of the refusals is a guess."""
        self._config()
        http_events.check_limits(request)
        return self._verifier.verify(request)

    def described(self, request: HttpRequest, names: Mapping[str, str]) -> dict[str, str]:
        """See Api."""
        return {"FunctionName": self._target.function, "TriggerName": self._name, "Method": request.method}

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        """See Api; the form is that of the API, the type that of the "HTTP functions: troubleshooting" page."""
        body = {"RequestId": request_id, "Code": refusal.code, "Message": refusal.message, **refusal.extra}
        kind = UNHANDLED if refusal.code == "BadResponse" else "FcCommonError"
        added = {**http_events.always(request_id), "x-fc-error-type": kind, **headers}
        return Answer(refusal.status, json.dumps(body).encode(), refusal.code, added)

    def _config(self) -> HttpConfig:
        config = self.config
        if config is None:
            message = f"trigger '{self._name}' of function '{self._target.function}' does not exist."
            raise ApiError(404, "TriggerNotFound", message)
        if config.disable_url_internet:
            raise ApiError(403, "AccessDenied", "access denied due to function internet URL is disabled")
        return config

    def _read(self, request: HttpRequest, _names: Mapping[str, str], _place: Place) -> Operation:
        if request.method not in self._config().methods:
            message = f"HTTP method '{request.method}' is not allowed by trigger '{self._name}'"
            raise ApiError(403, "AccessDenied", message)  # a guess: the code
        now = self._functions.now()
        request_id = http_events.new_request_id(now)
        payload = http_events.event_of(request, self.domain, request_id, now)
        invocation = Invocation.of(self._target, request.headers, payload, TASK_ID)
        if invocation.asynchronous:
            return Operation(self._target, invocation.carry_out)

        def carry_out(_backend: Backend) -> Answer:
            check_size(payload, asynchronous=False)
            result = self._functions.run(self._target, payload, request_id, 0)
            return http_events.answer_of(result, request.headers.get("origin"))

        return Operation(self._target, carry_out)


class _Joined:
    """What came twice among the headers is one, with commas between: so it is in the event."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = http_events.joined(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        )
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._app({**scope, "headers": encoded}, receive, send)


@dataclass(frozen=True)
class _Served:
    """A trigger and its port."""

    trigger: _Trigger
    listener: Listener

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.listener.endpoints[0]}"


class HttpTriggers:
    """The HTTP triggers of one account; one that is deployed anew keeps its address, as in reality."""

    def __init__(
        self,
        functions: Functions,
        timeline: Timeline,
        verifier: HttpVerifier,
        entrance: Callable[[Api, Callable[[], str]], Entrance],
    ) -> None:
        self._functions = functions
        self._timeline = timeline
        self._verifier = verifier
        self._entrance = entrance
        self._served: dict[tuple[str, str], _Served] = {}

    def deploy(self, target: Target, name: str, config: HttpConfig) -> None:
        """Create a function's trigger, or change it."""
        served = self._served.get((target.function, name))
        if served is None:
            served = self._served[target.function, name] = self._serve(
                _Trigger(target, name, self._functions, self._verifier)
            )
        served.trigger.config = config

    def remove(self, target: Target, name: str) -> None:
        """Remove a trigger: who asks at its address is told that there is none."""
        self._served[target.function, name].trigger.config = None

    def url(self, function: str, trigger: str) -> str:
        """Return where a trigger answers: "http://127.0.0.1:PORT"; a path begins with the slash that follows."""
        served = self._served.get((function, trigger))
        if served is None or served.trigger.config is None:
            raise ApiError(404, "TriggerNotFound", f"trigger '{trigger}' of function '{function}' does not exist.")
        return served.url

    def urls(self) -> dict[tuple[str, str], str]:
        """Return where every trigger answers, by its function's name and its own."""
        return {key: served.url for key, served in self._served.items() if served.trigger.config is not None}

    def stop(self) -> None:
        """Give the ports back."""
        for served in self._served.values():
            served.listener.stop()
        self._served.clear()

    def _serve(self, trigger: _Trigger) -> _Served:
        entrance = self._entrance(trigger, lambda: listener.endpoints[0])
        listener = Listener(_Joined(Counted(entrance, self._timeline.busy)), 0, None)
        listener.start()
        return _Served(trigger, listener)


def _prefix(target: Target, name: str) -> str:
    """Return what a trigger's domain begins with: the function's name and ten letters, the same every time."""
    digest = hashlib.sha256(f"{target.function}/{name}".encode()).digest()
    letters = "".join(chr(ord("a") + byte % 26) for byte in digest[:_PREFIX_LETTERS])
    return f"{target.function.replace('_', '-').lower()}-{letters}"
