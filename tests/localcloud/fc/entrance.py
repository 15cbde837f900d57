"""Where calls of Function Compute's APIs come in: authentication, faults, authorization, in the gateway's own order.

A synchronous invocation takes as long as the function, which calls the cloud meanwhile: each runs in a thread of its
own, neither on the event loop nor under the gateway's lock.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import TaskExistsError
from tests.localcloud.fc.operation import Api, Operation, Route, internal_error, path_not_supported
from tests.localcloud.fc.service import FunctionCompute
from tests.localcloud.gateway import wire
from tests.localcloud.gateway.app import Gateway
from tests.localcloud.gateway.calls import CallRecord
from tests.localcloud.gateway.exchange import Exchange
from tests.localcloud.gateway.struck import StruckCall
from tests.localcloud.gateway.wire import Answer
from tests.localcloud.parameters import refusal as refusal_of
from tests.localcloud.ram.service import Key
from tests.localcloud.switches import Switches

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Entrance:
    """The ASGI application of one version of the API; `host` is where it is served, if not at the gateway's."""

    def __init__(
        self,
        api: Api,
        service: FunctionCompute,
        gateway: Gateway,
        switches: Callable[[], Switches],
        host: Callable[[], str] | None = None,
    ) -> None:
        self.api = api
        self.service = service
        self.gateway = gateway
        self.switches = switches
        self.host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            exchange = await Exchange.open(scope, receive, send)
        except ClientDisconnect:
            return  # half a request is none
        route, names = self._recognised(exchange)
        try:
            record = self._noted(exchange, route, names)
        except ApiError as refusal:  # its query is no text
            await exchange.answer(self.api.refused(refusal, wire.new_request_id(), {}))
            return
        try:
            work = self._admitted(exchange, record, route, names)
        except ApiError as refusal:
            self.gateway.calls.update(record, status=refusal.status, code=refusal.code)
            answer = self.api.refused(refusal, record.request_id, {})
        else:
            await StruckCall(self.gateway, exchange, record, work).run()
            return
        await exchange.answer(answer)

    def _check_host(self, host: str) -> None:
        if self.host is None:
            self.gateway.check_host(host)
        elif host != self.host():
            raise ApiError(404, "DomainNameNotFound", f"domain name '{host}' does not exist")  # FC error code pages

    def _recognised(self, exchange: Exchange) -> tuple[Route | None, dict[str, str]]:
        for route in self.api.routes:
            names = route.names(exchange.request)
            if names is not None:
                return route, names
        return None, {}

    def _noted(self, exchange: Exchange, route: Route | None, names: Mapping[str, str]) -> CallRecord:
        action = route.action if route else ""
        in_url = tuple(name for name, _ in exchange.request.query)
        params = self.api.described(exchange.request, names)
        return self.gateway.calls.add(CallRecord(wire.new_request_id(), self.api.version, action, params, in_url))

    def _admitted(
        self, exchange: Exchange, record: CallRecord, route: Route | None, names: Mapping[str, str]
    ) -> _FunctionCall:
        request = exchange.request
        self._check_host(request.headers.get("host", ""))
        key = self.api.verify(request)
        self.gateway.calls.update(record, role=key.role.name)
        if route is None:
            raise path_not_supported(request)
        operation = route.read(request, names, self.service.place)
        return _FunctionCall(self, exchange, key, route.action, record.params, operation)


@dataclass(frozen=True)
class _FunctionCall:
    """One admitted call (struck.Work)."""

    entrance: Entrance
    exchange: Exchange
    key: Key
    name: str
    params: Mapping[str, str]
    operation: Operation
    service: str = "fc"

    async def apply(self, record: CallRecord) -> Answer:
        """Do it in a thread. A client that goes does not end it, but nobody waits for the answer any more."""
        applied = asyncio.wrap_future(_in_own_thread(lambda: self.apply_late(record)))
        gone = asyncio.ensure_future(self.exchange.until_gone())
        first: set[asyncio.Future[Any]] = {applied, gone}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not applied.done():
            applied.cancel()  # to wait for it, that is; the thread goes on
            raise ClientDisconnect
        return applied.result()

    def apply_late(self, record: CallRecord) -> Answer:
        gateway = self.entrance.gateway
        try:
            with gateway.lock:
                resources = self.operation.resources(self.entrance.service.place)
                gateway.ram.authorize(self.key, self.service, self.name, resources)
            answer = self.operation.carry_out(self.entrance.service.backend)
        except ApiError as refusal:
            return self.refused(refusal, record.request_id, {})
        except Exception as defect:  # noqa: BLE001 - a defect of the cloud itself: answered as one, raised at its end
            gateway.defect(defect)
            return self.refused(internal_error(), record.request_id, {})
        request_id = answer.headers.get("x-fc-request-id", record.request_id)
        gateway.calls.update(record, applied=True, request_id=request_id)
        return answer

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        spelt = refusal
        if isinstance(refusal, TaskExistsError):
            spelt = refusal_of(self.entrance.switches().task_exists, refusal.message)
        return self.entrance.api.refused(spelt, request_id, headers)


def _in_own_thread(do: Callable[[], Answer]) -> Future[Answer]:
    """Run what always answers in a thread of its own: any number may be at work, and none keeps the process up."""
    future: Future[Answer] = Future()

    future.set_running_or_notify_cancel()  # before the thread: nobody can cancel it, however soon the client goes

    def run() -> None:
        future.set_result(do())

    held = contextvars.copy_context()  # what the task holds busy, the thread may lift while a function runs
    threading.Thread(target=held.run, args=(run,), name="function call", daemon=True).start()
    return future
