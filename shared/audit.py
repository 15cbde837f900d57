"""What happened, for people and for queries: one JSON line per outcome, from an allow-list of fields.

The same fields make up the invocation's answer. They are ids, times and words of ours; a field that is not listed here
cannot reach a log or a caller.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from math import ceil

from shared.batch import Failed, Result
from shared.errors import RotatorError
from shared.model import AlreadyRotated, Exempt, Origin, Outcome, ResetRequest, Rotated

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
        write(logging.ERROR, invocation, {**_asked(one.request), **failure(one.error)})
    else:
        write(logging.INFO, invocation, {**_asked(one.request), **outcome(one.outcome)})


def problem(invocation: str, error: RotatorError) -> None:
    """Log a part of the event that is no request, or why an invocation came to nothing."""
    write(logging.ERROR, invocation, failure(error))


def ignored(invocation: str, where: str, rule: str, origin: Origin) -> None:
    """Log a part of the event that a rule ignores by intent."""
    write(logging.INFO, invocation, {"Outcome": "ignored", "Where": where, "Rule": rule, **_origin(origin)})


def outcome(done: Outcome) -> Facts:
    """Return the facts of an outcome, as logged and as answered."""
    facts: Facts = {"Outcome": done.name, "UserName": done.user.name, "UserId": done.user.id}
    return {**facts, "DirectoryId": done.user.directory_id, **_details(done)}


def failure(error: RotatorError) -> Facts:
    """Return the facts of an error."""
    facts: Facts = {"Outcome": "failed", "Error": error.reason, "Retryable": error.retryable, "Message": str(error)}
    return (
        facts if error.retry_after is None else {**facts, "RetryAfterSeconds": ceil(error.retry_after.total_seconds())}
    )


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
        "MismatchMs": round(done.mismatch.total_seconds() * 1000),
        "Indexed": done.indexed,
        "CloudSsoRequestId": done.reset_request_id,
        "KmsRequestId": done.publish_request_id,
    }


def _asked(request: ResetRequest) -> Facts:
    origin = _origin(request.origins[0]) if request.origins else {}
    facts: Facts = {"User": str(request.user), "Reason": request.reason.value, "Since": instant(request.since)}
    return {**facts, **origin, "Merged": len(request.origins)}


def _origin(origin: Origin) -> Facts:
    facts = {"Trigger": origin.trigger, "EventId": origin.event_id, "EventSource": origin.source, "Rule": origin.rule}
    return {name: value for name, value in facts.items() if value is not None}


def instant(moment: datetime) -> str:
    """Return an instant as it is logged: RFC 3339, in UTC."""
    return moment.isoformat().replace("+00:00", "Z")


def write(level: int, invocation: str, facts: Mapping[str, object]) -> None:
    """Write a line. For this module and scan_audit.py alone: they list the fields."""
    _LOG.log(level, "%s", json.dumps({"Invocation": invocation, **{k: _safe(v) for k, v in facts.items()}}))


def _safe(value: object) -> object:
    # json.dumps escapes control characters, so a line stays one line; this bounds what an event may make us log.
    return f"{value[:LONGEST]}…" if isinstance(value, str) and len(value) > LONGEST else value
