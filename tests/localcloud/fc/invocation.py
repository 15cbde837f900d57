"""InvokeFunction, which both API versions have: what it asks for, and how its answer looks.

Sources: the InvokeFunction pages of both versions, the official SDKs, and the limits page (32 MB synchronously, 128 KB
asynchronously).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import LATEST, Backend, Result, Target
from tests.localcloud.gateway.wire import Answer

OCTETS = "application/octet-stream"
LARGEST_SYNC = 32 * 1024 * 1024
LARGEST_ASYNC = 128 * 1024
LOG_TAIL = 4 * 1024  # of the function's log, with x-fc-log-type Tail

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_QUALIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")  # LATEST, a version number or an alias
_TASK_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")  # "Task deduplication" page

Choice = TypeVar("Choice", bound=str)


def invalid(message: str) -> ApiError:
    """Return the refusal of an argument (FC error code pages); no message quotes a header's value."""
    return ApiError(400, "InvalidArgument", message)


def check_size(payload: bytes, *, asynchronous: bool) -> None:
    """Refuse a payload that is too large, whoever sends it: triggers and destinations have no more room."""
    largest = LARGEST_ASYNC if asynchronous else LARGEST_SYNC
    if len(payload) > largest:
        raise ApiError(400, "EntityTooLarge", f"payload size exceeds maximum allowed size ({largest} bytes)")


def target_of(function: str, qualifier: str, service: str | None) -> Target:
    """Return the function that is meant, or refuse what cannot be a name."""
    for what, text, form in (("function", function, _NAME), ("service", service or "s", _NAME)):
        if not form.fullmatch(text):
            raise invalid(f"the {what} name is not well formed")
    if not _QUALIFIER.fullmatch(qualifier or LATEST):
        raise invalid("the qualifier is not well formed")
    return Target(function, qualifier or LATEST, service)


@dataclass(frozen=True)
class Invocation:
    """One call of InvokeFunction, before it is carried out."""

    target: Target
    payload: bytes = field(repr=False)
    asynchronous: bool
    tail: bool  # the end of the log is wanted with the answer
    task_id: str | None

    @staticmethod
    def of(target: Target, headers: Mapping[str, str], payload: bytes, task_header: str) -> Invocation:
        """Read the headers that both versions have, and the task id where this version has it."""
        asynchronous = _choice(headers, "x-fc-invocation-type", ("Sync", "Async")) == "Async"
        tail = _choice(headers, "x-fc-log-type", ("None", "Tail")) == "Tail"
        task_id = headers.get(task_header) or None
        if task_id is not None and not _TASK_ID.fullmatch(task_id):
            raise invalid(f"{task_header} begins with a letter or _, and has at most 128 letters, digits, _ and -")
        check_size(payload, asynchronous=asynchronous)
        return Invocation(target, payload, asynchronous, tail, task_id)

    def carry_out(self, backend: Backend) -> Answer:
        """Run the function, or queue the invocation."""
        if self.asynchronous:
            request_id = backend.invoke_async(self.target, self.payload, self.task_id)
            return Answer(202, b"", headers={"x-fc-request-id": request_id}, content_type=OCTETS)
        return self._answer(backend.invoke(self.target, self.payload))

    def _answer(self, result: Result) -> Answer:
        """Answer; that a function raised, only a header says: the status is 200 all the same (both SDKs)."""
        headers = {**result.headers, "x-fc-request-id": result.request_id}
        if result.error_type is not None:
            headers["x-fc-error-type"] = result.error_type
        if self.tail:
            headers["x-fc-log-result"] = base64.b64encode(result.log[-LOG_TAIL:]).decode()
        return Answer(200, result.payload, headers=headers, content_type=OCTETS)


def _choice(headers: Mapping[str, str], name: str, values: tuple[str, str]) -> str:
    value = headers.get(name) or values[0]
    if value not in values:
        raise invalid(f"{name} is neither {values[0]} nor {values[1]}")
    return value
