"""The words of the page: how states, problems, causes, numbers and times are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from shared.doctor import Problem
from shared.errors import (
    DirectoryDenied,
    DirectoryRefused,
    DirectoryUnavailable,
    EventError,
    OutOfTime,
    PasswordInEvent,
    RotatorError,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    UserNotFound,
)
from shared.status import State

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


class Word(msgspec.Struct, frozen=True):
    """How a state is written: in a word, in a sentence, and in which colour, beside an icon of its own."""

    title: str
    many: str  # within a sentence, after a number
    means: str
    tone: str
    problem: Problem | None = None  # what the doctor says about it


WORDS: Mapping[State, Word] = {
    State.EXPIRED: Word("Expired", "expired", "cannot log on", "bad", Problem.EXPIRED),
    State.STUCK: Word("Stuck claim", "stuck claims", "secret in doubt", "bad", Problem.STUCK_CLAIM),
    State.FOREIGN: Word("Foreign version", "foreign versions", "written by others", "bad", Problem.VERSION_FOREIGN),
    State.SECRET_IN_DELETION: Word(
        "Secret in deletion", "secrets in deletion", "readers get nothing", "bad", Problem.SECRET_IN_DELETION
    ),
    State.DUE: Word("Due", "due", "the next scan rotates", "soon"),
    State.UNMANAGED: Word("Unmanaged", "unmanaged", "expiry unknown", "warn", Problem.UNMANAGED),
    State.UNKNOWN: Word("Unknown", "unknown", "could not be read", "warn"),
    State.IN_PROGRESS: Word("In progress", "in progress", "being rotated now", "busy"),
    State.FRESH: Word("Fresh", "fresh", "rotated recently", "good"),
    State.SYNCHRONIZED: Word("Synchronized", "synchronized", "left to SCIM", "dim"),
    State.PROTECTED: Word("Protected", "protected", "by PROTECTED_USERS", "dim"),
    State.DISABLED: Word("Disabled", "disabled", "cannot log on", "dim"),
}
# Of whoever is stuck after as many attempts as there are; to workflows, that is a stuck claim like any other.
FAILED = Word("Failed attempts", "failed attempts", "no more are made", "bad", Problem.FAILED_ATTEMPTS)

TITLES: Mapping[Problem, str] = {
    Problem.PERMISSION_MISSING: "A permission is missing",
    Problem.WRONG_REGION: "The wrong region",
    Problem.ENDPOINT_UNREACHABLE: "An endpoint does not answer",
    Problem.SSO_ENABLED: "SSO logon is enabled",
    Problem.OVERDUE: "Overdue users",
    Problem.EXPIRED: "Expired",
    Problem.STUCK_CLAIM: "Stuck claims",
    Problem.FAILED_ATTEMPTS: "Failed attempts",
    Problem.VERSION_FOREIGN: "Foreign versions",
    Problem.SECRET_IN_DELETION: "Secrets in deletion",
    Problem.USER_RENAMED: "Renamed users",
    Problem.USER_DELETED: "Deleted users",
    Problem.SECRET_MISSING: "Missing secrets",
    Problem.TAG_STALE: "Stale tags",
    Problem.POLICY_SHORT: "A policy shorter than the lead time",
    Problem.UNMANAGED: "Unmanaged users",
}

# What is not known because a part could not be read.
LOST = {
    "password policy": "It is not known when passwords expire, nor who is due.",
    "SSO logon": "It is not known whether CloudSSO would reset anybody's password.",
    "users": "There is nobody to show.",
    "secrets": "It is not known who is managed, nor when anybody's password was rotated.",
    "versions": "Claims and current versions were not looked at; what the tags of the secrets say is shown.",
}

# The same in a headline: the gravest that is missing.
MISSED = {
    "users": "there is nobody to show",
    "secrets": "nothing is known about {passwords}",
    "password policy": "it is not known when passwords expire",
    "versions": "claims and current versions were not looked at",
    "SSO logon": "it is not known whether SSO logon is enabled",
}
CAUSES: tuple[tuple[type[RotatorError], str], ...] = (
    (SecretStoreUnavailable, "KMS does not answer"),
    (SecretStoreDenied, "KMS denies access"),
    (SecretRefused, "KMS refuses to answer"),
    (DirectoryUnavailable, "CloudSSO does not answer"),
    (DirectoryDenied, "CloudSSO denies access"),
    (DirectoryRefused, "CloudSSO refuses to answer"),
    (OutOfTime, "There was not enough time"),
)


# Why there is no page, where that is no trouble of the function's.
REFUSALS: tuple[tuple[type[RotatorError], str], ...] = (
    (PasswordInEvent, "The request carries a password"),
    (EventError, "The address makes no sense"),
    (UserNotFound, "There is no such user"),
)


def visible(value: object) -> object:
    """Return text with characters that nobody would see, or that turn the writing direction, as their escapes.

    Only of plain text: what has been made markup by a template was treated when it was made.
    """
    if type(value) is not str or value.isprintable():
        return value
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value)


def number(value: int) -> str:
    """Return a number with separators."""
    return f"{value:,}"


def day(moment: datetime) -> str:
    """Return the day of an instant (UTC)."""
    return f"{moment.day} {moment:%b %Y}"


def minute(moment: datetime) -> str:
    """Return an instant to the minute (UTC)."""
    return f"{day(moment)}, {moment:%H:%M} UTC"


def iso(moment: datetime) -> str:
    """Return an instant as machines read it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def days(span: timedelta) -> str:
    """Return a span in days, with hours only where it is not whole days."""
    count = span / _DAY
    return f"{count:g} day{'' if count == 1 else 's'}" if count.is_integer() else f"{count:.2f} days"


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago an instant was, or how long there is to it: one unit, rounded towards now."""
    span = abs(moment - now)
    if span < _MINUTE:
        return "just now"
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        count = int(span / unit)
        if count:
            text = f"{count:,} {name}{'' if count == 1 else 's'}"
            return f"in {text}" if moment > now else f"{text} ago"
    raise AssertionError  # pragma: no cover - a minute or more has a unit


def people(count: int) -> str:
    """Return how many users."""
    return f"{count:,} user{'' if count == 1 else 's'}"


def people_days(span: timedelta) -> str:
    """Return whole days, counted up from one."""
    count = max(1, math.ceil(span / _DAY))
    return f"{count:,} day{'' if count == 1 else 's'}"
