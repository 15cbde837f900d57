"""What a scan found and did, as JSON: every user counted, and as many named as an answer holds.

An answer goes to destinations that take 64 KB, so each list names a part. Nobody is dropped in silence: everybody whose
fate is not simply `not-due` is named by the audit lines, which are told a few hundred names at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from shared.model import UserName
from shared.scan import DUE, EXCLUDED, Fate, Plan, Policy

MOST_NAMED = 200  # in one list of the answer, and in one audit line
LONGEST_LIST = 6_000  # characters of the names in one list of the answer: there are nine lists

Tell = Callable[[Fate, Sequence[UserName]], None]

_LISTS = {
    Fate.DISPATCHED: "Dispatched",
    Fate.ALREADY_DISPATCHED: "AlreadyDispatched",
    Fate.WOULD_DISPATCH: "WouldDispatch",
    Fate.DEFERRED: "Deferred",
    Fate.UNMANAGED: "Unmanaged",
}
# Told one by one, by lines of their own that have more to say.
_SINGLE = (Fate.DISPATCHED, Fate.ALREADY_DISPATCHED, Fate.WOULD_DISPATCH, Fate.FAILED)


class _Roll(msgspec.Struct):
    """Those who share a fate: how many, the first names, and the names not told yet."""

    count: int = 0
    named: list[UserName] = msgspec.field(default_factory=list)
    length: int = 0
    untold: list[UserName] = msgspec.field(default_factory=list)

    def add(self, user: UserName) -> None:
        self.count += 1
        self.untold.append(user)
        if self.count == len(self.named) + 1 <= MOST_NAMED and self.length + len(user) <= LONGEST_LIST:
            self.named.append(user)
            self.length += len(user)


class Report(msgspec.Struct):
    """Collects fates while a scan is under way."""

    tell: Tell = lambda _fate, _users: None
    rolls: dict[Fate, _Roll] = msgspec.field(default_factory=lambda: defaultdict(_Roll))
    not_due: int = 0
    out_of_time: bool = False

    def add(self, fate: Fate, user: UserName) -> None:
        """Note a user's fate."""
        if fate is Fate.NOT_DUE:
            self.not_due += 1
            return
        roll = self.rolls[fate]
        roll.add(user)
        if len(roll.untold) == MOST_NAMED:
            self._tell(fate, roll)

    def close(self) -> None:
        """Tell the names that have not been told."""
        for fate, roll in self.rolls.items():
            if roll.untold:
                self._tell(fate, roll)

    def facts(self, plan: Plan, asked: Policy, *, dry_run: bool) -> dict[str, object]:
        """Return the scan in numbers: `Users` = `NotDue` + `Due` + `Unmanaged` + all of `Excluded`."""
        schedule = plan.schedule
        return {
            "AsOf": schedule.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "DryRun": dry_run,
            "MaxPasswordAgeDays": _days(schedule.max_age),
            "RotateBeforeExpiryDays": _days(schedule.lead),
            "SpreadDays": _days(schedule.spread),
            "Adjusted": [
                name
                for name, given, used in (
                    ("ROTATE_BEFORE_EXPIRY_DAYS", asked.lead, schedule.lead),
                    ("SPREAD_DAYS", asked.spread, schedule.spread),
                )
                if given != used
            ],
            "Users": plan.users,
            "Managed": plan.managed,
            "NotDue": self.not_due,
            "Due": sum(self._count(fate) for fate in DUE),
            "Expired": plan.expired,
            "OutOfTime": self.out_of_time,
        }

    def answer(self, plan: Plan, asked: Policy, *, dry_run: bool) -> dict[str, object]:
        """Return the answer: the numbers, and the lists with the first names of each."""
        lists = {name: self._shown(fate) for fate, name in _LISTS.items()}
        excluded = {fate.value: self._shown(fate) for fate in EXCLUDED}
        return {**self.facts(plan, asked, dry_run=dry_run), **lists, "Excluded": excluded}

    def summary(self, plan: Plan, asked: Policy, *, dry_run: bool) -> dict[str, object]:
        """Return the audit line: the numbers, those of the lists too."""
        numbers = {name: self._count(fate) for fate, name in {**_LISTS, Fate.FAILED: "Failed"}.items()}
        excluded = {fate.value: self._count(fate) for fate in EXCLUDED}
        return {**self.facts(plan, asked, dry_run=dry_run), **numbers, "Excluded": excluded}

    def _count(self, fate: Fate) -> int:
        return self.rolls[fate].count

    def _shown(self, fate: Fate) -> dict[str, object]:
        return {"Count": self.rolls[fate].count, "UserNames": list(self.rolls[fate].named)}

    def _tell(self, fate: Fate, roll: _Roll) -> None:
        if fate not in _SINGLE:
            self.tell(fate, tuple(roll.untold))
        roll.untold.clear()


def _days(span: timedelta) -> float:
    days = span / timedelta(days=1)
    return int(days) if days.is_integer() else round(days, 3)
