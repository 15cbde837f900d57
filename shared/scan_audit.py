"""What a scan did, as audit lines (audit.py): apart from those of rotations, whose cold start needs nothing of this."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from shared import audit, fanout
from shared.model import DirectoryId, UserName
from shared.scan import Fate


def dispatch(invocation: str, directory_id: DirectoryId, one: fanout.Result) -> None:
    """Log what became of one dispatch; what was deferred is logged with the other names."""
    if one.fate is Fate.DEFERRED:
        return
    level = logging.INFO if one.error is None else logging.ERROR
    facts = {"Outcome": one.fate.value} if one.error is None else audit.failure(one.error)
    audit.write(level, invocation, {**_dispatched(directory_id, one), **facts})


def named(invocation: str, fate: Fate, users: Sequence[UserName]) -> None:
    """Log who shares a fate."""
    audit.write(logging.INFO, invocation, {"Outcome": fate.value, "UserNames": list(users)})


def scanned(invocation: str, trigger: str, numbers: Mapping[str, object]) -> None:
    """Log a scan in numbers."""
    audit.write(logging.INFO, invocation, {"Outcome": "scanned", "Trigger": trigger, **numbers})


def _dispatched(directory_id: DirectoryId, one: fanout.Result) -> audit.Facts:
    due = one.due
    return {
        "UserName": due.user_name,
        "UserId": due.user_id,
        "DirectoryId": directory_id,
        "TaskId": due.task_id,
        "Since": audit.instant(due.threshold),
        "RotatedAt": None if due.rotated_at is None else audit.instant(due.rotated_at),
    }
