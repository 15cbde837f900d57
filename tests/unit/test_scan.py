"""Who a scan dispatches, in which order, and what becomes of everybody else."""

from __future__ import annotations

import cProfile
import pstats
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.errors import DirectoryUnavailable, OutOfTime, SecretStoreUnavailable
from shared.model import Exemption, Managed, Reason, ResetRequest, SecretName, User, UserId, UserName, UserRef
from shared.scan import DUE, EXCLUDED, Due, Fate, MostUrgent, Plan, Policy, Scanner
from tests.fakes import DIRECTORY, NOON, FakeClock, FakeDirectory, FakeStore, Faults, user

DAY = timedelta(days=1)
OLD = 80  # days: due by any hash, and not expired
FRESH = 10
CALLS_PER_USER = 30  # of functions, those of the test's own ports included: 21 to 25 by the version of Python
TABOO = {"root": Exemption.PROTECTED, "frank": Exemption.DISABLED, "scim": Exemption.SYNCHRONIZED}


def secret_of(one: User) -> SecretName:
    return SecretName(f"cloudsso/{one.name}")


@dataclass
class World:
    """A scanner over fakes, and what it told."""

    limit: int = 100
    onboards: Callable[[User], bool] = lambda _user: False
    lead: int = 14
    clock: FakeClock = field(default_factory=FakeClock)
    faults: Faults = field(default_factory=Faults)
    told: dict[Fate, list[UserName]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory = FakeDirectory(self.clock.now, faults=self.faults)
        self.store = FakeStore(self.clock.now, self.faults)

    def add(self, name: str, days: float | None = None, *, managed: bool = True, opted_in: bool = False) -> User:
        """Add a user whose password was rotated so many days ago; None: whose first rotation never ended."""
        one = replace(user(name), opted_in=opted_in)
        self.directory.known.append(one)
        if managed:
            self.store.keep(secret_of(one), DIRECTORY, None if days is None else NOON - days * DAY)
        return one

    def scan(self, as_of: datetime = NOON, minutes: float = 10) -> Plan:
        scanner = Scanner(
            directory=self.directory,
            store=self.store,
            clock=self.clock,
            policy=Policy(
                secret_name=secret_of,
                exemption=lambda one: TABOO.get(one.name),
                onboards=self.onboards,
                lead=self.lead * DAY,
                spread=3 * DAY,
                limit=self.limit,
            ),
            directory_id=DIRECTORY,
        )
        self.told.clear()
        return scanner.plan(as_of, give_up_at=self.clock.now() + minutes * timedelta(minutes=1), tell=self.tell)

    def tell(self, fate: Fate, name: UserName) -> None:
        self.told.setdefault(fate, []).append(name)

    def chosen(self) -> list[str]:
        return [due.user_name for due in self.scan().chosen]


# ----------------------------------------------------------------------------------------------------------- who is due


def test_of_two_users_the_one_who_is_due_is_chosen_and_the_other_is_not_due() -> None:
    world = World()
    world.add("alice", OLD)
    world.add("bob", FRESH)
    assert world.chosen() == ["alice"]
    assert world.told == {Fate.NOT_DUE: ["bob"]}


def test_whoever_is_chosen_is_asked_for_since_the_threshold_under_a_task_id_of_its_own() -> None:
    world = World()
    alice = world.add("alice", OLD)
    plan = world.scan()
    (due,) = plan.chosen
    threshold = plan.schedule.threshold(DIRECTORY, alice.id)
    assert due.request(DIRECTORY) == ResetRequest(
        UserRef(name=alice.name), threshold, Reason.EXPIRING, directory_id=DIRECTORY
    )
    assert due.task_id == f"expiring-u-alice-{threshold:%Y%m%dT%H%M%SZ}"


def test_a_scan_repeated_within_the_hour_chooses_the_same_users_under_the_same_ids() -> None:
    world = World()
    world.add("alice", OLD)
    world.add("bob", None)
    first = [due.task_id for due in world.scan(NOON).chosen]
    assert [due.task_id for due in world.scan(NOON + timedelta(minutes=59)).chosen] == first
    assert [due.task_id for due in world.scan(NOON + timedelta(minutes=60)).chosen] != first


def test_the_most_urgent_come_first_and_whoever_has_expired_or_may_have_before_all() -> None:
    world = World()
    for name, days in [("alice", 77), ("bob", 89), ("carol", None), ("dave", 100), ("erin", 78)]:
        world.add(name, days)
    chosen = world.chosen()
    assert set(chosen[:2]) == {"carol", "dave"}
    assert chosen[2:] == ["bob", "erin", "alice"]


def test_equally_urgent_users_come_in_the_order_of_their_ids() -> None:
    world = World()
    for name in ("carol", "alice", "bob"):
        world.add(name, OLD)
    assert world.chosen() == ["alice", "bob", "carol"]


def test_a_tag_that_says_an_instant_to_come_keeps_nobody_from_being_rotated() -> None:
    world = World()
    world.add("alice", -1)
    world.add("bob", -3 / 86400)  # a clock that is three seconds ahead is none of these
    assert world.chosen() == ["alice"]


def test_a_user_who_is_made_anew_while_others_pass_by_is_still_one_with_a_secret() -> None:
    world = World()
    first = world.add("alice", OLD)
    world.directory.known.append(replace(first, id=UserId("u-anew")))
    world.scan()
    assert Fate.UNMANAGED not in world.told


def test_a_secret_of_an_earlier_user_of_the_same_name_was_never_published_for_this_one() -> None:
    world = World()
    anew = world.add("alice", FRESH)
    world.directory.known[0] = replace(anew, created=NOON - DAY)
    assert world.chosen() == ["alice"]


# ---------------------------------------------------------------------------------------------------- who is left alone


def test_a_user_without_a_secret_is_unmanaged_and_left_alone() -> None:
    world = World()
    world.add("alice", managed=False, opted_in=True)
    assert world.chosen() == []
    assert world.told == {Fate.UNMANAGED: ["alice"]}


def test_a_secret_of_another_directorys_or_of_nobodys_manages_nobody() -> None:
    world = World()
    alice, bob = world.add("alice", OLD), world.add("bob", OLD)
    world.store.tagged[secret_of(alice)]["DirectoryId"] = "d-other"
    del world.store.tagged[secret_of(bob)]["ManagedBy"]
    assert world.chosen() == []
    assert world.told == {Fate.UNMANAGED: ["alice", "bob"]}


@pytest.mark.parametrize("managed", [True, False])
def test_protected_disabled_and_synchronized_users_are_excluded_due_or_not(*, managed: bool) -> None:
    world = World(onboards=lambda _user: True)
    for name in TABOO:
        world.add(name, OLD, managed=managed)
    assert world.chosen() == []
    assert world.told == {Fate.PROTECTED: ["root"], Fate.DISABLED: ["frank"], Fate.SYNCHRONIZED: ["scim"]}


def test_a_user_whose_secret_waits_for_its_deletion_is_excluded() -> None:
    world = World(onboards=lambda _user: True)
    world.store.leaving.add(secret_of(world.add("alice", OLD)))
    assert world.chosen() == []
    assert world.told == {Fate.SECRET_IN_DELETION: ["alice"]}


def test_while_sso_logon_is_enabled_whoever_is_due_is_excluded() -> None:
    world = World(onboards=lambda one: one.name == "carol")
    world.directory.sso = True
    world.add("alice", OLD)
    world.add("bob", FRESH)
    world.add("carol", managed=False)
    assert world.chosen() == []
    assert world.told == {Fate.SSO_ENABLED: ["alice", "carol"], Fate.NOT_DUE: ["bob"]}
    assert world.faults.calls["sso_enabled"] == 1


# ----------------------------------------------------------------------------------------------------------- onboarding


def test_onboarding_takes_whom_it_selects_after_everybody_who_is_managed() -> None:
    world = World(onboards=lambda one: one.opted_in)
    world.add("zoe", managed=False, opted_in=True)
    world.add("anne", managed=False)
    world.add("bob", 77)
    assert world.chosen() == ["bob", "zoe"]
    assert world.told == {Fate.UNMANAGED: ["anne"]}


def test_onboarding_asks_for_a_rotation_since_the_threshold_too() -> None:
    world = World(onboards=lambda _user: True)
    alice = world.add("alice", managed=False)
    plan = world.scan()
    assert [due.threshold for due in plan.chosen] == [plan.schedule.threshold(DIRECTORY, alice.id)]


def test_the_longest_there_are_onboarded_first() -> None:
    world = World(limit=2, onboards=lambda _user: True)
    for name, days in [("alice", 1), ("bob", 300), ("carol", 20)]:
        world.directory.known.append(replace(user(name), created=NOON - days * DAY))
    assert world.chosen() == ["bob", "carol"]


# ------------------------------------------------------------------------------------------------------------ the limit


def test_beyond_the_limit_the_least_urgent_are_deferred_and_named() -> None:
    world = World(limit=2)
    for name, days in [("alice", 77), ("bob", 89), ("carol", 79), ("dave", 78)]:
        world.add(name, days)
    assert world.chosen() == ["bob", "carol"]
    assert sorted(world.told[Fate.DEFERRED]) == ["alice", "dave"]


def test_users_whose_rotation_fails_for_good_do_not_let_the_others_expire() -> None:
    world = World(limit=4)
    for number in range(10):
        world.add(f"broken{number}", None if number % 2 else 200)
    for name in ("alice", "bob", "carol"):
        world.add(name, OLD)
    assert world.chosen()[2:] == ["alice", "bob"]


@pytest.mark.parametrize(("limit", "others"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
@pytest.mark.parametrize("kind", ["expiring", "new"])
def test_those_who_have_expired_get_half_of_the_room_at_most(limit: int, others: int, kind: str) -> None:
    world = World(limit=limit, onboards=lambda _user: True)
    for number in range(10):
        world.add(f"broken{number}", 200)
        world.add(f"other{number}", OLD, managed=kind == "expiring")
    assert sum(name.startswith("other") for name in world.chosen()) == others


def test_those_who_have_expired_or_may_have_are_counted_whether_there_is_room_or_not() -> None:
    world = World(limit=2, onboards=lambda _user: True)
    for name, days in [("alice", 100), ("bob", 91), ("carol", None), ("dave", OLD), ("erin", FRESH)]:
        world.add(name, days)
    world.add("frieda", managed=False)
    assert world.scan().expired == 3
    world.directory.sso = True
    assert world.scan().expired == 0


@pytest.mark.parametrize("days", [None, 95])
def test_users_whose_rotation_fails_for_good_lock_nobody_out_who_has_expired_too(days: int | None) -> None:
    world = World(limit=4)
    for number in range(10):
        world.add(f"broken{number}", None if number % 2 else 200)
    world.add("zoe", days)
    nights = [world.scan(NOON + night * DAY).chosen for night in range(30)]
    assert 4 < sum("zoe" in [due.user_name for due in night] for night in nights) < 20


def test_a_scan_repeated_within_the_hour_chooses_the_same_of_those_who_have_expired() -> None:
    world = World(limit=4)
    for number in range(10):
        world.add(f"broken{number}", 200)
    first = [due.task_id for due in world.scan(NOON).chosen]
    assert [due.task_id for due in world.scan(NOON + timedelta(minutes=59)).chosen] == first


def test_half_of_the_room_is_kept_for_nobody_who_does_not_need_it() -> None:
    world = World(limit=4)
    for number in range(10):
        world.add(f"broken{number}", 200)
    assert len(world.chosen()) == 4
    world.add("alice", OLD)
    assert world.chosen().index("alice") == 3


USERS = st.lists(
    st.tuples(
        st.sampled_from(["plain", "unmanaged", "onboarded", "leaving", *TABOO]),
        st.none() | st.floats(0, 200, allow_nan=False),
    ),
    max_size=40,
)


@given(USERS, st.integers(1, 12), st.booleans())
def test_every_user_has_exactly_one_fate(kinds: list[tuple[str, float | None]], limit: int, sso: bool) -> None:  # noqa: FBT001 - hypothesis gives it by position
    world = World(limit=limit, onboards=lambda one: one.name.startswith("onboarded"))
    world.directory.sso = sso
    for number, (kind, days) in enumerate(kinds):
        name = kind if kind in TABOO else f"{kind}{number}"
        one = world.add(name, days, managed=kind not in ("unmanaged", "onboarded"))
        if kind == "leaving":
            world.store.leaving.add(secret_of(one))
    plan = world.scan()
    told = [name for names in world.told.values() for name in names]
    assert sorted([*told, *(due.user_name for due in plan.chosen)]) == sorted(one.name for one in world.directory.known)
    assert plan.users == len(kinds)
    assert len(plan.chosen) <= limit
    if sso:
        assert plan.chosen == ()
    elif Fate.DEFERRED in world.told:
        assert len(plan.chosen) == limit


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 10))
def test_the_most_urgent_are_kept_and_everybody_else_comes_back(ages: list[int], room: int) -> None:
    def due(number: int, age: int) -> Due:
        since = NOON - age * DAY
        return Due(UserId(f"u-{number:02}"), UserName("x"), NOON, since, (since, f"u-{number:02}"))

    everybody = [due(number, age) for number, age in enumerate(ages)]
    kept = MostUrgent(room)
    gone = [back for each in everybody if (back := kept.offer(each)) is not None]
    in_order = sorted(everybody, key=lambda each: each.urgency)
    assert kept.in_order() == in_order[:room]
    assert sorted(gone, key=lambda each: each.urgency) == in_order[room:]


def test_every_fate_is_of_one_kind() -> None:
    assert {*DUE, *EXCLUDED, Fate.NOT_DUE, Fate.UNMANAGED} == set(Fate)
    assert not set(DUE) & set(EXCLUDED)


# ------------------------------------------------------------------------------------------------------- failing closed


@pytest.mark.parametrize("call", ["max_password_age", "sso_enabled", "users", "managed"])
def test_what_cannot_be_read_ends_the_scan(call: str) -> None:
    world = World()
    world.add("alice", OLD)
    error = SecretStoreUnavailable if call == "managed" else DirectoryUnavailable
    world.faults.refuse[call, 1] = error("no")
    with pytest.raises(error):
        world.scan()


@pytest.mark.parametrize(("call", "error"), [("users", DirectoryUnavailable), ("managed", SecretStoreUnavailable)])
def test_a_later_page_that_cannot_be_read_ends_the_scan_too(call: str, error: type[Exception]) -> None:
    world = World()
    for number in range(250):
        world.add(f"user{number}", OLD)
    world.faults.refuse[call, 3] = error("no")
    with pytest.raises(error):
        world.scan()


@pytest.mark.parametrize("call", ["users", "managed"])
def test_a_scan_that_cannot_read_everything_in_time_gives_up_and_says_that_nothing_was_dispatched(call: str) -> None:
    world = World()
    for number in range(150):
        world.add(f"user{number}", OLD)
    world.faults.then[call, 1] = lambda: world.clock.advance(700)
    with pytest.raises(OutOfTime, match="Nothing was dispatched") as raised:
        world.scan(minutes=10)
    assert raised.value.retryable


def test_reading_other_peoples_secrets_is_given_up_in_time_too() -> None:
    world = World()
    for number in range(150):
        world.store.write(SecretName(f"somebody-elses/{number:03}"), "r1")
    world.faults.then["managed", 1] = lambda: world.clock.advance(700)
    with pytest.raises(OutOfTime, match="Nothing was dispatched"):
        world.scan(minutes=10)


def test_a_listing_that_leads_on_and_on_without_anybody_is_given_up_in_time() -> None:
    world = World()

    def nobody() -> Iterator[tuple[User, ...]]:
        while True:
            world.clock.advance(1)
            yield ()

    world.directory.users = nobody  # type: ignore[method-assign] # another server
    with pytest.raises(OutOfTime):
        world.scan(minutes=10)


# ----------------------------------------------------------------------------------------------------- calls and memory


def test_calls_grow_with_pages_and_never_with_users() -> None:
    world = World()
    for number in range(1000):
        world.add(f"user{number}", OLD if number % 7 == 0 else FRESH)
    world.scan()
    assert world.faults.calls == {"max_password_age": 1, "sso_enabled": 1, "users": 10, "managed": 10}


class Endless:
    """Both ports, with users and secrets made as they are asked for and kept nowhere."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.kept: list[int] = []  # bytes that the scan keeps, when the first user is asked for and after the last

    def max_password_age(self) -> timedelta:
        return 90 * DAY

    def sso_enabled(self) -> bool:
        return False

    def users(self) -> Iterator[tuple[User, ...]]:
        self._weigh()
        for number in range(self.count):
            yield (user(f"user{number:06}@example.com"),)
        self._weigh()

    def managed(self, _directory_id: str) -> Iterator[tuple[Managed, ...]]:
        names = (SecretName(f"cloudsso/user{number:06}@example.com") for number in range(self.count))
        return ((Managed(name, NOON - (number % 90) * DAY),) for number, name in enumerate(names))

    def scan(self) -> None:
        policy = Policy(secret_of, lambda _user: None, lambda _user: False, 14 * DAY, 3 * DAY, 100)
        scanner = Scanner(self, self, FakeClock(), policy, DIRECTORY)  # type: ignore[arg-type] # the half that is used
        scanner.plan(NOON, give_up_at=NOON + DAY)

    def _weigh(self) -> None:
        if tracemalloc.is_tracing():
            self.kept.append(tracemalloc.get_traced_memory()[0])


def memory(count: int) -> tuple[int, int, int]:
    """Return how many bytes a scan of so many users keeps at most, before the first user, and after the last."""
    endless = Endless(count)
    tracemalloc.start()
    try:
        endless.scan()
        before, after = endless.kept
        return tracemalloc.get_traced_memory()[1], before, after
    finally:
        tracemalloc.stop()


def test_a_user_costs_the_memory_of_one_secrets_name_and_time() -> None:
    per_user = (memory(6000)[0] - memory(2000)[0]) / 4000
    assert per_user < 300  # bytes: a hundred thousand users are 30 MB


def test_what_is_kept_of_a_secret_is_its_name_when_its_user_has_passed_by() -> None:
    (_, few_before, few_after), (_, before, after) = memory(2000), memory(6000)
    assert (after - few_after) < (before - few_before) * 0.8  # its time is gone; a dictionary gives no room back


def calls(count: int) -> int:
    """Return how many calls of functions a scan of so many users takes, those of the ports included."""
    profile = cProfile.Profile()
    profile.enable()
    Endless(count).scan()
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # pstats's own attribute, not typed


def test_every_user_takes_as_much_work_as_the_one_before() -> None:
    first, second, third = calls(1000), calls(2000), calls(3000)
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert (third - second) / 1000 < CALLS_PER_USER
