"""Times as events write them. Each is an aware UTC datetime, or None where the value is no time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# Numbers from here on are milliseconds, since 1973; as seconds they would be after the year 5000.
MILLISECONDS_FROM = 100_000_000_000

_CLOCK = r"(?:\.(\d+))?"
_OFFSET = r"([Zz]|[+-]\d\d:[0-5]\d)"
_LAX_OFFSET = r"([Zz]|[+-]\d\d:?[0-5]\d)"
_DASHED = r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)"
_COMPACT = r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)"

_RFC3339 = re.compile(_DASHED + _CLOCK + _OFFSET, re.ASCII)
_EVENT_TIMES = (
    # CloudEvents `time`, `triggerTime`, `eventTime`; Log Service's documentation shows `+0800` without a colon.
    re.compile(_DASHED + _CLOCK + _LAX_OFFSET, re.ASCII),
    # CloudMonitor's pushes: 20180816T135935.689+0800
    re.compile(_COMPACT + _CLOCK + _LAX_OFFSET, re.ASCII),
)


def rfc3339(value: object) -> datetime | None:
    """Return the instant of an RFC 3339 text; it must have an offset, for a time without one is a guess."""
    return _instant(_RFC3339.fullmatch(value)) if isinstance(value, str) else None


def moment(value: object) -> datetime | None:
    """Return the instant of any form of time that Alibaba Cloud's events are known to use, epoch numbers included."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _since_1970(value)
    if not isinstance(value, str):
        return None
    matches = (form.fullmatch(value) for form in _EVENT_TIMES)
    return next((_instant(match) for match in matches if match), None)


def _instant(match: re.Match[str] | None) -> datetime | None:
    if match is None:
        return None
    *parts, fraction, offset = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        if offset in "Zz":  # as our own tags have it, a hundred thousand in one scan
            return datetime(year, month, day, hour, minute, second, micros, tzinfo=timezone.utc)
        local = datetime(year, month, day, hour, minute, second, micros, tzinfo=timezone(_offset(offset)))
        return local.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # a 31st of February, or a year that no calendar has
        return None


def _offset(text: str) -> timedelta:
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return ahead if text[0] == "+" else -ahead


def _since_1970(number: int) -> datetime | None:
    unit = timedelta(milliseconds=1) if abs(number) >= MILLISECONDS_FROM else timedelta(seconds=1)
    try:
        return EPOCH + number * unit
    except OverflowError:
        return None
