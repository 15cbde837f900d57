"""Who is due when: arithmetic on the password policy, the last rotation, a lead and a spread. No clock is read here.

CloudSSO tells nobody how old a password is, nor that one expires. What is known is when this program last rotated it
(`RotatedAt`) and how long the directory lets a password live (`MaxPasswordAge`):

    rotated          due: rotated before this user's threshold                expires
       |--------------------|-------------------------|--------------------------|
                            <-- spread: by a hash --> <--------- lead ---------->

Users whose passwords were set on one day would all fall due on one day; the hash of a user's id places each within the
spread, and always at the same place. All of it is reckoned from an instant that is floored to the whole hour, so a scan
that is repeated within the hour, or a timer's event that is delivered twice, finds the same thresholds.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

import msgspec

from shared.model import DirectoryId, TaskId, UserId

# Of MaxPasswordAge, which may be one day. With both, nobody younger than a quarter of it is ever due: a lead that is
# longer than passwords live would make everybody due for ever.
LONGEST_LEAD = 1 / 2
LONGEST_SPREAD = 1 / 4

# Function Compute, task deduplication: letters, digits, `_` and `-`, at most 128, the first one a letter or `_`.
_ID = re.compile(r"[A-Za-z0-9_-]{1,96}")


def floored(moment: datetime) -> datetime:
    """Return the whole hour that an instant is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


class Schedule(msgspec.Struct, frozen=True):
    """What makes a user due, at one instant."""

    as_of: datetime
    max_age: timedelta
    lead: timedelta
    spread: timedelta

    @classmethod
    def of(cls, as_of: datetime, max_age: timedelta, *, lead: timedelta, spread: timedelta) -> Schedule:
        """Return the schedule at the whole hour of an instant, with a lead and a spread that suit the policy."""
        return cls(floored(as_of), max_age, min(lead, max_age * LONGEST_LEAD), min(spread, max_age * LONGEST_SPREAD))

    def threshold(self, directory_id: DirectoryId, user_id: UserId) -> datetime:
        """Return the instant before which a rotation of this user counts as too long ago."""
        earlier = self.spread.total_seconds() * share(directory_id, user_id)
        return self.as_of - self.max_age + self.lead + timedelta(seconds=int(earlier))

    def expires_at(self, rotated_at: datetime) -> datetime:
        """Return when CloudSSO begins to refuse a password that was set then."""
        return rotated_at + self.max_age

    def due_at(self, rotated_at: datetime, directory_id: DirectoryId, user_id: UserId) -> datetime:
        """Return from when on this user is due whose password was rotated then; the next scan finds out."""
        return self.as_of + (rotated_at - self.threshold(directory_id, user_id))

    def latest_threshold(self) -> datetime:
        """Return an instant that no user's threshold is later than: whoever was rotated since then is not due."""
        return self.as_of - self.max_age + self.lead + self.spread

    def is_due(self, rotated_at: datetime | None, threshold: datetime) -> bool:
        """Tell whether a user is due whose password was rotated then; None: never, as far as is known."""
        return rotated_at is None or rotated_at < threshold

    def has_expired(self, rotated_at: datetime | None) -> bool:
        """Tell whether CloudSSO may refuse a password already that was set then, or at an unknown time."""
        return rotated_at is None or rotated_at + self.max_age <= self.as_of

    def turn(self, user_id: UserId) -> timedelta:
        """Return where a user stands in a queue that is drawn anew every hour: everybody comes first some time."""
        return timedelta(days=_fraction(f"{self.as_of.isoformat()}/{user_id}"))


def share(directory_id: DirectoryId, user_id: UserId) -> float:
    """Return where a user stands within the spread, from 0 up to 1: always the same, and evenly among many."""
    return _fraction(f"{directory_id}/{user_id}")


def task_id(user_id: UserId, threshold: datetime) -> TaskId:
    """Return the id under which Function Compute accepts a user's rotation for a threshold once."""
    who = user_id if _ID.fullmatch(user_id) else hashlib.sha256(user_id.encode()).hexdigest()
    return TaskId(f"expiring-{who}-{threshold:%Y%m%dT%H%M%SZ}")


def _fraction(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) / (1 << 48)
