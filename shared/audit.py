"""What happened, for people and for queries: one JSON line per outcome, from an allow-list of fields.

The same fields make up the invocation's answer. They are ids, times and words of ours; a field that is not listed here
cannot reach a log. docs/observability.md has the list for those who read logs.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from math import ceil
from typing import TypeVar

import msgspec

from shared.batch import Course, Done, Failed, Result
from shared.errors import RotatorError, SettingsError
from shared.model import AlreadyRotated, Exempt, Origin, Outcome, ResetRequest, Rotated, User

LONGEST = 8192  # characters of one value; Function Compute cuts a log record at 32 KB

_LOG = logging.getLogger("cloudsso_rotator")

Facts = dict[str, object]
App = TypeVar("App")


class Kind(Enum):
    """What a field's values are; the words are those of docs/observability.md."""

    TEXT = "text"
    TIME = "time"  # RFC 3339, in UTC
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    LIST = "list of texts"
    COUNTS = "object of whole numbers"

    @property
    def types(self) -> tuple[type, ...]:
        """Return the types that such a value may have."""
        return _TYPES[self]


_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.TIME: (str,),
    Kind.WHOLE: (int,),
    Kind.NUMBER: (int, float),
    Kind.FLAG: (bool,),
    Kind.LIST: (list,),
    Kind.COUNTS: (dict,),
}


class Field(msgspec.Struct, frozen=True):
    """A field of an audit line."""

    kind: Kind
    meaning: str


# Every field that a line of any function may have.
FIELDS = {
    "Invocation": Field(Kind.TEXT, "the request id of the invocation, as in Function Compute's own records"),
    "Outcome": Field(Kind.TEXT, "what became of it, in one word"),
    # what was asked for, and by what
    "User": Field(Kind.TEXT, "the user as the event names it: by name or by id"),
    "Reason": Field(Kind.TEXT, "why: `expiring`, `scheduled`, `manual` or `alert`"),
    "Since": Field(Kind.TIME, "a rotation after this instant satisfies the request"),
    "Trigger": Field(Kind.TEXT, "how the event came: `direct`, `queue`, `eventbridge`, `timer` and so on"),
    "EventId": Field(Kind.TEXT, "the event's or the message's own id"),
    "EventSource": Field(Kind.TEXT, "where the event says that it is from"),
    "Rule": Field(Kind.TEXT, "the rule of `rules.json` that recognised the event"),
    "Merged": Field(Kind.WHOLE, "how many requests of the event are answered by this line"),
    "Where": Field(Kind.TEXT, "the part of the event that was ignored"),
    # whom and what it is about
    "UserName": Field(Kind.TEXT, "the user's name, in the directory's own spelling"),
    "UserId": Field(Kind.TEXT, "the user's id"),
    "UserNames": Field(Kind.LIST, "the names of all who share the outcome, at most 200 a line"),
    "DirectoryId": Field(Kind.TEXT, "the directory"),
    "SecretName": Field(Kind.TEXT, "the user's secret in KMS"),
    "VersionId": Field(
        Kind.TEXT,
        "of a success, the current version (of a dry run, the next); of a failure, the last that it tried to write",
    ),
    "Attempt": Field(Kind.WHOLE, "which claim on this rotation it was, from 1"),
    "RotatedAt": Field(Kind.TIME, "when the password was last reset, as far as the secret says"),
    # how it was done
    "MustChange": Field(Kind.FLAG, "whether the user must change the password at the next logon"),
    "MismatchMs": Field(Kind.WHOLE, "milliseconds between the reset's acknowledgement and the publication's"),
    "Indexed": Field(Kind.FLAG, "whether the tag was written by which scans find out when it was"),
    "CloudSsoRequestId": Field(Kind.TEXT, "CloudSSO's request id of the reset"),
    "KmsRequestId": Field(Kind.TEXT, "KMS's request id of the publication"),
    "TookMs": Field(Kind.WHOLE, "milliseconds that the request took, from its turn to its outcome"),
    "WaitedMs": Field(Kind.WHOLE, "of these, slept: until another's lease was over, or before sending once more"),
    # what went wrong
    "Error": Field(Kind.TEXT, "the error's name in machine form, as in the reference"),
    "Retryable": Field(Kind.FLAG, "whether a redelivery may help without anybody acting"),
    "Message": Field(Kind.TEXT, "what happened, what is unchanged, what to do"),
    "RetryAfterSeconds": Field(Kind.WHOLE, "when to come back, where that is known"),
    "Problem": Field(Kind.TEXT, "what the doctor found, in machine form"),
    # scans and surveys, in numbers
    "TaskId": Field(Kind.TEXT, "the id under which Function Compute accepts a dispatch once"),
    "AsOf": Field(Kind.TIME, "the instant that a scan or a survey reckoned with"),
    "DryRun": Field(Kind.FLAG, "whether a scan was to dispatch nobody"),
    "MaxPasswordAgeDays": Field(Kind.NUMBER, "how long the directory lets a password live"),
    "RotateBeforeExpiryDays": Field(Kind.NUMBER, "how long before its end a password is due, at the latest"),
    "SpreadDays": Field(Kind.NUMBER, "over how many days before that the work is spread"),
    "Adjusted": Field(Kind.LIST, "the settings that the directory's policy leaves no room for"),
    "Users": Field(Kind.WHOLE, "users in the directory"),
    "Managed": Field(Kind.WHOLE, "users who have a secret of this program's"),
    "NotDue": Field(Kind.WHOLE, "users whose time has not come"),
    "Due": Field(Kind.WHOLE, "users whose time has come"),
    "Expired": Field(Kind.WHOLE, "users whose password CloudSSO refuses by now"),
    "Stuck": Field(Kind.WHOLE, "users with a claim that is over and published nothing"),
    "Unmanaged": Field(Kind.WHOLE, "users without a secret, whom no setting selects"),
    "OutOfTime": Field(Kind.FLAG, "whether a scan ended before it had dispatched everybody"),
    "Dispatched": Field(Kind.WHOLE, "rotations that were handed on"),
    "AlreadyDispatched": Field(Kind.WHOLE, "rotations that had been handed on before"),
    "WouldDispatch": Field(Kind.WHOLE, "rotations that a dry run would have handed on"),
    "Deferred": Field(Kind.WHOLE, "users who are due and are left to the next scan"),
    "Failed": Field(Kind.WHOLE, "rotations that could not be handed on"),
    "Excluded": Field(Kind.COUNTS, "users who are left alone, by why"),
}


def configure(level: str) -> None:
    """Write audit lines to standard output as they are, without the runtime's own prefix, from `level` up."""
    _LOG.handlers = [_StandardOutput()]
    _LOG.propagate = False
    _LOG.setLevel(level)


class _StandardOutput(logging.Handler):
    """Writes to what standard output is at that moment: a runtime may exchange it between invocations."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(record.getMessage() + "\n")
        sys.stdout.flush()


def started(invocation: str, start: Callable[[], App]) -> App:
    """Return what an initializer makes, or log and raise the SettingsError that it fails of."""
    configure("INFO")  # until it is known what the settings say
    try:
        return start()
    except SettingsError as error:
        failed = error
    problem(invocation, failed)
    raise failed.with_traceback(None)


def result(invocation: str, one: Result) -> None:
    """Log what became of one request."""
    if isinstance(one, Failed):
        facts = {**_known(one.course), **failure(one.error)}
        write(logging.ERROR, invocation, {**_asked(one.request), **facts, **_timed(one.course)})
    else:
        write(logging.INFO, invocation, {**_asked(one.request), **outcome(one), **_timed(one.course)})


def problem(invocation: str, error: RotatorError) -> None:
    """Log a part of the event that is no request, or why an invocation came to nothing."""
    write(logging.ERROR, invocation, failure(error))


def ignored(invocation: str, where: str, rule: str, origin: Origin) -> None:
    """Log a part of the event that a rule ignores by intent."""
    write(logging.INFO, invocation, {"Outcome": "ignored", "Where": where, "Rule": rule, **_origin((origin,))})


def outcome(one: Done) -> Facts:
    """Return the facts of an outcome."""
    done = one.outcome
    facts = {"Outcome": done.name, **_user(done.user), **_details(done)}
    return {**facts, "MustChange": bool(one.request.must_change)} if isinstance(done, Rotated) else facts


def answer(one: Done) -> Facts:
    """Return what the invocation answers of a request: enough to tell its user what was done, and why."""
    origin = _origin(one.request.origins)
    told = {name: origin[name] for name in ("EventId", "EventSource") if origin.get(name) is not None}
    return {**outcome(one), "Reason": one.request.reason.value, "Since": instant(one.request.since), **told}


def failure(error: RotatorError) -> Facts:
    """Return the facts of an error."""
    facts: Facts = {"Outcome": "failed", "Error": error.reason, "Retryable": error.retryable, "Message": str(error)}
    return (
        facts if error.retry_after is None else {**facts, "RetryAfterSeconds": ceil(error.retry_after.total_seconds())}
    )


def _user(user: User) -> Facts:
    return {"UserName": user.name, "UserId": user.id, "DirectoryId": user.directory_id}


def _known(course: Course) -> Facts:
    """Return what is known of a request that failed."""
    facts = {} if course.user is None else _user(course.user)
    known = {
        "SecretName": course.secret,
        "VersionId": course.version,
        "CloudSsoRequestId": course.reset_request_id,
    }
    return {**facts, **known}


def _timed(course: Course) -> Facts:
    return {"TookMs": _milliseconds(course.took), "WaitedMs": _milliseconds(course.waited)}


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _details(done: Outcome) -> Facts:
    if isinstance(done, Exempt):
        return {}
    facts: Facts = {"SecretName": done.secret, "VersionId": done.version}
    if isinstance(done, Rotated):
        return {**facts, **_rotation(done)}
    if isinstance(done, AlreadyRotated):
        return {**facts, "RotatedAt": instant(done.rotated_at)}
    return {**facts, "Attempt": done.attempt}


def _rotation(done: Rotated) -> Facts:
    return {
        "Attempt": done.attempt,
        "MismatchMs": _milliseconds(done.mismatch),
        "Indexed": done.indexed,
        "CloudSsoRequestId": done.reset_request_id,
        "KmsRequestId": done.publish_request_id,
    }


def _asked(request: ResetRequest) -> Facts:
    facts: Facts = {"User": str(request.user), "Reason": request.reason.value, "Since": instant(request.since)}
    return {**facts, **_origin(request.origins), "Merged": len(request.origins)}


def _origin(origins: Sequence[Origin]) -> Facts:
    """Return where a request came from: of several that were merged, the first."""
    if not origins:
        return {}
    first = origins[0]
    return {"Trigger": first.trigger, "EventId": first.event_id, "EventSource": first.source, "Rule": first.rule}


def instant(moment: datetime) -> str:
    """Return an instant as it is logged: RFC 3339, in UTC."""
    return moment.isoformat().replace("+00:00", "Z")


def write(level: int, invocation: str, facts: Mapping[str, object]) -> None:
    """Write a line, without what is None. Raises a TypeError for a field that is not in FIELDS or not of its kind."""
    line = {"Invocation": invocation, **{name: _safe(name, fact) for name, fact in facts.items() if fact is not None}}
    _LOG.log(level, "%s", json.dumps(line))


def _safe(name: str, value: object) -> object:
    if name not in FIELDS or type(value) not in FIELDS[name].kind.types:
        message = f"{name} of type {type(value).__name__} is not for audit lines"
        raise TypeError(message)
    # json.dumps escapes control characters, so a line stays one line; this bounds what an event may make us log.
    return f"{value[:LONGEST]}…" if isinstance(value, str) and len(value) > LONGEST else value
