"""Where the outcome of an asynchronous invocation goes: to a queue, a topic or another function.

Source: "Result callback" page: the envelope, the ARNs and the permissions that the function's role needs. Payload and
error body travel in clear, as texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import Target
from tests.localcloud.ram.service import Ram, Role

_MESSAGES = re.compile(r"acs:mns:[\w-]+:\d+:/(?P<kind>queues|topics)/[^/]+/messages")
_FUNCTION = re.compile(r"acs:fc:[\w-]+:\d+:functions/(?P<name>[\w-]+)")
_IN_SERVICE = re.compile(
    r"acs:fc:[\w-]+:\d+:services/(?P<service>[\w-]+)(?:\.(?P<qualifier>[\w-]+))?/functions/(?P<name>[\w-]+)"
)
_SENDING = {"queues": "SendMessage", "topics": "PublishMessage"}


class DestinationRefusedError(ValueError):
    """A destination that this cloud does not know."""


class Messages(Protocol):
    """What takes messages: Simple Message Queue."""

    def send(self, arn: str, body: str) -> object:
        """Put a message into the queue, or publish it on the topic, that the ARN names."""


@dataclass(frozen=True)
class Outcome:
    """What became of one asynchronous invocation."""

    request_id: str
    function_arn: str
    condition: str  # empty: it succeeded
    invocations: int
    payload: bytes
    response: bytes
    function_error: str

    def envelope(self, milliseconds: int) -> str:
        """Return what a destination is sent."""
        return json.dumps(
            {
                "timestamp": milliseconds,
                "requestContext": {
                    "requestId": self.request_id,
                    "functionArn": self.function_arn,
                    "condition": self.condition,
                    "approximateInvokeCount": self.invocations,
                },
                "requestPayload": self.payload.decode(errors="replace"),
                "responseContext": {"statusCode": 200, "functionError": self.function_error},
                "responsePayload": self.response.decode(errors="replace"),
            }
        )


@dataclass
class Destinations:
    """The way to them, with the permissions of a function's role."""

    ram: Ram
    invoke: Callable[[Target, bytes], object]  # asynchronously
    messages: Messages | None = None

    @staticmethod
    def check(arn: str) -> None:
        """Refuse what is no destination."""
        if not any(form.fullmatch(arn) for form in (_MESSAGES, _FUNCTION, _IN_SERVICE)):
            msg = f"destination {arn!r} is no queue, topic or function; EventBridge and RocketMQ are not there"
            raise DestinationRefusedError(msg)

    def send(self, arn: str, body: str, role: Role | None) -> str:
        """Send an outcome; return how that ended: "Succeeded", or why not, as the task's record shows it."""
        try:
            if found := _MESSAGES.fullmatch(arn):
                self._authorize(role, "mns", _SENDING[found["kind"]], arn)
                self._messages().send(arn, body)
            else:
                self._authorize(role, "fc", "InvokeFunction", arn)
                self.invoke(_target(arn), body.encode())
        except ApiError as refusal:
            return f"Failed: {refusal.code}"
        return "Succeeded"

    def _authorize(self, role: Role | None, service: str, action: str, arn: str) -> None:
        if role is None:
            raise ApiError(403, "AccessDenied", "the function has no role")
        self.ram.authorize_role(role, service, action, arn)

    def _messages(self) -> Messages:
        if self.messages is None:
            raise ApiError(404, "QueueNotExist", "this cloud has no Simple Message Queue")
        return self.messages


def _target(arn: str) -> Target:
    if found := _FUNCTION.fullmatch(arn):
        return Target(found["name"])
    found = _IN_SERVICE.fullmatch(arn)
    if found is None:
        msg = f"{arn!r} names no function"
        raise DestinationRefusedError(msg)
    return Target(found["name"], found["qualifier"] or "LATEST", found["service"])
