"""The gateway: from bytes to a call of a service and back, with authentication, faults, authorization in that order."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from tests.localcloud.api import Action, ApiError, Call, Service
from tests.localcloud.gateway import effects, wire
from tests.localcloud.gateway.calls import CallRecord, Calls
from tests.localcloud.gateway.exchange import Exchange
from tests.localcloud.gateway.faults import Faults, Hook, Strike
from tests.localcloud.gateway.late import LateCalls
from tests.localcloud.gateway.signature import Verifier
from tests.localcloud.gateway.wire import Answer
from tests.localcloud.ram.service import Key, Ram
from tests.localcloud.state import CallStore

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Product:
    """A service as the gateway offers it."""

    service: Service
    region: str


@dataclass(frozen=True)
class Admitted:
    """A call whose signature was right, of an action that exists."""

    key: Key
    product: Product
    name: str
    action: Action
    call: Call


class Gateway:
    """The ASGI application of all products; which one a request is for, its API version says."""

    def __init__(self, products: Iterable[Product], ram: Ram, store: CallStore) -> None:
        self.hosts: Collection[str] = ()  # the endpoints, once they are known
        self.ram = ram
        self.faults = Faults()
        self.calls = Calls()
        self.late = LateCalls()
        self.defects: list[str] = []
        self.lock = threading.RLock()  # services are plain state machines: one call at a time, from whichever thread
        self._products = {product.service.version: product for product in products}
        self._verifier = Verifier(ram)
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            exchange = await Exchange.open(scope, receive, send)
        except ClientDisconnect:
            return  # half a request is none
        request_id = wire.new_request_id()
        try:
            record = self.calls.open(exchange.request, request_id)
            admitted = self._admit(exchange, record)
        except ApiError as refusal:
            host = exchange.request.headers.get("host", "")
            answer = wire.refused(refusal, request_id, host)
        else:
            await _StruckCall(self, exchange, record, admitted).run()
            return
        await exchange.answer(answer)

    def apply(self, admitted: Admitted, record: CallRecord, host: str) -> Answer:
        """Authorize a call and let the service do it; what it wrote is durable when this returns."""
        with self.lock:
            try:
                with self._store.transaction():
                    self._authorize(admitted)
                    result = admitted.action.handle(admitted.call)
            except ApiError as refusal:
                return wire.refused(refusal, record.request_id, host)
            except Exception as defect:  # noqa: BLE001 - a defect of the cloud itself: answered as one, raised at its end
                return wire.refused(self.defect(defect), record.request_id, host)
            self.calls.update(record, applied=True)
            return wire.answered(result, record.request_id)

    def defect(self, error: Exception) -> ApiError:
        """Note where the cloud itself (or a test's hook) failed: never the message, which may quote a value."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        self.defects.append(f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}")
        return ApiError(500, "InternalFailure", "Internal Failure")  # KMS: common error codes

    def _admit(self, exchange: Exchange, record: CallRecord) -> Admitted:
        try:
            return self._admitted(exchange, record)
        except ApiError as refusal:
            self.calls.update(record, status=refusal.status, code=refusal.code)
            raise

    def _admitted(self, exchange: Exchange, record: CallRecord) -> Admitted:
        request = exchange.request
        self._check_host(request.headers.get("host", ""))
        wire.check_form(request, self._products)
        key = self._verifier.verify(request)
        self.calls.update(record, role=key.role.name)
        product = self._products[request.version]
        action = product.service.actions.get(request.action)
        if action is None:
            raise wire.no_such_action()
        call = Call(request.action, request.params, product.region, key.role.account_id)
        return Admitted(key, product, request.action, action, call)

    def _check_host(self, host: str) -> None:
        """Hold the client to the literal endpoint, which is what it signs: a scheme or path in it is a client's bug."""
        if host not in self.hosts:
            message = f"The host is not an endpoint of this cloud: {', '.join(sorted(self.hosts))}."
            raise ApiError(404, "InvalidHost.NotFound", message)  # this cloud's own: elsewhere it would be another site

    def _authorize(self, admitted: Admitted) -> None:
        action, call = admitted.action, admitted.call
        service = admitted.product.service.code
        self.ram.authorize(admitted.key, service, admitted.name, action.resources(call), action.also(call))


class _StruckCall:
    """One admitted call on its way, as the effects of faults see it (effects.Struck)."""

    def __init__(self, gateway: Gateway, exchange: Exchange, record: CallRecord, admitted: Admitted) -> None:
        self.service = admitted.product.service.code
        self._gateway = gateway
        self._exchange = exchange
        self._record = record
        self._admitted = admitted
        self._host = exchange.request.headers["host"]
        self._strike = gateway.faults.take(admitted.name, admitted.call.params)

    async def run(self) -> None:
        strike: Strike = self._strike
        try:
            await _in_threads(strike.before)
            if strike.fault is None:
                await self.answer(await self.apply())
            else:
                self._gateway.calls.update(self._record, fault=strike.fault.kind)
                await effects.strike(strike.fault, self)
        except Exception as defect:  # noqa: BLE001 - a hook's failure must end the test, not the server
            failure = self._gateway.defect(defect)
        else:
            return
        await self.refuse(failure, {})

    async def apply(self) -> Answer:
        answer = self._apply_now()
        await _in_threads(self._strike.after)
        return answer

    def apply_late(self, seconds: float) -> None:
        release = self._gateway.late.add(self._apply_now)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, release)

    async def refuse(self, refusal: ApiError, headers: dict[str, str]) -> None:
        await self.answer(wire.refused(refusal, self._record.request_id, self._host, headers))

    async def answer(self, answer: Answer) -> None:
        self._gateway.calls.update(self._record, status=answer.status, code=answer.code)
        await self._exchange.answer(answer)

    async def cut(self, answer: Answer, keep: int) -> None:
        await self._exchange.cut(answer, keep)

    async def drop(self) -> None:
        await self._exchange.drop()

    async def pause(self, seconds: float | None) -> None:
        await self._exchange.pause(seconds)

    def _apply_now(self) -> Answer:
        return self._gateway.apply(self._admitted, self._record, self._host)


async def _in_threads(hooks: Iterable[Hook]) -> None:
    """Run hooks off the event loop: a hook may call the cloud and wait for the answer."""
    for hook in hooks:
        await asyncio.to_thread(hook)
