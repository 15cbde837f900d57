"""When a timer is due: `@every`, or six cron fields with the seconds first, in UTC unless CRON_TZ names a zone.

Source: "Timer triggers" page (CRON_TZ=Asia/Shanghai 0 0 4 * * *; @every 4m, at least one minute). The arithmetic of
cron fields is croniter's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

_ZONE = re.compile(r"CRON_TZ=(\S+) +(.*)", re.DOTALL)
_EVERY = re.compile(r"@every +(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_FIELDS = 6
_LEAST = timedelta(minutes=1)


class ScheduleRefusedError(ValueError):
    """A schedule that is not understood."""


@dataclass(frozen=True)
class Schedule:
    """The instants at which a timer is due."""

    every: timedelta | None
    fields: str = ""
    zone: tzinfo = timezone.utc

    @staticmethod
    def parse(expression: str) -> Schedule:
        """Read a cronExpression."""
        match = _EVERY.fullmatch(expression.strip())
        if match and any(match.groups()):
            hours, minutes, seconds = (int(part or 0) for part in match.groups())
            every = timedelta(hours=hours, minutes=minutes, seconds=seconds)
            if every < _LEAST:
                msg = f"{expression!r} is shorter than a minute, which is the least"
                raise ScheduleRefusedError(msg)
            return Schedule(every)
        return _of_fields(expression.strip())

    def after(self, start: datetime) -> Iterator[datetime]:
        """Yield the instants after one, in UTC and in order; `@every` counts from there."""
        if self.every:
            due = start
            while True:
                due += self.every
                yield due
        fields = croniter(self.fields, start.astimezone(self.zone), second_at_beginning=True)
        while True:
            yield fields.get_next(datetime).astimezone(timezone.utc)


def _of_fields(expression: str) -> Schedule:
    zoned = _ZONE.fullmatch(expression)
    name, fields = (zoned[1], zoned[2]) if zoned else ("UTC", expression)
    try:
        zone = ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # ZoneInfoNotFoundError is a KeyError
        reason = f"there is no time zone {name}"
    else:
        if len(fields.split()) == _FIELDS and croniter.is_valid(fields, second_at_beginning=True):
            if _is_ever_due(fields):
                return Schedule(None, fields, zone)
            reason = "it is never due"
        else:
            reason = "it is neither @every nor six valid fields: second, minute, hour, day, month, weekday"
    msg = f"{expression!r}: {reason}"
    raise ScheduleRefusedError(msg)


def _is_ever_due(fields: str) -> bool:
    """Tell whether there is such a day: there is no 30 February."""
    try:
        croniter(fields, datetime.now(timezone.utc), second_at_beginning=True).get_next(datetime)
    except CroniterBadDateError:
        return False
    return True
