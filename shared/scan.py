"""The scan: who is due for a rotation, the most urgent first, and what becomes of everybody else.

    policy, SSO logon   one call each
    secrets             a hundred a call; of each that is ours, when it was rotated is kept, and no more
    users               a hundred a call; each is sorted as it passes by, and only the most urgent are kept

So calls and time grow with users, and memory hardly does: what is kept of a secret goes when its user has passed by. A
page that cannot be read ends the scan before anything is dispatched: partial knowledge would take the unseen for users
who need nothing. What the secrets' tags say is a hint, which may be stale: who is dispatched by mistake was rotated
after the threshold that is sent along, and is left be.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TypeVar

import msgspec

from shared.errors import OutOfTime
from shared.expiry import Schedule, task_id
from shared.model import (
    DirectoryId,
    Exemption,
    Managed,
    Reason,
    ResetRequest,
    SecretName,
    TaskId,
    User,
    UserId,
    UserName,
    UserRef,
)
from shared.ports import Clock, Directory, SecretStore

AHEAD = timedelta(seconds=5)  # how far the clock may be ahead that wrote a tag: docs/protocol.md assumes no more
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)

T = TypeVar("T")


class Fate(Enum):
    """What becomes of a user whom a scan has seen; every one has exactly one fate."""

    DISPATCHED = "dispatched"  # handed on now
    ALREADY_DISPATCHED = "already-dispatched"  # by an earlier scan, for the same threshold
    WOULD_DISPATCH = "would-dispatch"  # in a dry run
    FAILED = "failed"  # could not be handed on
    DEFERRED = "deferred"  # due, and less urgent than those for whom there was room or time
    NOT_DUE = "not-due"
    UNMANAGED = "unmanaged"  # has no secret of ours, and ONBOARD does not select it
    PROTECTED = "protected"
    DISABLED = "disabled"
    SYNCHRONIZED = "synchronized"
    SECRET_IN_DELETION = "secret-in-deletion"  # noqa: S105 - not a password
    SSO_ENABLED = "sso-enabled"  # due, but CloudSSO resets nobody while SSO logon is enabled


DUE = (Fate.DISPATCHED, Fate.ALREADY_DISPATCHED, Fate.WOULD_DISPATCH, Fate.FAILED, Fate.DEFERRED)
EXCLUDED = (Fate.PROTECTED, Fate.DISABLED, Fate.SYNCHRONIZED, Fate.SECRET_IN_DELETION, Fate.SSO_ENABLED)

Tell = Callable[[Fate, UserName], None]


class Due(msgspec.Struct, frozen=True):
    """A user who is due, and what is known of the password's age."""

    user_id: UserId
    user_name: UserName
    threshold: datetime  # a rotation after this satisfies
    rotated_at: datetime | None  # None: not known to have been rotated
    urgency: tuple[datetime, str]  # the smaller the more urgent; the id makes it the same in every run

    @property
    def task_id(self) -> TaskId:
        """Return the id under which this user is dispatched once for this threshold."""
        return task_id(self.user_id, self.threshold)

    def request(self, directory_id: DirectoryId) -> ResetRequest:
        """Return what the rotating function is asked for."""
        user = UserRef(name=self.user_name)
        return ResetRequest(user, self.threshold, Reason.EXPIRING, directory_id=directory_id)


class _LeastUrgentFirst:
    """A place in a heap whose root is the first to go."""

    __slots__ = ("due",)

    def __init__(self, due: Due) -> None:
        self.due = due

    def __lt__(self, other: _LeastUrgentFirst) -> bool:
        return self.due.urgency > other.due.urgency


class MostUrgent(msgspec.Struct):
    """The most urgent of any number of users, and no more of them than there is room for."""

    room: int
    _heap: list[_LeastUrgentFirst] = msgspec.field(default_factory=list)

    def offer(self, due: Due) -> Due | None:
        """Take a user in; return who has to go for it, which may be the same one."""
        if len(self._heap) < self.room:
            heapq.heappush(self._heap, _LeastUrgentFirst(due))
            return None
        return heapq.heappushpop(self._heap, _LeastUrgentFirst(due)).due

    def in_order(self) -> list[Due]:
        """Return those who are in, the most urgent first."""
        return sorted((each.due for each in self._heap), key=lambda due: due.urgency)


class Policy(msgspec.Struct, frozen=True):
    """What the settings decide about a scan."""

    secret_name: Callable[[User], SecretName]
    exemption: Callable[[User], Exemption | None]
    onboards: Callable[[User], bool]
    lead: timedelta
    spread: timedelta
    limit: int


class Plan(msgspec.Struct, frozen=True):
    """Who is to be dispatched, the most urgent first, and what a scan has seen besides."""

    schedule: Schedule
    chosen: tuple[Due, ...]
    users: int
    managed: int  # of them, those who have a secret of ours
    expired: int  # of those who are due, those who cannot log on any more, or may not: chosen or deferred


class Scanner(msgspec.Struct, frozen=True):
    """Finds who is due, through the ports."""

    directory: Directory
    store: SecretStore
    clock: Clock
    policy: Policy
    directory_id: DirectoryId

    def plan(self, as_of: datetime, *, give_up_at: datetime, tell: Tell = lambda _fate, _user: None) -> Plan:
        """Return who is to be dispatched; tell the fate of everybody else.

        Raises what the ports raise, and OutOfTime if reading is not over by `give_up_at`.
        """
        age = self.directory.max_password_age()
        schedule = Schedule.of(as_of, age, lead=self.policy.lead, spread=self.policy.spread)
        sso = self.directory.sso_enabled()
        sorting = _Sorting(schedule, self.policy, self._secrets(give_up_at), tell, sso=sso)
        for page in self._in_time(self.directory.users(), give_up_at):
            for user in page:
                sorting.sort(user)
        return sorting.plan()

    def _secrets(self, give_up_at: datetime) -> _Secrets:
        secrets = _Secrets()
        for page in self._in_time(self.store.managed(self.directory_id), give_up_at):
            for one in page:
                secrets.note(one, future=self.clock.now() + AHEAD)
        return secrets

    def _in_time(self, pages: Iterable[T], give_up_at: datetime) -> Iterator[T]:
        for page in pages:
            if self.clock.now() >= give_up_at:
                message = "The time of the invocation was over before all users and secrets were read."
                raise OutOfTime(
                    message, unchanged="Nothing was dispatched.", cure="Raise the timeout of the scan in s.yaml."
                )
            yield page


class _Secrets(msgspec.Struct):
    """All that is kept of the secrets."""

    rotated: dict[SecretName, datetime | None] = msgspec.field(default_factory=dict)
    leaving: set[SecretName] = msgspec.field(default_factory=set)

    def note(self, one: Managed, *, future: datetime) -> None:
        # Nothing was rotated at an instant to come: whoever wrote that does not keep a user from being rotated.
        to_come = one.rotated_at is not None and one.rotated_at > future
        self.rotated[one.secret] = None if to_come else one.rotated_at
        (self.leaving.add if one.in_deletion else self.leaving.discard)(one.secret)


class _Sorting:
    """Sorts users one by one as they pass by."""

    def __init__(self, schedule: Schedule, policy: Policy, secrets: _Secrets, tell: Tell, *, sso: bool) -> None:
        self._schedule = schedule
        self._policy = policy
        self._secrets = secrets
        self._tell = tell
        self._sso = sso
        self._latest = schedule.latest_threshold()
        self._seen = self._seen_managed = self._seen_expired = 0
        self._expired, self._expiring, self._new = (MostUrgent(policy.limit) for _ in range(3))

    def sort(self, user: User) -> None:
        """Give one user a fate, or a place among the most urgent."""
        secret = self._policy.secret_name(user)
        managed = secret in self._secrets.rotated
        rotated_at = self._secrets.rotated.get(secret)
        if managed:
            self._secrets.rotated[secret] = None  # once is enough, but for a user who is made anew meanwhile
        self._seen += 1
        self._seen_managed += managed
        if exemption := self._policy.exemption(user):
            self._tell(Fate(exemption.value), user.name)
        elif secret in self._secrets.leaving:
            self._tell(Fate.SECRET_IN_DELETION, user.name)
        elif managed:
            self._sort_managed(user, rotated_at)
        elif self._policy.onboards(user):
            self._is_due(self._new, self._due(user, None, user.created or _LONG_AGO))
        else:
            self._tell(Fate.UNMANAGED, user.name)

    def plan(self) -> Plan:
        """Return the plan, once every user has passed by.

        Whoever has expired may be somebody whose rotation fails for good, and would come first in every scan to come.
        So that a hundred of these let nobody else expire, half of the room at least is for those who still can log on;
        and so that nobody is locked out behind them, they take turns.
        """
        limit = self._policy.limit
        expired, expiring, new = (kind.in_order() for kind in (self._expired, self._expiring, self._new))
        first = expired[: limit - min(len(expiring) + len(new), (limit + 1) // 2)]
        then = expiring[: limit - len(first)]
        last = new[: limit - len(first) - len(then)]
        for due in (*expired[len(first) :], *expiring[len(then) :], *new[len(last) :]):
            self._tell(Fate.DEFERRED, due.user_name)
        return Plan(self._schedule, (*first, *then, *last), self._seen, self._seen_managed, self._seen_expired)

    def _sort_managed(self, user: User, rotated_at: datetime | None) -> None:
        if rotated_at is not None and user.created is not None and rotated_at < user.created:
            rotated_at = None  # an earlier user of the same name was: the secret holds that one's password
        if rotated_at is None or self._schedule.has_expired(rotated_at):
            self._is_due(self._expired, self._due(user, rotated_at, _LONG_AGO + self._schedule.turn(user.id)))
            return
        if rotated_at < self._latest:  # or nobody's threshold need be reckoned: the most are not due by far
            due = self._due(user, rotated_at, rotated_at)
            if self._schedule.is_due(rotated_at, due.threshold):
                self._is_due(self._expiring, due)
                return
        self._tell(Fate.NOT_DUE, user.name)

    def _due(self, user: User, rotated_at: datetime | None, urgent_since: datetime) -> Due:
        threshold = self._schedule.threshold(user.directory_id, user.id)
        return Due(user.id, user.name, threshold, rotated_at, (urgent_since, user.id))

    def _is_due(self, kind: MostUrgent, due: Due) -> None:
        if self._sso:
            self._tell(Fate.SSO_ENABLED, due.user_name)
            return
        self._seen_expired += kind is self._expired
        if gone := kind.offer(due):
            self._tell(Fate.DEFERRED, gone.user_name)
