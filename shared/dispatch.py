"""Rotations handed on to the function that carries them out: the Dispatcher port for both versions of Function Compute.

How a call travels is the senders' concern (fc3.py, fc2.py); when it is sent again, and what its answers mean, is
decided here for both. A sender's module, and with it an SDK, is imported only when a dispatcher of its kind is made.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Protocol

import msgspec

from shared import connections, deferral, openapi
from shared.errors import DispatchDenied, DispatchError, DispatchRefused, DispatchUnavailable, quoted
from shared.model import Credentials, Endpoint, PasswordSource, ResetRequest, RotationTarget, TaskId
from shared.openapi import Failure
from shared.ports import Clock, Dispatcher

FIRST_PAUSE = timedelta(milliseconds=250)  # doubled after each further try, up to openapi.LONGEST_DELAY
# A try may begin until connections.UNHURRIED after the first, and then take both of its time-outs.
LONGEST = connections.UNHURRIED + openapi.CONNECT_TIMEOUT + openapi.READ_TIMEOUT

_DUPLICATE = 409  # "Task deduplication" page; the code that comes with it is not documented
_CONCURRENT = "ConcurrentUpdate"  # another 409 (error code pages): it is about changing functions, not about tasks
_CLIENT_GONE = 499  # ClientClosedRequest (error code pages): whether the call was accepted, it does not say
_MAY_NOT = frozenset({401, 403})
# What says the same under another status: the gateway's codes for keys, tokens, signatures and their time.
_DENIALS = (
    "AccessDenied",
    "NoPermission",
    "Forbidden",
    "InvalidAccessKey",
    "InvalidSecurityToken",
    "MissingSecurityToken",
    "SecurityTokenExpired",
    "SignatureNotMatch",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IllegalTimestamp",
    "InvalidTimeStamp",
)


class Sender(Protocol):
    """One version of the invocation API."""

    def send(self, event: bytes, task_id: TaskId) -> Failure | None:
        """Ask once, and asynchronously, for the function to be invoked. None: accepted, which only 202 says."""


class _Event(msgspec.Struct, rename="pascal", omit_defaults=True):
    """A request in the form in which it travels (docs/reference.md, "The request")."""

    reason: str
    rotated_since: datetime
    user_name: str | None = None
    user_id: str | None = None
    directory_id: str | None = None
    generate_random_password: bool | None = None
    require_password_reset_for_next_login: bool | None = None
    dry_run: bool = False
    force: bool = False


def dispatcher(
    target: RotationTarget, endpoint: Endpoint, region: str, credentials: Credentials, clock: Clock
) -> Dispatcher:
    """Return the dispatcher to a function; which SDK speaks for it, its target says."""
    return FunctionDispatcher(target, _sender(target, endpoint, region, credentials, clock), clock)


def _sender(target: RotationTarget, endpoint: Endpoint, region: str, credentials: Credentials, clock: Clock) -> Sender:
    if target.service is None:
        with deferral.active():
            from shared.fc3 import Fc3Sender  # noqa: PLC0415 - its SDK costs cold start; most functions need neither

        return Fc3Sender(target, endpoint, region, credentials, clock)
    with deferral.active():
        from shared.fc2 import Fc2Sender  # noqa: PLC0415 - as above

    return Fc2Sender(target, endpoint, credentials, clock)


class FunctionDispatcher:
    """The Dispatcher port to one function; any number of threads may use it."""

    def __init__(self, target: RotationTarget, sender: Sender, clock: Clock) -> None:
        self._target = target
        self._sender = sender
        self._clock = clock

    def dispatch(self, request: ResetRequest, task_id: TaskId) -> bool:
        """See Dispatcher. A try whose answer was lost may have been accepted: then the next one answers False."""
        event, give_up_at = event_of(request), self._clock.now() + connections.UNHURRIED
        pause, doubt = FIRST_PAUSE, False
        while True:
            failure = self._send(event, task_id, give_up_at)
            if failure is None:
                return True
            if _says_accepted_before(failure):
                return False
            doubt = doubt or not _surely_not_accepted(failure)
            wait = max(pause, failure.retry_after or pause)
            if _meaning(failure) is not DispatchUnavailable or not self._time_left_after(wait, give_up_at):
                raise self._error(failure, request, doubt=doubt)
            pause = min(pause * 2, openapi.LONGEST_DELAY)

    def _send(self, event: bytes, task_id: TaskId, give_up_at: datetime) -> Failure | None:
        with connections.sending_until(self._clock, give_up_at):
            return self._sender.send(event, task_id)

    def _time_left_after(self, wait: timedelta, give_up_at: datetime) -> bool:
        if self._clock.now() + wait > give_up_at:
            return False
        self._clock.sleep(wait.total_seconds())
        return self._clock.now() <= give_up_at  # asked again: a sleep may last longer than it was meant to

    def _error(self, failure: Failure, request: ResetRequest, *, doubt: bool) -> DispatchError:
        kind = _meaning(failure)
        did = "did not accept" if kind is DispatchUnavailable else "refused"
        happened = (
            f"Function Compute {did} the rotation of user {quoted(request.user)} for function "
            f"{quoted(self._target)} ({failure})."
        )
        unchanged = DispatchUnavailable.unchanged if doubt else DispatchError.unchanged
        return kind(happened, unchanged=unchanged, retry_after=failure.retry_after)


def event_of(request: ResetRequest) -> bytes:
    """Return a request as the rotating function reads it; what is left to its settings stays so."""
    event = _Event(
        reason=request.reason.value,
        rotated_since=request.since.astimezone(timezone.utc),
        user_name=request.user.name,
        user_id=request.user.id,
        directory_id=request.directory_id,
        generate_random_password=None if request.source is None else request.source is PasswordSource.CLOUDSSO,
        require_password_reset_for_next_login=request.must_change,
        dry_run=request.dry_run,
        force=request.force,
    )
    return msgspec.json.encode(event)


def _says_accepted_before(failure: Failure) -> bool:
    return failure.status == _DUPLICATE and not failure.code.startswith(_CONCURRENT)


def _surely_not_accepted(failure: Failure) -> bool:
    return failure.refused and failure.status != _CLIENT_GONE


def _meaning(failure: Failure) -> type[DispatchDenied | DispatchRefused | DispatchUnavailable]:
    if failure.throttled or not failure.refused or failure.status in (_DUPLICATE, _CLIENT_GONE):
        return DispatchUnavailable
    if failure.status in _MAY_NOT or failure.code.startswith(_DENIALS):
        return DispatchDenied
    return DispatchRefused
