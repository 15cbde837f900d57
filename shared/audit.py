"""What happened, for people and for queries: one JSON line per outcome, from an allow-list of fields.

The same fields make up the invocation's answer. They are ids, times and words of ours; a field that is not listed here
cannot reach a log or a caller.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil

from shared import fanout
from shared.batch import Failed, Result
from shared.errors import RotatorError
from shared.model import AlreadyRotated, DirectoryId, Exempt, Origin, Outcome, ResetRequest, Rotated, UserName
from shared.scan import Fate

LONGEST = 8192  # characters of one value; Function Compute cuts a log record at 32 KB

_LOG = logging.getLogger("cloudsso_rotator")

Facts = dict[str, object]


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


def result(invocation: str, one: Result) -> None:
    """Log what became of one request."""
    if isinstance(one, Failed):
        _write(logging.ERROR, invocation, {**_asked(one.request), **_failure(one.error)})
    else:
        _write(logging.INFO, invocation, {**_asked(one.request), **outcome(one.outcome)})


def problem(invocation: str, error: RotatorError) -> None:
    """Log a part of the event that is no request, or why a scan came to nothing."""
    _write(logging.ERROR, invocation, _failure(error))


def ignored(invocation: str, where: str, rule: str, origin: Origin) -> None:
    """Log a part of the event that a rule ignores by intent."""
    _write(logging.INFO, invocation, {"Outcome": "ignored", "Where": where, "Rule": rule, **_origin(origin)})


def dispatch(invocation: str, directory_id: DirectoryId, one: fanout.Result) -> None:
    """Log what became of one dispatch; what was deferred is logged with the other names."""
    if one.fate is Fate.DEFERRED:
        return
    level = logging.INFO if one.error is None else logging.ERROR
    facts = {"Outcome": one.fate.value} if one.error is None else _failure(one.error)
    _write(level, invocation, {**_dispatched(directory_id, one), **facts})


def named(invocation: str, fate: Fate, users: Sequence[UserName]) -> None:
    """Log who shares a fate."""
    _write(logging.INFO, invocation, {"Outcome": fate.value, "UserNames": list(users)})


def scanned(invocation: str, trigger: str, numbers: Mapping[str, object]) -> None:
    """Log a scan in numbers."""
    _write(logging.INFO, invocation, {"Outcome": "scanned", "Trigger": trigger, **numbers})


def outcome(done: Outcome) -> Facts:
    """Return the facts of an outcome, as logged and as answered."""
    facts: Facts = {"Outcome": done.name, "UserName": done.user.name, "UserId": done.user.id}
    return {**facts, "DirectoryId": done.user.directory_id, **_details(done)}


def _failure(error: RotatorError) -> Facts:
    facts: Facts = {"Outcome": "failed", "Error": error.reason, "Retryable": error.retryable, "Message": str(error)}
    return (
        facts if error.retry_after is None else {**facts, "RetryAfterSeconds": ceil(error.retry_after.total_seconds())}
    )


def _dispatched(directory_id: DirectoryId, one: fanout.Result) -> Facts:
    due = one.due
    return {
        "UserName": due.user_name,
        "UserId": due.user_id,
        "DirectoryId": directory_id,
        "TaskId": due.task_id,
        "Since": _instant(due.threshold),
        "RotatedAt": None if due.rotated_at is None else _instant(due.rotated_at),
    }


def _details(done: Outcome) -> Facts:
    if isinstance(done, Exempt):
        return {}
    facts: Facts = {"SecretName": done.secret, "VersionId": done.version}
    if isinstance(done, Rotated):
        return {**facts, **_rotation(done)}
    if isinstance(done, AlreadyRotated):
        return {**facts, "RotatedAt": _instant(done.rotated_at)}
    return {**facts, "Attempt": done.attempt}


def _rotation(done: Rotated) -> Facts:
    return {
        "Attempt": done.attempt,
        "MismatchMs": round(done.mismatch.total_seconds() * 1000),
        "Indexed": done.indexed,
        "CloudSsoRequestId": done.reset_request_id,
        "KmsRequestId": done.publish_request_id,
    }


def _asked(request: ResetRequest) -> Facts:
    origin = _origin(request.origins[0]) if request.origins else {}
    facts: Facts = {"User": str(request.user), "Reason": request.reason.value, "Since": _instant(request.since)}
    return {**facts, **origin, "Merged": len(request.origins)}


def _origin(origin: Origin) -> Facts:
    facts = {"Trigger": origin.trigger, "EventId": origin.event_id, "EventSource": origin.source, "Rule": origin.rule}
    return {name: value for name, value in facts.items() if value is not None}


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _write(level: int, invocation: str, facts: Mapping[str, object]) -> None:
    _LOG.log(level, "%s", json.dumps({"Invocation": invocation, **{k: _safe(v) for k, v in facts.items()}}))


def _safe(value: object) -> object:
    # json.dumps escapes control characters, so a line stays one line; this bounds what an event may make us log.
    return f"{value[:LONGEST]}…" if isinstance(value, str) and len(value) > LONGEST else value
