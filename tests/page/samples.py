"""Made-up directories: what a survey of them says, and what a doctor would find. The same ones every time."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from shared.commands import Commands
from shared.doctor import Doctor, Finding
from shared.expiry import Schedule
from shared.model import (
    CURRENT,
    DirectoryId,
    Exemption,
    Managed,
    SecretName,
    User,
    UserId,
    UserName,
    Version,
    VersionId,
)
from shared.status import ALARMING, Gap, Judge, Look, Selection, Standing, State, Survey, select

NOW = datetime(2026, 3, 3, 8, 41, tzinfo=timezone.utc)
DIRECTORY = DirectoryId("d-00fc2p61example")
DAY = timedelta(days=1)
PER_PAGE = 50
SCHEDULE = Schedule.of(NOW, 90 * DAY, lead=14 * DAY, spread=3 * DAY)

GIVEN = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "kim",
    "liam",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "quentin",
    "rupert",
    "sybil",
    "trent",
    "ursula",
    "victor",
    "walter",
    "xin",
    "yara",
    "zoe",
]
FAMILY = [
    "adams",
    "brown",
    "chen",
    "diaz",
    "evans",
    "fischer",
    "garcia",
    "huang",
    "ito",
    "jones",
    "khan",
    "li",
    "meyer",
    "novak",
    "okafor",
    "petrov",
    "rossi",
]

Kind = Callable[[User, random.Random], "tuple[Managed | None, Look | None]"]


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same directory every time


def secret_of(one: User) -> SecretName:
    return SecretName(f"cloudsso/{DIRECTORY}/{one.name}")


def made(name: str, *, enabled: bool = True, synchronized: bool = False) -> User:
    return User(
        DIRECTORY,
        UserId(f"u-{zlib.crc32(name.encode()):010d}"),
        UserName(name),
        enabled=enabled,
        synchronized=synchronized,
        created=NOW - 400 * DAY,
    )


def version(number: str, when: datetime, *, current: bool = False) -> Version:
    return Version(VersionId(number), when, frozenset({CURRENT} if current else ()))


def rotated(days: float, number: int = 3, *more: Version) -> tuple[datetime, Look]:
    """Return an orderly rotation so many days ago, and the versions that it left."""
    when = NOW - days * DAY
    claim = version(f"r{number}-c1", when - timedelta(seconds=2))
    return when, Look((claim, version(f"r{number}", when, current=not any(one.stages for one in more)), *more))


def fresh(one: User, chance: random.Random, days: float | None = None, *more: Version) -> tuple[Managed, Look]:
    when, look = rotated(chance.uniform(0, 72) if days is None else days, chance.randint(1, 9), *more)
    return Managed(secret_of(one), when, user_id=one.id, updated=when), look


def due(one: User, chance: random.Random) -> tuple[Managed, Look]:
    """Return somebody who is due since the last night or the one before."""
    when = NOW - 77 * DAY
    since = (NOW - SCHEDULE.due_at(when, one.directory_id, one.id)) / DAY
    return fresh(one, chance, 77 - since + chance.uniform(0.1, 1.9))


def expired(one: User, chance: random.Random) -> tuple[Managed, Look]:
    return fresh(one, chance, chance.uniform(90.2, 97))


def stuck(one: User, chance: random.Random) -> tuple[Managed, Look]:
    when, look = rotated(chance.uniform(20, 70))
    claim = version("r4-c1", NOW - timedelta(hours=chance.randint(2, 40)))
    notes = (f"{claim.id}:reset-outcome-unknown",)
    return Managed(secret_of(one), when, user_id=one.id, notes=notes), Look((*(look.versions or ()), claim))


def in_progress(one: User, chance: random.Random) -> tuple[Managed, Look]:
    when, look = rotated(78)
    return Managed(secret_of(one), when), Look((*(look.versions or ()), version("r4-c1", NOW - timedelta(seconds=9))))


def foreign(one: User, chance: random.Random) -> tuple[Managed, Look]:
    return fresh(one, chance, 30, version("set-by-hand", NOW - 2 * DAY, current=True))


def in_deletion(one: User, chance: random.Random) -> tuple[Managed, Look | None]:
    managed, _ = fresh(one, chance, 12)
    return Managed(managed.secret, managed.rotated_at, in_deletion=True), None


def unmanaged(one: User, chance: random.Random) -> tuple[None, None]:
    return None, None


KINDS: dict[State, Kind] = {
    State.EXPIRED: expired,
    State.STUCK: stuck,
    State.FOREIGN: foreign,
    State.SECRET_IN_DELETION: in_deletion,
    State.DUE: due,
    State.UNMANAGED: unmanaged,
    State.IN_PROGRESS: in_progress,
    State.FRESH: fresh,
}


def exemption(one: User) -> Exemption | None:
    if one.name.startswith(("root", "break-glass")):
        return Exemption.PROTECTED
    if not one.enabled:
        return Exemption.DISABLED
    return Exemption.SYNCHRONIZED if one.synchronized else None


def judge(schedule: Schedule | None = SCHEDULE) -> Judge:
    return Judge(NOW, schedule, secret_of, exemption, lambda one: one.name < "c", secrets_known=True)


def survey(
    standings: Iterable[Standing] | None,
    *,
    schedule: Schedule | None = SCHEDULE,
    sso_enabled: bool | None = False,
    gaps: Sequence[Gap] = (),
    looked_at: int | None = None,
) -> Survey:
    rows = None if standings is None else tuple(sorted(standings, key=lambda one: one.order))
    seen = sum(one.versions is not None for one in rows or ())
    return Survey(
        as_of=NOW,
        directory_id=DIRECTORY,
        schedule=schedule,
        adjusted=(),
        sso_enabled=sso_enabled,
        standings=rows,
        orphans=(),
        gaps=tuple(gaps),
        looked_at=seen if looked_at is None else looked_at,
    )


def standing(name: str, state: State = State.FRESH, *, seed: int = 1) -> Standing:
    """Return a user in a state, as a survey would find one."""
    if state in (State.SYNCHRONIZED, State.DISABLED):
        one = made(name, enabled=state is not State.DISABLED, synchronized=state is State.SYNCHRONIZED)
        return judge().standing(one, None, None)
    if state is State.PROTECTED:
        return judge().standing(made(f"root-{name}"), None, None)
    one = made(name)
    if state is State.UNKNOWN:
        return replace(judge(), secrets_known=False).standing(one, None)
    found = judge().standing(one, *KINDS[state](one, dice(seed)))
    assert found.state is state, (found.state, state)
    return found


def names(count: int) -> list[str]:
    """Return as many user names, all different."""
    pairs = len(GIVEN) * len(FAMILY)
    found = []
    for index in range(count):
        given, family = GIVEN[index * 7 % len(GIVEN)], FAMILY[index // len(GIVEN) % len(FAMILY)]
        again = index // pairs
        found.append(f"{given}.{family}{again or ''}")
    return found


def crowd(count: int, *, looked_at: int = 200, trouble: bool = True) -> Survey:
    """Return a directory of so many users: most in order and, with trouble, a few in every other state."""
    chance = dice(count)
    rows = []
    for index, name in enumerate(names(count)):
        draw = chance.random()
        state = State.FRESH
        if trouble and count > 20 and index < 9:
            state = (*ALARMING, State.STUCK, State.EXPIRED, State.IN_PROGRESS, State.DUE, State.UNMANAGED)[index]
        elif draw < 0.03:
            state = State.DUE
        elif draw < 0.07 and trouble:
            state = State.UNMANAGED
        elif draw < 0.09 and count > 20:
            state = (State.SYNCHRONIZED, State.PROTECTED, State.DISABLED)[index % 3]
        one = standing(name, state, seed=index)
        rows.append(one)
    found = survey(rows)
    return blurred(found, looked_at)


def blurred(found: Survey, looked_at: int) -> Survey:
    """Forget the versions of all but the first so many secrets."""
    rows, seen = [], 0
    for one in found.standings or ():
        if one.versions is not None and seen >= looked_at:
            rows.append(
                Standing(
                    user=one.user,
                    secret=one.secret,
                    state=one.state,
                    managed=one.managed,
                    rotated_at=one.rotated_at,
                    expires_at=one.expires_at,
                    due_at=one.due_at,
                    last=one.last,
                )
            )
        else:
            seen += one.versions is not None
            rows.append(one)
    return survey(rows, looked_at=seen)


def selected(found: Survey, state: State | None = None, search: str = "", page: int = 1) -> Selection:
    """Return a page of those who match."""
    return select(found.standings or (), state=state, search=search, page=page, per_page=PER_PAGE)


def findings(found: Survey) -> tuple[Finding, ...]:
    """Return what the doctor says."""
    return Doctor(Commands(DIRECTORY, "cn-shanghai", "cn-shanghai")).findings(found)
