"""The gateway: from bytes to a call of a service and back, with authentication, faults, authorization in that order."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from tests.localcloud.api import Action, ApiError, Call, Service
from tests.localcloud.gateway import wire
from tests.localcloud.gateway.calls import CallRecord, Calls
from tests.localcloud.gateway.exchange import Exchange
from tests.localcloud.gateway.faults import Faults
from tests.localcloud.gateway.late import LateCalls
from tests.localcloud.gateway.signature import Verifier
from tests.localcloud.gateway.struck import StruckCall, in_real_time
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
    """A call whose signature was right, of an action that exists (struck.Work)."""

    gateway: Gateway
    key: Key
    product: Product
    name: str
    action: Action
    call: Call
    host: str

    @property
    def service(self) -> str:
        return self.product.service.code

    @property
    def params(self) -> Mapping[str, str]:
        return self.call.params

    async def apply(self, record: CallRecord) -> Answer:
        return self.gateway.apply(self, record)

    def apply_late(self, record: CallRecord) -> Answer:
        return self.gateway.apply(self, record)

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        return wire.refused(refusal, request_id, self.host, headers)


class Gateway:
    """The ASGI application of all products; which one a request is for, its API version says."""

    def __init__(
        self, products: Iterable[Product], ram: Ram, store: CallStore, cloud_time: Callable[[], float] = time.time
    ) -> None:
        self.hosts: Collection[str] = ()  # the endpoints, once they are known
        self.ram = ram
        self.faults = Faults()
        self.calls = Calls()
        self.late = LateCalls()
        self.later: Callable[[float, Callable[[], object]], object] = in_real_time
        self.defects: list[str] = []
        self.lock = threading.RLock()  # services are plain state machines: one call at a time, from whichever thread
        self._products = {product.service.version: product for product in products}
        self.verifier = Verifier(ram, cloud_time=cloud_time)
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
            await StruckCall(self, exchange, record, admitted).run()
            return
        await exchange.answer(answer)

    def apply(self, admitted: Admitted, record: CallRecord) -> Answer:
        """Authorize a call and let the service do it; what it wrote is durable when this returns."""
        with self.lock:
            try:
                with self._store.transaction():
                    self._authorize(admitted)
                    result = admitted.action.handle(admitted.call)
            except ApiError as refusal:
                return admitted.refused(refusal, record.request_id, {})
            except Exception as defect:  # noqa: BLE001 - a defect of the cloud itself: answered as one, raised at its end
                return admitted.refused(self.defect(defect), record.request_id, {})
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
        self.check_host(request.headers.get("host", ""))
        wire.check_form(request, self._products)
        key = self.verifier.verify(request)
        self.calls.update(record, role=key.role.name)
        product = self._products[request.version]
        action = product.service.actions.get(request.action)
        if action is None:
            raise wire.no_such_action()
        call = Call(request.action, request.params, product.region, key.role.account_id)
        return Admitted(self, key, product, request.action, action, call, request.headers["host"])

    def check_host(self, host: str) -> None:
        """Hold the client to the literal endpoint, which is what it signs: a scheme or path in it is a client's bug."""
        if host not in self.hosts:
            message = f"The host is not an endpoint of this cloud: {', '.join(sorted(self.hosts))}."
            raise ApiError(404, "InvalidHost.NotFound", message)  # this cloud's own: elsewhere it would be another site

    def _authorize(self, admitted: Admitted) -> None:
        action, call = admitted.action, admitted.call
        self.ram.authorize(admitted.key, admitted.service, admitted.name, action.resources(call), action.also(call))
