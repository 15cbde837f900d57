"""What a survey reads, in which order, and what becomes of it where a part cannot be read."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.errors import (
    DirectoryDenied,
    DirectoryUnavailable,
    OutOfTime,
    RotatorError,
    SecretInDeletion,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    SettingsError,
)
from shared.model import DirectoryId, Exemption, Managed, SecretName, User, UserId, UserName, VersionId
from shared.rotation import LEASE
from shared.status import Standing, State, Survey
from shared.survey import Policy, Surveyor, Tasks, one_by_one
from tests.fakes import DIRECTORY, NOON, PAGE, FakeClock, FakeDirectory, FakeStore, Faults, user

DAY = timedelta(days=1)
CALLS_PER_USER = 130  # of functions, those of the test's own ports included: about 50, or 90 for one who is looked at
TABOO = {"root": Exemption.PROTECTED, "frank": Exemption.DISABLED, "scim": Exemption.SYNCHRONIZED}
PARTS = {
    "max_password_age": "password policy",
    "sso_enabled": "SSO logon",
    "users": "users",
    "managed": "secrets",
    "versions": "versions",
}
ERRORS = [
    DirectoryDenied("no permission"),
    SecretStoreDenied("no permission"),
    SecretStoreUnavailable("down"),
    SecretRefused("no such thing"),
    SettingsError("no such directory"),
]


def secret_of(one: User) -> SecretName:
    return SecretName(f"cloudsso/{one.name}")


@dataclass
class World:
    """A surveyor over fakes, and how it called them."""

    lookups: int = 100
    at_once: int = 3
    lead: int = 14
    spread: int = 3
    clock: FakeClock = field(default_factory=FakeClock)
    faults: Faults = field(default_factory=Faults)
    looked: list[SecretName] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    refuse: dict[str, RotatorError] = field(default_factory=dict)  # by whose secret's versions cannot be read

    def __post_init__(self) -> None:
        self.directory = FakeDirectory(self.clock.now, faults=self.faults)
        self.store = FakeStore(self.clock.now, self.faults)
        versions = self.store.versions

        def recorded(secret: SecretName) -> object:
            self.looked.append(secret)
            if error := self.refuse.get(secret.removeprefix("cloudsso/")):
                raise error
            return versions(secret)

        self.store.versions = recorded  # type: ignore[method-assign,assignment] # the same, overheard

    def add(self, name: str, days: float | None = None, *, created: datetime | None = None) -> User:
        """Add a user whose password was rotated so many days ago; None: who has no secret."""
        one = replace(user(name), created=created)
        self.directory.known.append(one)
        if days is not None:
            self.rotate(one, NOON - days * DAY)
        return one

    def rotate(self, one: User, at: datetime) -> None:
        """Be the rotator."""
        secret, now = secret_of(one), self.clock.time
        self.clock.time = at
        number = len(self.store.secrets.get(secret, [])) // 2 + 1
        self.store.write(secret, f"r{number}-c1", '{"Claim": {}}')
        self.store.write(secret, f"r{number}")
        self.tag(secret, UserId=one.id, RotatedAt=at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.clock.time = now

    def claim(self, one: User, at: datetime, version: str = "r2-c1") -> None:
        """Be a rotator that is killed once its claim is staked."""
        now, self.clock.time = self.clock.time, at
        self.store.put(secret_of(one), VersionId(version), "claim", stage="Rotating", send_by=at)  # type: ignore[arg-type]
        self.clock.time = now

    def tag(self, secret: SecretName, **tags: str) -> None:
        ours = {"ManagedBy": "cloudsso-rotator", "DirectoryId": DIRECTORY}
        self.store.tagged.setdefault(secret, {}).update(ours | tags)

    def together(self, tasks: Tasks) -> list[object]:
        self.batches.append(len(tasks))
        return one_by_one(tasks)

    @property
    def surveyor(self) -> Surveyor:
        policy = Policy(
            secret_name=secret_of,
            exemption=lambda one: TABOO.get(one.name),
            onboards=lambda one: one.opted_in,
            lead=self.lead * DAY,
            spread=self.spread * DAY,
            lookups=self.lookups,
            at_once=self.at_once,
            secret_prefix="cloudsso/",
        )
        return Surveyor(self.directory, self.store, self.clock, policy, DIRECTORY, together=self.together)

    def survey(self, seconds: float = 600) -> Survey:
        self.looked.clear()
        self.batches.clear()
        self.faults.calls.clear()
        return self.surveyor.survey(give_up_at=self.clock.now() + timedelta(seconds=seconds))

    def look(self, survey: Survey, whom: Sequence[Standing], *, unmanaged: bool = False, seconds: float = 60) -> Survey:
        self.looked.clear()
        give_up_at = self.clock.now() + timedelta(seconds=seconds)
        return self.surveyor.look(survey, whom, give_up_at=give_up_at, unmanaged=unmanaged)

    def sees(self, survey: Survey | None = None) -> dict[str, str]:
        found = self.survey() if survey is None else survey
        return {one.user.name: one.state.value for one in found.standings or ()}

    @property
    def names_looked_at(self) -> list[str]:
        return [secret.removeprefix("cloudsso/") for secret in self.looked]


def small() -> World:
    """Return a directory in which everybody is somewhere else."""
    world = World()
    world.add("fresh", 10)
    world.add("due", 80)
    world.add("expired", 99)
    world.claim(world.add("stuck", 20), NOON - LEASE)
    world.add("nobody")
    world.add("root", 10)
    return world


# ------------------------------------------------------------------------------------------------- the whole picture


def test_everybody_is_seen_the_urgent_first_with_what_their_versions_say() -> None:
    world = small()
    survey = world.survey()
    assert list(world.sees(survey).items()) == [
        ("expired", "expired"),
        ("stuck", "stuck"),
        ("due", "due"),
        ("nobody", "unmanaged"),
        ("fresh", "fresh"),
        ("root", "protected"),
    ]
    assert (survey.as_of, survey.directory_id, survey.sso_enabled) == (NOON, DIRECTORY, False)
    assert (survey.complete, survey.looked_at, survey.orphans, survey.adjusted) == (True, 4, (), ())
    assert survey.schedule is not None
    assert (survey.schedule.max_age, survey.schedule.lead, survey.schedule.spread) == (90 * DAY, 14 * DAY, 3 * DAY)
    shown = {one.user.name for one in survey.standings or () if one.versions is not None}
    assert shown == {"expired", "stuck", "due", "fresh"}


def test_an_empty_directory_is_seen_as_that() -> None:
    survey = World().survey()
    assert (survey.standings, survey.orphans, survey.complete, survey.looked_at) == ((), (), True, 0)


def test_calls_grow_with_pages_and_with_what_is_looked_at_and_never_with_users() -> None:
    world = World(lookups=7)
    for number in range(2 * PAGE + 50):
        world.add(f"user{number}", 10)
    world.survey()
    assert world.faults.calls == {"max_password_age": 1, "sso_enabled": 1, "users": 3, "managed": 3, "versions": 7}


def test_the_four_parts_are_read_side_by_side_and_versions_so_many_at_once() -> None:
    world = World(at_once=3)
    for number in range(7):
        world.add(f"user{number}", 10)
    world.survey()
    assert world.batches == [4, 3, 3, 1]


def test_settings_that_are_too_long_for_the_policy_are_cut_and_named() -> None:
    world = World(lead=14, spread=3)
    both = ("ROTATE_BEFORE_EXPIRY_DAYS", "SPREAD_DAYS")
    for days, cut in [(28, ()), (27, both[:1]), (12, both[:1]), (11, both)]:
        world.directory.max_age = days * DAY
        assert world.survey().adjusted == cut
    world = World(lead=1, spread=3)
    world.directory.max_age = 11 * DAY
    assert world.survey().adjusted == ("SPREAD_DAYS",)


def test_sso_logon_is_told() -> None:
    world = World()
    world.directory.sso = True
    assert world.survey().sso_enabled is True


def test_of_a_secret_that_was_listed_twice_the_last_word_counts() -> None:
    world = World(lookups=0)
    world.add("alice")
    secret = SecretName("cloudsso/alice")

    def twice(directory_id: DirectoryId) -> Iterator[tuple[Managed, ...]]:
        yield (Managed(secret, NOON - 99 * DAY),)
        yield ()
        yield (Managed(secret, NOON - DAY),)

    world.store.managed = twice  # type: ignore[method-assign] # another server
    assert world.sees() == {"alice": "fresh"}


def test_who_is_rotated_while_the_survey_is_made_is_not_taken_for_rotated_at_an_instant_to_come() -> None:
    world = World()
    alice = world.add("alice", 99)

    def minutes_later() -> None:
        world.clock.advance(300)
        world.rotate(alice, world.clock.now())

    world.faults.then["sso_enabled", 1] = minutes_later
    assert world.sees() == {"alice": "fresh"}


def test_who_is_rotated_between_a_survey_and_a_look_is_not_either() -> None:
    world = World(lookups=0)
    alice = world.add("alice", 99)
    survey = world.survey()
    world.clock.advance(300)
    world.rotate(alice, world.clock.now())
    assert world.sees(world.look(survey, survey.standings or ())) == {"alice": "fresh"}


# ------------------------------------------------------------------------------------------------------------ gaps


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.reason)
@pytest.mark.parametrize("method", PARTS)
def test_a_part_that_cannot_be_read_is_a_gap_and_the_rest_goes_on(method: str, error: RotatorError) -> None:
    world = small()
    world.faults.refuse = {(method, number): error for number in range(1, 10)}
    survey = world.survey()
    (gap,) = survey.gaps
    assert (gap.part, type(gap.error), gap.error.happened) == (PARTS[method], type(error), error.happened)
    assert (gap.error.unchanged, survey.complete) == ("Nothing was changed.", False)
    assert (survey.schedule is None) == (method == "max_password_age")
    assert (survey.sso_enabled is None) == (method == "sso_enabled")
    assert (survey.standings is None) == (method == "users")
    assert survey.looked_at == (4 if method in ("max_password_age", "sso_enabled") else 0)
    assert survey.orphans == ()


def test_a_gap_keeps_nothing_of_what_led_to_it() -> None:
    world = World()
    error = DirectoryDenied("no permission")
    error.__cause__ = ValueError("what the SDK said")
    world.faults.refuse["users", 1] = error
    (gap,) = world.survey().gaps
    assert (gap.error.__traceback__, gap.error.__context__, gap.error.__cause__) == (None, None, None)


def test_where_nothing_can_be_read_that_is_what_is_told() -> None:
    world = small()
    down = DirectoryUnavailable("down")
    world.faults.refuse = {(method, 1): down for method in PARTS}
    survey = world.survey()
    assert [gap.part for gap in survey.gaps] == ["password policy", "SSO logon", "users", "secrets"]
    assert (survey.standings, survey.schedule, survey.sso_enabled, survey.looked_at) == (None, None, None, 0)


def test_without_the_policy_nobody_is_due_and_what_is_wrong_with_versions_is_seen_all_the_same() -> None:
    world = small()
    world.faults.refuse["max_password_age", 1] = DirectoryDenied("no permission")
    sees = world.sees()
    assert (sees["due"], sees["expired"], sees["fresh"]) == ("unknown", "unknown", "unknown")
    assert (sees["stuck"], sees["nobody"], sees["root"]) == ("stuck", "unmanaged", "protected")


def test_a_bug_is_no_gap() -> None:
    world = World()
    world.faults.refuse["users", 1] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        world.survey()


def crowded() -> World:
    """Return a directory with more than a page of users, all of whom have a secret, and more than a page of these."""
    world = World(lookups=0)
    for number in range(PAGE + 20):
        world.add(f"user{number:03}", 10)
    return world


def test_a_list_of_secrets_of_which_a_page_is_missing_makes_nobody_unmanaged() -> None:
    world = crowded()
    world.lookups = 10
    world.faults.refuse["managed", 2] = SecretStoreUnavailable("down")
    survey = world.survey()
    assert [gap.part for gap in survey.gaps] == ["secrets"]
    assert set(world.sees(survey).values()) == {"unknown"}
    assert (survey.managed, survey.orphans, world.looked) == (0, (), [])


def test_a_list_of_users_of_which_a_page_is_missing_makes_no_secret_an_orphan() -> None:
    world = crowded()
    world.faults.refuse["users", 2] = DirectoryUnavailable("down")
    survey = world.survey()
    assert [gap.part for gap in survey.gaps] == ["users"]
    assert (survey.standings, survey.orphans) == (None, ())


@pytest.mark.parametrize("method", ["users", "managed"])
def test_a_list_that_was_not_read_to_its_end_in_time_is_not_taken_for_a_whole_one(method: str) -> None:
    world = crowded()
    world.faults.then[method, 1] = lambda: world.clock.advance(100)
    survey = world.survey(seconds=100)
    first = survey.gaps[0]
    assert first.part == PARTS[method]
    assert isinstance(first.error, OutOfTime)
    assert "timeout" in first.error.cure
    assert survey.orphans == ()
    assert State.UNMANAGED not in {one.state for one in survey.standings or ()}


def test_a_survey_that_is_over_a_second_before_its_time_is_whole() -> None:
    world = crowded()
    world.faults.then["managed", 1] = lambda: world.clock.advance(99)
    assert world.survey(seconds=100).complete


# --------------------------------------------------------------------------------------------------------- orphans


def test_a_secret_that_no_user_goes_with_is_told_with_who_has_another_name_by_now() -> None:
    world = World()
    renamed = world.add("old-name", 10)
    gone = world.add("gone", 10)
    world.add("stays", 10)
    world.directory.known.remove(gone)
    world.directory.known[0] = now = replace(renamed, name=UserName("new-name"))
    survey = world.survey()
    assert [(orphan.managed.secret, orphan.now) for orphan in survey.orphans] == [
        ("cloudsso/gone", None),
        ("cloudsso/old-name", now),
    ]
    assert world.sees(survey) == {"new-name": "unmanaged", "stays": "fresh"}


def test_a_user_who_was_created_anew_under_the_same_name_leaves_no_orphan() -> None:
    world = World()
    first = world.add("alice", 10)
    world.directory.known[:] = [replace(first, id=UserId("u-anew"), created=NOON - DAY)]
    survey = world.survey()
    assert (survey.orphans, world.sees(survey)) == ((), {"alice": "expired"})


def test_of_a_secret_without_the_users_id_nobody_knows_who_has_it_by_now() -> None:
    world = World()
    world.rotate(user("alice"), NOON - DAY)
    del world.store.tagged[SecretName("cloudsso/alice")]["UserId"]
    (orphan,) = world.survey().orphans
    assert (orphan.now, orphan.managed.user_id) == (None, None)


def test_a_secret_that_was_made_while_the_lists_were_read_may_be_a_new_users_and_is_no_orphan() -> None:
    world = World()
    world.rotate(user("a-new-one"), NOON + timedelta(seconds=1))
    world.rotate(user("by-a-slow-clock"), NOON - timedelta(seconds=6))  # of KMS, which shows whole seconds too
    world.rotate(user("gone"), NOON - LEASE)
    assert [orphan.managed.secret for orphan in world.survey().orphans] == ["cloudsso/gone"]


def test_a_secret_that_is_tagged_as_ours_and_not_named_so_is_a_strange_one() -> None:
    world = World()
    for name in ("cloudsso/", "cloudsso/gone", "Cloudsso/gone", "database", "x/cloudsso/gone"):
        world.store.write(SecretName(name), "r1")
        world.tag(SecretName(name), UserId="u-gone")
    world.clock.sleep(LEASE.total_seconds())
    strange = {orphan.managed.secret: orphan.strange for orphan in world.survey().orphans}
    assert strange == {
        "cloudsso/": False,
        "cloudsso/gone": False,
        "Cloudsso/gone": True,
        "database": True,
        "x/cloudsso/gone": True,
    }


def test_secrets_of_others_are_nobodys_orphans() -> None:
    world = World()
    world.store.write(SecretName("database"), "v1")
    world.store.keep(SecretName("cloudsso/alice"), "d-other", NOON)  # type: ignore[arg-type] # another directory's
    assert world.survey().orphans == ()


# -------------------------------------------------------------------------------------------------- looking closely


def test_no_more_secrets_are_looked_at_than_asked_for_and_the_most_suspicious_first() -> None:
    world = World(lookups=3)
    for number in range(5):
        world.add(f"user{number}", 10 + number)
    world.claim(world.add("claimed", 3), NOON - 2 * DAY)  # which no tag tells of, but KMS's time of the last write
    untagged = world.add("untagged", 3)
    del world.store.tagged[secret_of(untagged)]["RotatedAt"]
    survey = world.survey()
    assert world.names_looked_at == ["untagged", "claimed", "user4"]
    assert (survey.looked_at, world.sees(survey)["claimed"], world.sees(survey)["untagged"]) == (3, "stuck", "fresh")


def test_a_survey_may_be_asked_to_look_at_nothing() -> None:
    world = small()
    world.lookups = 0
    survey = world.survey()
    assert (world.looked, survey.looked_at, world.sees(survey)["stuck"]) == ([], 0, "fresh")


def test_nothing_is_looked_at_that_cannot_change_what_is_known() -> None:
    world = World()
    for name in TABOO:
        world.add(name, 10)
    world.add("nobody")
    world.add("leaving", 10)
    world.store.leaving.add(SecretName("cloudsso/leaving"))
    survey = world.survey()
    assert world.looked == []
    world.look(survey, survey.standings or ())
    assert world.looked == []


def test_nobody_who_is_exempt_takes_the_place_of_somebody_to_look_at() -> None:
    world = World(lookups=1)
    untagged = world.add("root", 10)
    del world.store.tagged[secret_of(untagged)]["RotatedAt"]
    world.add("alice", 10)
    world.survey()
    assert world.names_looked_at == ["alice"]


def test_after_a_look_everybody_stands_where_they_belong() -> None:
    world = World(lookups=0)
    world.add("alice", 10)
    world.claim(world.add("bob", 3), NOON - DAY)
    world.add("carol", 20)
    survey = world.survey()
    assert list(world.sees(survey)) == ["carol", "alice", "bob"]
    bob = [one for one in survey.standings or () if one.user.name == "bob"]
    looked = world.look(survey, bob)
    assert list(world.sees(looked).items()) == [("bob", "stuck"), ("carol", "fresh"), ("alice", "fresh")]
    assert (looked.looked_at, world.names_looked_at) == (1, ["bob"])


def test_nobody_is_looked_at_twice() -> None:
    world = small()
    survey = world.survey()
    again = world.look(survey, survey.standings or ())
    assert again is survey
    assert world.looked == []


def test_who_could_not_be_looked_at_is_not_looked_at_again() -> None:
    world = World(at_once=2)
    world.add("alice", 10)
    world.add("bob", 10)
    world.refuse["alice"] = SecretStoreUnavailable("down")
    survey = world.survey()
    world.refuse.clear()
    assert world.look(survey, survey.standings or ()) is survey
    assert world.looked == []


def test_two_users_who_share_a_secret_have_it_looked_at_once_and_both_stand_by_it() -> None:
    world = World()
    first = world.add("alice", 10, created=NOON - 20 * DAY)
    world.directory.known.append(replace(first, id=UserId("u-anew"), created=NOON - DAY))  # made anew between two pages
    survey = world.survey()
    assert world.names_looked_at == ["alice"]
    assert [(one.user.id, one.state.value) for one in survey.standings or ()] == [
        ("u-anew", "expired"),
        ("u-alice", "fresh"),
    ]
    assert survey.looked_at == 1


def test_a_secret_that_lost_its_tags_is_looked_at_if_that_is_asked_for() -> None:
    world = World()
    alice = world.add("alice", 10)
    del world.store.tagged[secret_of(alice)]["ManagedBy"]
    world.add("nobody")
    survey = world.survey()
    assert world.looked == []
    assert world.surveyor.look(survey, survey.standings or (), give_up_at=NOON + DAY) is survey
    looked = world.look(survey, survey.standings or (), unmanaged=True)
    assert sorted(world.names_looked_at) == ["alice", "nobody"]
    assert (looked.looked_at, looked.complete) == (1, True)
    shown = {one.user.name: (one.state.value, one.versions is not None, one.unread) for one in looked.standings or ()}
    assert shown == {"alice": ("unmanaged", True, ""), "nobody": ("unmanaged", False, "secret-not-found")}


def test_where_the_secrets_are_not_known_none_is_guessed_at() -> None:
    world = small()
    world.faults.refuse["managed", 1] = SecretStoreDenied("no permission")
    survey = world.survey()
    assert world.look(survey, survey.standings or (), unmanaged=True) is survey
    assert world.looked == []


# --------------------------------------------------------------------------------------------- looks that go wrong


def test_no_more_secrets_are_looked_at_once_nobody_of_a_whole_batch_could_be() -> None:
    world = World(at_once=3)
    for number in range(9):
        world.add(f"user{number}", 10 + number)
    world.refuse = {f"user{number}": SecretStoreDenied(f"no permission {number}") for number in range(6)}
    survey = world.survey()
    assert world.names_looked_at == ["user8", "user7", "user6", "user5", "user4", "user3"]
    (gap,) = survey.gaps
    assert (gap.part, gap.error.happened) == ("versions", "no permission 5")
    unread = {one.user.name for one in survey.standings or () if one.unread}
    assert unread == {"user3", "user4", "user5"}
    assert {one.unread for one in survey.standings or ()} == {"", "secret-store-denied"}
    assert (survey.looked_at, set(world.sees(survey).values())) == (3, {"fresh"})


def test_a_look_that_fails_among_others_is_told_and_the_others_go_on() -> None:
    world = World(at_once=3)
    for number in range(9):
        world.add(f"user{number}", 10 + number)
    world.refuse = {"user8": SecretStoreUnavailable("first"), "user0": SecretStoreUnavailable("last")}
    survey = world.survey()
    assert len(world.looked) == 9
    assert survey.looked_at == 7
    assert [(gap.part, gap.error.happened) for gap in survey.gaps] == [("versions", "last")]


def test_a_second_look_that_fails_adds_no_second_gap() -> None:
    world = World(lookups=1, at_once=1)
    world.add("alice", 10)
    world.add("bob", 20)
    world.refuse = {name: SecretStoreUnavailable(f"down for {name}") for name in ("alice", "bob")}
    survey = world.survey()
    looked = world.look(survey, survey.standings or ())
    assert world.names_looked_at == ["alice"]
    assert [gap.error.happened for gap in looked.gaps] == ["down for bob"]


def test_a_secret_that_was_deleted_since_it_was_listed_is_told_and_is_no_gap() -> None:
    world = World()
    alice, bob = world.add("alice", 10), world.add("bob", 10)

    def delete() -> None:
        del world.store.secrets[secret_of(alice)]

    world.faults.then["managed", 1] = delete
    world.refuse["bob"] = SecretInDeletion("scheduled for deletion")
    survey = world.survey()
    unread = {one.user.name: one.unread for one in survey.standings or ()}
    assert unread == {"alice": "secret-not-found", bob.name: "secret-in-deletion"}
    assert (survey.complete, survey.looked_at) == (True, 0)


def test_looking_ends_in_time_and_what_was_seen_by_then_counts() -> None:
    world = World(at_once=2)
    for number in range(6):
        world.add(f"user{number}", 10 + number)
    world.faults.then["versions", 3] = lambda: world.clock.advance(60)
    survey = world.survey(seconds=60)
    assert (len(world.looked), survey.looked_at) == (4, 4)
    (gap,) = survey.gaps
    assert (gap.part, gap.error.reason) == ("versions", "out-of-time")
    assert world.look(survey, survey.standings or (), seconds=0) == survey
    assert world.looked == []
    assert world.look(survey, survey.standings or (), seconds=1).looked_at == 6


# ------------------------------------------------------------------------------------------------------- properties


@given(
    st.lists(st.sampled_from(["fresh", "due", "expired", "stuck", "foreign", "nobody"]), max_size=12),
    st.sets(st.sampled_from([(method, n) for method in PARTS for n in (1, 2, 5)]), max_size=6),
    st.integers(0, 12),
    st.integers(1, 5),
)
def test_whatever_fails_everybody_who_is_known_is_seen_once_and_the_gaps_say_what_is_not(
    kinds: list[str], failures: set[tuple[str, int]], lookups: int, at_once: int
) -> None:
    world = World(lookups=lookups, at_once=at_once)
    days = {"fresh": 10.0, "due": 80.0, "expired": 99.0, "stuck": 20.0, "foreign": 20.0, "nobody": None}
    for number, kind in enumerate(kinds):
        one = world.add(f"{kind}{number}", days[kind])
        if kind == "stuck":
            world.claim(one, NOON - DAY)
        if kind == "foreign":
            world.store.write(secret_of(one), "by-hand")
    world.faults.refuse = {failure: SecretStoreUnavailable("down") for failure in failures}
    survey = world.survey()
    failed = {PARTS[method] for method, number in failures if number == 1 and method != "versions"}
    assert {gap.part for gap in survey.gaps} - {"versions"} == failed
    assert len(set(world.looked)) == len(world.looked) <= lookups
    if survey.standings is None:
        assert "users" in failed
        return
    assert sorted(one.user.name for one in survey.standings) == sorted(one.name for one in world.directory.known)
    assert list(survey.standings) == sorted(survey.standings, key=lambda one: one.order)
    assert sum(survey.counts().values()) == len(kinds)
    assert survey.looked_at == sum(one.versions is not None for one in survey.standings)
    for seen in survey.standings:
        if seen.versions is not None and "password policy" not in failed:
            assert seen.state.value == seen.user.name.rstrip("0123456789")


# ------------------------------------------------------------------------------------------------------------ work


class Endless:
    """Both ports, with users and secrets made as they are asked for."""

    def __init__(self, count: int) -> None:
        self.count = count

    def max_password_age(self) -> timedelta:
        return 90 * DAY

    def sso_enabled(self) -> bool:
        return False

    def users(self) -> Iterator[tuple[User, ...]]:
        return ((user(f"user{number:06}"),) for number in range(self.count))

    def managed(self, _directory_id: str) -> Iterator[tuple[Managed, ...]]:
        names = (SecretName(f"cloudsso/user{number:06}") for number in range(self.count))
        return ((Managed(name, NOON - (number % 95) * DAY),) for number, name in enumerate(names))

    def versions(self, _secret: SecretName) -> tuple[()]:
        return ()


def calls(count: int, lookups: Callable[[int], int]) -> int:
    """Return how many calls of functions a survey of so many users takes, those of the ports included."""
    policy = Policy(secret_of, lambda _user: None, lambda _user: False, 14 * DAY, 3 * DAY, lookups(count))
    ports = Endless(count)
    surveyor = Surveyor(ports, ports, FakeClock(), policy, DIRECTORY)  # type: ignore[arg-type] # the half that is used
    profile = cProfile.Profile()
    profile.enable()
    surveyor.survey(give_up_at=NOON + DAY)
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # pstats's own attribute, not typed


@pytest.mark.parametrize("lookups", [lambda _count: 200, lambda count: count], ids=["some", "all"])
def test_every_user_takes_as_much_work_as_the_one_before(lookups: Callable[[int], int]) -> None:
    first, second, third = (calls(count, lookups) for count in (1000, 2000, 3000))
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert (third - second) / 1000 < CALLS_PER_USER
