"""What each kind of fault does to a call, in the order things happen on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.faults import Fault, Kind
from tests.localcloud.gateway.wire import Answer

_THROTTLING = {
    # KMS: "Common error codes" page. CloudSSO: the official Terraform provider retries what contains "Throttling".
    "kms": ("Rejected.Throttling", "QPS Limit Exceeded"),
    "cloudsso": ("Throttling.User", "Request was denied due to user flow control."),
    "fc": ("ResourceThrottled", "Request was throttled."),  # FC: error code pages
}
_BAD_GATEWAY = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>Bad Gateway</body>\r\n</html>\r\n"


class Struck(Protocol):
    """A call at the mercy of a fault."""

    service: str

    async def apply(self) -> Answer:
        """Let the service do it, and return what it would answer."""

    def apply_late(self, seconds: float) -> None:
        """Let the service do it when late calls are released, or after `seconds` if they are not 0."""

    async def refuse(self, refusal: ApiError, headers: dict[str, str]) -> None:
        """Answer in the documented error body."""

    async def answer(self, answer: Answer) -> None:
        """Answer."""

    async def cut(self, answer: Answer, keep: int) -> None:
        """Answer with the first bytes of a body that was announced whole, and drop the connection."""

    async def drop(self) -> None:
        """Drop the connection without an answer."""

    async def pause(self, seconds: float | None) -> None:
        """Wait until so long after the call came, or for ever; no longer than the connection lives."""


async def strike(fault: Fault, call: Struck) -> None:
    """Let a fault happen to a call."""
    await EFFECTS[fault.kind](fault, call)


async def _throttle(fault: Fault, call: Struck) -> None:
    code, message = _THROTTLING[call.service]
    headers = {} if fault.retry_after_ms is None else {"x-acs-retry-after": str(fault.retry_after_ms)}
    await call.refuse(ApiError(fault.status or 429, fault.code or code, message), headers)


async def _error(fault: Fault, call: Struck) -> None:
    headers = {} if fault.retry_after_ms is None else {"x-acs-retry-after": str(fault.retry_after_ms)}
    await call.refuse(ApiError(fault.status or 500, fault.code or "InternalFailure", fault.message), headers)


async def _latency(fault: Fault, call: Struck) -> None:
    answer = await call.apply()
    await call.pause(fault.seconds)
    await call.answer(answer)


async def _drop_before(_fault: Fault, call: Struck) -> None:
    await call.drop()


async def _drop_after(_fault: Fault, call: Struck) -> None:
    await call.apply()
    await call.drop()


async def _late(fault: Fault, call: Struck) -> None:
    call.apply_late(fault.seconds)
    await call.drop()


async def _cut(fault: Fault, call: Struck) -> None:
    answer = await call.apply()
    await call.cut(answer, len(answer.body) // 2 if fault.keep is None else fault.keep)


async def _garbage(fault: Fault, call: Struck) -> None:
    answer = await call.apply()
    body = answer.body[: fault.keep] if fault.body is None else fault.body
    content_type = fault.content_type or answer.content_type
    await call.answer(replace(answer, status=fault.status or 200, body=body, content_type=content_type, code=None))


async def _refuse_garbage(fault: Fault, call: Struck) -> None:
    body = _BAD_GATEWAY if fault.body is None else fault.body
    await call.answer(Answer(fault.status or 502, body, content_type=fault.content_type or "text/html"))


async def _hang(fault: Fault, call: Struck) -> None:
    if fault.applied:
        await call.apply()
    await call.pause(None)


async def _redirect(fault: Fault, call: Struck) -> None:
    await call.answer(Answer(fault.status or 307, b"", headers={"location": fault.location or ""}))


EFFECTS: dict[Kind, Callable[[Fault, Struck], Awaitable[None]]] = {
    "throttle": _throttle,
    "error": _error,
    "latency": _latency,
    "drop-before": _drop_before,
    "drop-after": _drop_after,
    "late": _late,
    "cut": _cut,
    "garbage": _garbage,
    "refuse-garbage": _refuse_garbage,
    "hang": _hang,
    "redirect": _redirect,
}
