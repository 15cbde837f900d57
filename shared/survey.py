"""Reading where every password stands: all users and secrets, and the versions of those about whom least is sure.

    policy, SSO logon   one call each
    secrets, users      a hundred a call, side by side
    versions            one call a secret: the most suspicious first, and no more than are asked for

Nothing is written, and no value of a secret is ever asked for. A part that cannot be read is a gap, which is told, and
the rest goes on: half a picture is better than none, for somebody who looks at it because something is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from shared.errors import OutOfTime, RotatorError, SecretInDeletion, SecretNotFound
from shared.expiry import Schedule
from shared.model import DirectoryId, Exemption, Managed, SecretName, User
from shared.ports import Clock, Directory, SecretStore
from shared.rotation import LEASE
from shared.status import Gap, Judge, Look, Orphan, Standing, State, Survey, suspicion

T = TypeVar("T")
Tasks = Sequence[Callable[[], Any]]
Together = Callable[[Tasks], list[Any]]


def one_by_one(tasks: Tasks) -> list[Any]:
    """Carry out tasks one after the other; who has threads may do better."""
    return [task() for task in tasks]


class Policy(msgspec.Struct, frozen=True):
    """What the settings decide about a survey."""

    secret_name: Callable[[User], SecretName]
    exemption: Callable[[User], Exemption | None]
    onboards: Callable[[User], bool]
    lead: timedelta
    spread: timedelta
    lookups: int  # the versions of how many secrets are looked at, at most
    at_once: int = 8  # side by side; if all of these fail, no more are looked at
    secret_prefix: str = ""  # what the names of this program's secrets begin with


class Surveyor(msgspec.Struct, frozen=True):
    """Reads where every password stands, through the ports."""

    directory: Directory
    store: SecretStore
    clock: Clock
    policy: Policy
    directory_id: DirectoryId
    together: Together = one_by_one

    def survey(self, *, give_up_at: datetime) -> Survey:
        """Return where every password stands. It raises nothing of what the ports raise: that becomes gaps."""
        as_of = self.clock.now()
        parts = {
            "password policy": self.directory.max_password_age,
            "SSO logon": self.directory.sso_enabled,
            "users": lambda: self._all(self.directory.users(), give_up_at),
            "secrets": lambda: self._all(self.store.managed(self.directory_id), give_up_at),
        }
        read = [_attempt(part, self._in_time(task, give_up_at)) for part, task in parts.items()]
        age, sso, users, secrets = self.together(read)
        schedule = None if isinstance(age, Gap) else self._schedule(as_of, age)
        found = None if isinstance(secrets, Gap) else _by_name(secrets)
        judge = self._judge(as_of, schedule, secrets_known=found is not None)
        known = None if isinstance(users, Gap) else tuple(users)
        left = () if known is None or found is None else _orphans(judge, known, found, self.policy.secret_prefix)
        survey = Survey(
            as_of=as_of,
            directory_id=self.directory_id,
            schedule=schedule,
            adjusted=() if schedule is None else self._adjusted(schedule),
            sso_enabled=None if isinstance(sso, Gap) else sso,
            standings=None if known is None else _standings(judge, known, found or {}),
            orphans=tuple(left),
            gaps=tuple(part for part in (age, sso, users, secrets) if isinstance(part, Gap)),
            looked_at=0,
        )
        candidates = sorted(filter(_worth_a_look, survey.standings or ()), key=suspicion)
        return self.look(survey, candidates[: self.policy.lookups], give_up_at=give_up_at)

    def look(
        self, survey: Survey, whom: Iterable[Standing], *, give_up_at: datetime, unmanaged: bool = False
    ) -> Survey:
        """Return the survey with what the versions of these users' secrets say, as far as they were not looked at.

        `unmanaged`: at secrets without this program's tags too, which were perhaps taken off.
        """
        new = [one for one in whom if one.versions is None and not one.unread]
        wanted = (one for one in new if _worth_a_look(one) or (unmanaged and one.state is State.UNMANAGED))
        todo = list(dict.fromkeys(one.secret for one in wanted))  # a user made anew meanwhile shares the earlier one's
        looks = dict[SecretName, Look]()
        error: RotatorError | None = None
        for start in range(0, len(todo), self.policy.at_once):
            if self.clock.now() >= give_up_at:
                error = error or _out_of_time()
                break
            some = todo[start : start + self.policy.at_once]
            told = dict(
                zip(some, self.together([_attempt("versions", _bound(self._look, s)) for s in some]), strict=True)
            )
            failed = [each for each in told.values() if isinstance(each, Gap)]
            looks |= {s: Look(None, each.error.reason) if isinstance(each, Gap) else each for s, each in told.items()}
            error = failed[0].error if failed else error
            if len(failed) == len(some):
                break  # a permission, or an outage: no need to ask for all the others
        return self._looked(survey, looks, error) if looks or error else survey

    def _looked(self, survey: Survey, looks: Mapping[SecretName, Look], error: RotatorError | None) -> Survey:
        judge = self._judge(survey.as_of, survey.schedule, secrets_known=True)  # or nobody was worth a look

        def anew(one: Standing) -> Standing:
            look = looks.get(one.secret)
            return one if look is None else judge.standing(one.user, one.managed, look)

        standings = tuple(sorted(map(anew, survey.standings or ()), key=lambda one: one.order))
        gaps = survey.gaps
        if error is not None and all(gap.part != "versions" for gap in gaps):
            gaps = (*gaps, Gap("versions", error))
        seen = sum(look.versions is not None for look in looks.values())
        return replace(survey, standings=standings, gaps=gaps, looked_at=survey.looked_at + seen)

    def _look(self, secret: SecretName) -> Look:
        try:
            versions = self.store.versions(secret)
        except SecretInDeletion as gone:  # since the list was read: that is about this secret, and not about KMS
            return Look(None, gone.reason)
        return Look(None, SecretNotFound.reason) if versions is None else Look(versions)

    def _schedule(self, as_of: datetime, age: timedelta) -> Schedule:
        return Schedule.of(as_of, age, lead=self.policy.lead, spread=self.policy.spread)

    def _adjusted(self, schedule: Schedule) -> tuple[str, ...]:
        cut = {
            "ROTATE_BEFORE_EXPIRY_DAYS": schedule.lead != self.policy.lead,
            "SPREAD_DAYS": schedule.spread != self.policy.spread,
        }
        return tuple(name for name, changed in cut.items() if changed)

    def _judge(self, as_of: datetime, schedule: Schedule | None, *, secrets_known: bool) -> Judge:
        policy = self.policy
        return Judge(
            as_of=as_of,
            schedule=schedule,
            secret_name=policy.secret_name,
            exemption=policy.exemption,
            onboards=policy.onboards,
            secrets_known=secrets_known,
            seen_at=self.clock.now(),  # reading takes minutes, and rotations go on meanwhile
        )

    def _all(self, pages: Iterable[Sequence[T]], give_up_at: datetime) -> list[T]:
        left = iter(pages)
        read = self._in_time(lambda: next(left, None), give_up_at)
        return [each for page in iter(read, None) for each in page or ()]

    def _in_time(self, task: Callable[[], T], give_up_at: datetime) -> Callable[[], T]:
        """Return the task, not to be begun once it is time to answer: where few run side by side, others wait."""

        def in_time() -> T:
            if self.clock.now() >= give_up_at:
                raise _out_of_time()
            return task()

        return in_time


def _out_of_time() -> OutOfTime:
    message = "The time of the invocation was over before all of it was read."
    return OutOfTime(message, cure="Raise the timeout of rotation_status in s.yaml, or lower STATUS_LOOKUPS.")


def _attempt(part: str, task: Callable[[], T]) -> Callable[[], T | Gap]:
    def attempt() -> T | Gap:
        try:
            return task()
        except RotatorError as error:
            failed = error
        failed = failed.retold("Nothing was changed.")  # no password is at stake: nobody rotates here
        failed.__context__ = failed.__cause__ = None
        return Gap(part, failed.with_traceback(None))  # frames know the credentials' signer, and a survey is kept

    return attempt


def _bound(look: Callable[[SecretName], Look], secret: SecretName) -> Callable[[], Look]:
    return lambda: look(secret)


def _by_name(secrets: Iterable[Managed]) -> dict[SecretName, Managed]:
    return {one.secret: one for one in secrets}  # the last word about each counts (ports.py)


def _standings(judge: Judge, users: Iterable[User], secrets: Mapping[SecretName, Managed]) -> tuple[Standing, ...]:
    judged = (judge.standing(user, secrets.get(judge.secret_name(user))) for user in users)
    return tuple(sorted(judged, key=lambda one: one.order))


def _orphans(
    judge: Judge, users: Sequence[User], secrets: Mapping[SecretName, Managed], prefix: str
) -> Iterator[Orphan]:
    by_id = {user.id: user for user in users}
    theirs = set(map(judge.secret_name, users))
    for name in sorted(secrets.keys() - theirs):
        managed = secrets[name]
        if managed.updated is not None and managed.updated > judge.as_of - LEASE:
            continue  # made, perhaps, for a user who was created after the users' list began; clocks differ
        now = None if managed.user_id is None else by_id.get(managed.user_id)
        yield Orphan(managed, now, strange=not name.startswith(prefix))


def _worth_a_look(one: Standing) -> bool:
    """Tell whether the versions of a user's secret can change what is known: KMS shows none of one in deletion."""
    exempt = one.state in (State.PROTECTED, State.DISABLED, State.SYNCHRONIZED)
    return one.managed is not None and not one.managed.in_deletion and not exempt
