"""Where a password stands, as pure logic: every state, every boundary to the second, and what comes before what."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.errors import SecretStoreUnavailable
from shared.expiry import Schedule, share
from shared.history import KMS_KEEPS
from shared.model import CURRENT, Exemption, Managed, SecretName, User, UserId, UserName, Version, VersionId
from shared.rotation import LEASE, LONGEST_EFFECT, PUBLISH_BY, ROTATING
from shared.status import (
    ALARMING,
    EXEMPT,
    Gap,
    Judge,
    LastOutcome,
    Look,
    OpenClaim,
    Selection,
    Standing,
    State,
    Survey,
    select,
    suspicion,
)
from tests.fakes import DIRECTORY, NOON, user

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NOW = NOON + timedelta(minutes=34, seconds=56)  # not a whole hour, to which schedules are floored
SCHEDULE = Schedule.of(
    NOW, 90 * DAY, lead=14 * DAY, spread=timedelta(0)
)  # everybody is due at 76 days, and expires at 90
ALICE = replace(user("alice"), created=NOON - 1000 * DAY)
SECRET = SecretName("cloudsso/alice")
CALLS_PER_USER = 50  # of functions, to judge, to sort and to select one: about 30
TABOO = {"root": Exemption.PROTECTED, "frank": Exemption.DISABLED, "scim": Exemption.SYNCHRONIZED}


def secret_of(one: User) -> SecretName:
    return SecretName(f"cloudsso/{one.name}")


def judge(
    schedule: Schedule | None = SCHEDULE, *, secrets_known: bool = True, seen_at: datetime | None = None
) -> Judge:
    return Judge(
        as_of=NOW,
        schedule=schedule,
        secret_name=secret_of,
        exemption=lambda one: TABOO.get(one.name),
        onboards=lambda one: one.opted_in,
        secrets_known=secrets_known,
        seen_at=seen_at,
    )


def kept(rotated_at: datetime | None = None, **more: object) -> Managed:
    return Managed(SECRET, rotated_at, **more)  # type: ignore[arg-type] # whatever a test is about


def version(name: str, created: datetime, *stages: str) -> Version:
    return Version(VersionId(name), created, frozenset(stages))


def look(*versions: Version) -> Look:
    return Look(versions)


def rotation(number: int, at: datetime, *, current: bool = True) -> tuple[Version, Version]:
    """Return what a rotation leaves behind that began then."""
    stages = (CURRENT,) if current else ()
    return version(f"r{number}-c1", at), version(f"r{number}", at + 2 * SECOND, *stages)


def by_tag(rotated_at: datetime | None, schedule: Schedule | None = SCHEDULE, **more: object) -> Standing:
    return judge(schedule).standing(ALICE, kept(rotated_at, **more))


def by_versions(*versions: Version, tag: datetime | None = None, **more: object) -> Standing:
    return judge().standing(ALICE, kept(tag, **more), look(*versions))


# ----------------------------------------------------------------------------------- every state, and when it begins


def test_a_password_is_fresh_until_the_second_in_which_it_is_due() -> None:
    due_at = NOW - 76 * DAY
    assert by_tag(due_at + SECOND).state is State.FRESH
    assert by_tag(due_at).state is State.DUE


def test_a_password_is_due_until_the_second_in_which_it_expires() -> None:
    assert by_tag(NOW - 90 * DAY + SECOND).state is State.DUE
    assert by_tag(NOW - 90 * DAY).state is State.EXPIRED


def test_what_is_due_and_expires_when_is_reckoned_from_the_rotation() -> None:
    rotated_at = NOW - 10 * DAY
    found = by_tag(rotated_at)
    assert (found.rotated_at, found.due_at, found.expires_at) == (
        rotated_at,
        rotated_at + 76 * DAY,
        rotated_at + 90 * DAY,
    )


def test_what_is_due_when_does_not_depend_on_when_it_is_asked() -> None:
    schedule = Schedule.of(NOW, 90 * DAY, lead=14 * DAY, spread=3 * DAY)
    later = Schedule.of(NOW + 5 * DAY, 90 * DAY, lead=14 * DAY, spread=3 * DAY)
    place = timedelta(seconds=int(3 * 86_400 * share(DIRECTORY, ALICE.id)))
    assert by_tag(NOW - DAY, schedule).due_at == by_tag(NOW - DAY, later).due_at == NOW + 75 * DAY - place


def test_a_secret_that_was_never_rotated_as_far_as_is_known_has_expired() -> None:
    found = by_tag(None)
    assert found.state is State.EXPIRED
    assert (found.rotated_at, found.due_at, found.expires_at, found.last) == (None, None, None, None)


def test_without_the_password_policy_nobody_knows_who_is_due_but_what_the_versions_say_is_known() -> None:
    assert by_tag(NOW - 500 * DAY, None).state is State.UNKNOWN
    assert by_tag(None, None).state is State.EXPIRED
    found = judge(None).standing(ALICE, kept(NOW - DAY), look(*rotation(1, NOW - DAY), version("x", NOW)))
    assert (found.state, found.rotated_at, found.due_at, found.expires_at) == (State.UNKNOWN, NOW - DAY, None, None)
    stuck = judge(None).standing(ALICE, kept(NOW - DAY), look(*rotation(1, NOW - DAY), version("r2-c1", NOW - LEASE)))
    assert stuck.state is State.STUCK


def test_a_user_without_a_secret_is_unmanaged_and_told_apart_from_one_about_whose_secret_nothing_is_known() -> None:
    assert judge().standing(ALICE, None).state is State.UNMANAGED
    assert judge(secrets_known=False).standing(ALICE, None).state is State.UNKNOWN


def test_only_a_user_without_a_secret_is_selected_for_one() -> None:
    wanted = replace(ALICE, opted_in=True)
    assert judge().standing(wanted, None).selected
    assert not judge().standing(ALICE, None).selected
    assert not judge().standing(wanted, kept(NOW)).selected


def test_a_secret_that_waits_for_its_deletion_is_told_as_that_whatever_else_it_is() -> None:
    for rotated_at in (None, NOW - DAY, NOW - 80 * DAY, NOW - 100 * DAY):
        assert by_tag(rotated_at, in_deletion=True).state is State.SECRET_IN_DELETION
    claimed = by_versions(version("r1-c1", NOW), in_deletion=True)
    assert (claimed.state, claimed.claim is None) == (State.SECRET_IN_DELETION, False)


@pytest.mark.parametrize("name", TABOO)
def test_an_exempt_user_is_that_before_all_else(name: str) -> None:
    one = user(name)
    state = EXEMPT[TABOO[name]]
    assert state.value == TABOO[name].value
    for known in (True, False):
        assert judge(secrets_known=known).standing(one, None).state is state
    for managed in (kept(None), kept(NOW), kept(NOW - 99 * DAY), kept(NOW, in_deletion=True)):
        assert judge().standing(one, managed).state is state
        assert judge().standing(one, managed, look(version("r1-c1", NOW - DAY, CURRENT))).state is state


def test_a_claim_is_in_progress_to_the_second_in_which_its_lease_is_over() -> None:
    before = rotation(1, NOW - 10 * DAY)
    fresh = by_versions(*before, version("r2-c1", NOW - LEASE + SECOND, ROTATING))
    stuck = by_versions(*before, version("r2-c1", NOW - LEASE, ROTATING))
    assert (fresh.state, fresh.claim) == (
        State.IN_PROGRESS,
        OpenClaim(VersionId("r2-c1"), 1, NOW - LEASE + SECOND, stuck=False),
    )
    assert (stuck.state, stuck.claim) == (State.STUCK, OpenClaim(VersionId("r2-c1"), 1, NOW - LEASE, stuck=True))


def test_the_last_claim_on_the_newest_rotation_is_the_one_that_counts() -> None:
    found = by_versions(
        *rotation(8, NOW - DAY),
        version("r9-c9", NOW - 40 * SECOND - LEASE),
        version("r9-c10", NOW - 5 * SECOND),
        version("r9-c2", NOW - SECOND),
    )
    assert found.claim == OpenClaim(VersionId("r9-c10"), 10, NOW - 5 * SECOND, stuck=False)


def test_a_claim_on_a_rotation_that_is_over_is_not_open() -> None:
    found = by_versions(*rotation(2, NOW - DAY), version("r1-c7", NOW - 2 * DAY), version("r2-c9", NOW - 3 * DAY))
    assert (found.claim, found.state) == (None, State.FRESH)


def test_a_rotation_that_is_under_way_comes_before_expiry_and_expiry_before_a_claim_that_is_stuck() -> None:
    old = rotation(1, NOW - 90 * DAY)
    assert by_versions(*old, version("r2-c1", NOW)).state is State.IN_PROGRESS
    expired = by_versions(*old, version("r2-c1", NOW - LEASE))
    assert expired.state is State.EXPIRED
    assert expired.claim is not None
    assert expired.claim.stuck


def test_of_a_first_rotation_that_never_ended_the_claim_is_told_and_not_that_nothing_is_known() -> None:
    assert by_versions(version("r1-c1", NOW - LEASE, CURRENT)).state is State.STUCK
    assert by_versions(version("r1-c1", NOW, CURRENT)).state is State.IN_PROGRESS


FOREIGN = {
    "a version by hand is current": (*rotation(1, NOW - DAY, current=False), version("by-hand", NOW, CURRENT)),
    "the stage was moved back": (*rotation(1, NOW - 9 * DAY), *rotation(2, NOW - DAY, current=False)),
    "nothing is ours": (version("by-hand", NOW - DAY, CURRENT),),
    "nothing is current": rotation(1, NOW - DAY, current=False),
    "by hand, under a name like ours": (version("r1", NOW - DAY, CURRENT),),
    "nothing is there at all": (),
}


@pytest.mark.parametrize("versions", FOREIGN.values(), ids=FOREIGN)
def test_what_readers_get_is_foreign_unless_it_is_the_newest_of_ours(versions: tuple[Version, ...]) -> None:
    assert by_versions(*versions, tag=NOW - DAY).state is State.FOREIGN


@pytest.mark.parametrize("attempt", [1, 6, 8])
def test_a_claim_that_outlived_what_came_of_it_is_no_matter_of_its_own(attempt: int) -> None:
    # KMS may spare versions with a stage when it makes room; rotations then begin a new count (history.py).
    foreign = [version(f"by-hand-{n}", NOW - DAY + (n + 1) * SECOND) for n in range(KMS_KEEPS - 1)]
    found = by_versions(version(f"r3-c{attempt}", NOW - DAY, ROTATING), *foreign, tag=NOW - 2 * DAY)
    assert (found.state, found.claim) == (State.FOREIGN, None)


def test_a_foreign_version_that_nobody_reads_is_no_matter() -> None:
    assert by_versions(*rotation(1, NOW - DAY), version("by-hand", NOW)).state is State.FRESH


def test_expiry_comes_before_a_foreign_version_and_a_foreign_version_before_being_due() -> None:
    by_hand = version("by-hand", NOW, CURRENT)
    assert by_versions(*rotation(1, NOW - 90 * DAY, current=False), by_hand).state is State.EXPIRED
    assert by_versions(*rotation(1, NOW - 80 * DAY, current=False), by_hand).state is State.FOREIGN


# ---------------------------------------------------------------------------------------- when it was rotated, at best


def test_the_versions_are_believed_rather_than_the_tag() -> None:
    found = by_versions(*rotation(1, NOW - 80 * DAY), tag=NOW - DAY)
    assert (found.rotated_at, found.state) == (NOW - 80 * DAY, State.DUE)
    assert by_versions(*rotation(1, NOW - DAY), tag=NOW - 99 * DAY).state is State.FRESH
    assert by_versions(*rotation(1, NOW - DAY), tag=None).state is State.FRESH


def test_where_the_claim_was_purged_the_publications_time_less_all_that_can_come_between_counts() -> None:
    others = [version(f"by-hand-{number}", NOW - 2 * DAY) for number in range(9)]
    found = by_versions(version("r7", NOW - DAY, CURRENT), *others)
    assert found.rotated_at == NOW - DAY - PUBLISH_BY - LONGEST_EFFECT
    assert found.state is State.FRESH


def test_nobody_was_rotated_at_an_instant_to_come() -> None:
    assert by_tag(NOW + LEASE).rotated_at == NOW + LEASE
    ahead = by_tag(NOW + LEASE + SECOND)
    assert (ahead.rotated_at, ahead.state, ahead.last) == (None, State.EXPIRED, None)
    assert by_tag(datetime.max.replace(tzinfo=timezone.utc)).state is State.EXPIRED
    assert by_tag(datetime.min.replace(tzinfo=timezone.utc)).state is State.EXPIRED


def test_who_was_rotated_while_the_survey_was_made_was_rotated() -> None:
    later = NOW + timedelta(minutes=5)
    assert judge(seen_at=later).standing(ALICE, kept(later)).state is State.FRESH
    found = judge(seen_at=later).standing(ALICE, kept(NOW - 99 * DAY), look(*rotation(2, later)))
    assert (found.rotated_at, found.state) == (later, State.FRESH)
    assert judge(seen_at=later).standing(ALICE, kept(later + LEASE + SECOND)).state is State.EXPIRED


def test_a_user_who_was_created_anew_has_no_password_of_the_one_before() -> None:
    created = NOW - 5 * DAY
    anew = replace(ALICE, id=UserId("u-anew"), created=created)
    assert judge().standing(anew, kept(created)).state is State.FRESH
    found = judge().standing(anew, kept(created - SECOND))
    assert (found.state, found.rotated_at, found.last) == (State.EXPIRED, None, None)
    looked = judge().standing(anew, kept(NOW), look(*rotation(1, created - SECOND)))
    assert (looked.state, looked.rotated_at, looked.last) == (State.EXPIRED, None, None)
    assert judge().standing(anew, kept(None), look(*rotation(1, created))).state is State.FRESH


def test_where_cloudsso_does_not_say_when_a_user_was_created_the_tag_is_all_there_is() -> None:
    assert judge().standing(replace(ALICE, created=None), kept(NOW - DAY)).rotated_at == NOW - DAY


# ------------------------------------------------------------------------------------------------ what became of it


def test_the_last_outcome_is_the_rotation_that_the_versions_show_or_the_one_that_the_tag_tells_of() -> None:
    assert by_tag(NOW - DAY).last == LastOutcome("rotated", NOW - DAY, None)
    shown = by_versions(*rotation(3, NOW - DAY), tag=NOW - 9 * DAY)
    assert shown.last == LastOutcome("rotated", NOW - DAY + 2 * SECOND, VersionId("r3"))


def test_of_an_open_claim_the_last_outcome_is_what_it_failed_of_if_that_was_noted() -> None:
    claim = version("r2-c1", NOW - LEASE)
    noted = ("r1-c1:password-rejected", "r2-c1:reset-outcome-unknown", "r2-c10:not-published")
    silent = by_versions(*rotation(1, NOW - DAY), claim)
    told = by_versions(*rotation(1, NOW - DAY), claim, notes=noted)
    assert silent.last == LastOutcome("claimed", NOW - LEASE, VersionId("r2-c1"))
    assert told.last == LastOutcome("reset-outcome-unknown", NOW - LEASE, VersionId("r2-c1"))
    twice = by_versions(*rotation(1, NOW - DAY), claim, notes=("r2-c1:a:b",)).last
    assert twice == LastOutcome("a:b", NOW - LEASE, VersionId("r2-c1"))


@pytest.mark.parametrize("note", ["", ":", "r2-c1", "r2-c1:", "r2-c1 :x", "R2-C1:x", "r2-c11:x", "x:r2-c1"])
def test_a_note_that_is_about_another_claim_or_about_none_says_nothing(note: str) -> None:
    found = by_versions(*rotation(1, NOW - DAY), version("r2-c1", NOW - LEASE), notes=(note,))
    assert found.last is not None
    assert found.last.outcome == "claimed"


def test_of_a_secret_in_which_nothing_was_published_nothing_is_known_to_have_become() -> None:
    assert by_versions(version("by-hand", NOW, CURRENT), tag=NOW - DAY).last is None


def test_a_look_that_failed_leaves_what_the_tag_says_and_tells_why() -> None:
    found = judge().standing(ALICE, kept(NOW - DAY), Look(None, "secret-store-denied"))
    assert (found.versions, found.unread, found.state) == (None, "secret-store-denied", State.FRESH)
    assert found.last == LastOutcome("rotated", NOW - DAY, None)


def test_a_secret_without_tags_of_ours_that_was_looked_at_is_unmanaged_and_shows_what_it_holds() -> None:
    found = judge().standing(ALICE, None, look(*rotation(1, NOW - DAY)))
    assert (found.state, found.rotated_at) == (State.UNMANAGED, NOW - DAY)
    assert found.last == LastOutcome("rotated", NOW - DAY + 2 * SECOND, VersionId("r1"))
    open_claim = judge().standing(ALICE, None, look(version("r1-c1", NOW)))
    assert (open_claim.state, open_claim.last) == (
        State.UNMANAGED,
        LastOutcome("claimed", NOW, VersionId("r1-c1")),
    )


# ------------------------------------------------------------------------------------------------------- properties

MOMENTS = st.integers(-200 * 86_400, 86_400).map(lambda seconds: NOW + seconds * SECOND)
IDS = st.from_regex(r"r[1-9](-c[1-9])?", fullmatch=True) | st.sampled_from(["by-hand", "r0", "r1-c0", ""])


@st.composite
def versions(draw: st.DrawFn) -> tuple[Version, ...]:
    """Draw up to ten versions, one of which may be current."""
    names = draw(st.lists(IDS, max_size=10, unique=True))
    current = draw(st.integers(-1, 9))
    return tuple(
        version(name, draw(MOMENTS), *([CURRENT] if place == current else [])) for place, name in enumerate(names)
    )


USERS = st.builds(
    lambda name, created, opted_in: replace(user(name), created=created, opted_in=opted_in),
    st.sampled_from(["alice", "Bob", "carol", *TABOO]),
    st.none() | MOMENTS,
    st.booleans(),
)
KEPT = st.builds(
    Managed,
    st.just(SECRET),
    st.none() | MOMENTS | st.datetimes(timezones=st.just(timezone.utc)),
    in_deletion=st.booleans(),
    user_id=st.none() | st.just(UserId("u-alice")),
    updated=st.none() | MOMENTS | st.datetimes(timezones=st.just(timezone.utc)),
    notes=st.lists(st.text(max_size=8), max_size=2).map(tuple),
)
LOOKS = st.builds(Look, st.none() | versions(), st.text(max_size=4))
SCHEDULES = st.none() | st.builds(
    Schedule.of,
    st.just(NOW),
    st.integers(1, 120).map(lambda days: days * DAY),
    lead=st.integers(1, 119).map(lambda days: days * DAY),
    spread=st.integers(0, 60).map(lambda days: days * DAY),
)
JUDGES = st.builds(
    judge, SCHEDULES, secrets_known=st.booleans(), seen_at=st.none() | st.just(NOW + timedelta(minutes=9))
)
STANDINGS = st.builds(
    lambda judge, one, managed, look: judge.standing(one, managed, look if managed else None),
    JUDGES,
    USERS,
    st.none() | KEPT,
    st.none() | LOOKS,
)


@given(JUDGES, USERS, st.none() | KEPT, st.none() | LOOKS)
def test_whatever_was_read_a_user_has_one_state_which_fits_all_that_is_shown_with_it(
    judge: Judge, one: User, managed: Managed | None, look: Look | None
) -> None:
    found = judge.standing(one, managed, look)
    assert found == judge.standing(one, managed, look)
    exempt = judge.exemption(one)
    assert (found.state in EXEMPT.values()) == (exempt is not None)
    if found.state in (State.DUE, State.FRESH):
        assert found.due_at is not None
        assert found.expires_at is not None
        assert found.due_at <= found.expires_at
        assert found.expires_at > NOW
        assert (found.due_at <= NOW) == (found.state is State.DUE)
        assert found.claim is None
    if found.state in (State.STUCK, State.IN_PROGRESS):
        assert found.claim is not None
        assert found.claim.stuck == (found.state is State.STUCK)
    if found.state is State.UNMANAGED:
        assert managed is None
    if found.rotated_at is not None:
        assert one.created is None or found.rotated_at >= one.created
        assert found.rotated_at <= (judge.seen_at or NOW) + LEASE
    assert (found.expires_at is None) == (found.due_at is None)
    assert managed is None or not found.selected


@given(JUDGES, USERS, KEPT, versions(), st.randoms(use_true_random=False))
def test_the_order_in_which_kms_lists_versions_says_nothing(
    judge: Judge, one: User, managed: Managed, found: tuple[Version, ...], random: object
) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (judge.standing(one, managed, Look(tuple(listed))) for listed in (found, shuffled))
    assert replace(first, versions=None) == replace(second, versions=None)


def test_every_state_has_an_urgency_of_its_own_and_what_alarms_comes_first() -> None:
    ranks = [state.urgency for state in State]
    assert ranks == list(range(len(State)))
    assert {state.urgency for state in ALARMING} == {0, 1, 2, 3}
    assert set(EXEMPT) == set(Exemption)
    assert {state.urgency for state in EXEMPT.values()} == {9, 10, 11}


# ------------------------------------------------------------------------------------------------------------ order


def standing(name: str, state: State = State.FRESH, **more: object) -> Standing:
    return Standing(user(name), SecretName(name), state, **more)  # type: ignore[arg-type] # whatever a test is about


def names(rows: tuple[Standing, ...] | list[Standing]) -> list[str]:
    return [one.user.name for one in rows]


def test_the_urgent_come_first_then_who_expires_first_then_names_without_regard_to_case() -> None:
    rows = [
        standing("zoe", State.EXPIRED, expires_at=NOW),
        standing("yan", State.STUCK, expires_at=NOW - DAY),
        standing("b", expires_at=NOW + DAY),
        standing("A", expires_at=NOW + 2 * DAY),
        standing("a", expires_at=NOW + DAY),
        standing("C", expires_at=NOW + DAY),
        standing("nobody", State.EXPIRED),
    ]
    assert names(sorted(rows, key=lambda one: one.order)) == ["nobody", "zoe", "yan", "a", "b", "C", "A"]


def test_who_has_no_date_of_expiry_comes_in_the_order_of_creation() -> None:
    old, young = (replace(user(name), created=NOW - days * DAY) for name, days in (("z", 9), ("a", 1)))
    rows = [Standing(one, SECRET, State.UNMANAGED) for one in (young, old, user("m"))]
    assert names(sorted(rows, key=lambda one: one.order)) == ["m", "z", "a"]


@given(MOMENTS, MOMENTS)
def test_instants_are_ordered_as_instants(one: datetime, other: datetime) -> None:
    half = timedelta(milliseconds=500)
    first, second = standing("a", expires_at=one), standing("a", expires_at=other + half)
    assert (first.order < second.order) == (one < other + half)


def suspicious(*rows: Standing) -> list[str]:
    return names(sorted(rows, key=suspicion))


def test_whose_versions_are_looked_at_first_follows_from_how_little_the_tags_are_to_be_trusted() -> None:
    over = NOW - DAY + LEASE
    assert suspicious(
        standing("unmanaged"),
        standing("fresh", managed=kept(NOW - DAY, updated=over)),
        standing("noted", managed=kept(NOW - DAY, updated=over, notes=("r1-c1:out-of-time",))),
        standing("urgent", State.EXPIRED, managed=kept(NOW - DAY)),
        standing("written", managed=kept(NOW - DAY, updated=over + SECOND)),
    ) == ["written", "urgent", "noted", "fresh", "unmanaged"]
    assert suspicion(standing("a", managed=kept(None)))[0] == 0
    assert suspicion(standing("a", managed=kept(None, updated=NOW)))[0] == 0


def test_equally_suspicious_secrets_come_in_the_order_of_expiry_and_of_names() -> None:
    days = {"b": 2, "a": 2, "c": 1}
    rows = [standing(name, managed=kept(NOW - DAY), expires_at=NOW + days[name] * DAY) for name in days]
    rows.append(standing("d", managed=kept(NOW - DAY)))
    assert suspicious(*rows) == ["d", "c", "a", "b"]


@given(STANDINGS)
def test_everybody_has_a_place_in_every_order_whatever_the_tags_say(one: Standing) -> None:
    rank, when, name = suspicion(one)
    assert 0 <= rank <= 3
    assert (rank == 3) >= (one.managed is None)
    assert one.order[0] == one.state.urgency
    assert isinstance(when, str)
    assert name == one.user.name


# ----------------------------------------------------------------------------------------------------------- counts


def survey(*rows: Standing, known: bool = True, **more: object) -> Survey:
    found = Survey(
        as_of=NOW,
        directory_id=DIRECTORY,
        schedule=SCHEDULE,
        adjusted=(),
        sso_enabled=False,
        standings=rows if known else None,
        orphans=(),
        gaps=(),
        looked_at=0,
    )
    return replace(found, **more)


@given(st.lists(STANDINGS, max_size=8))
def test_counts_name_every_state_in_order_and_add_up(rows: list[Standing]) -> None:
    counts = survey(*rows).counts()
    assert list(counts) == list(State)
    assert sum(counts.values()) == len(rows)
    assert {state: count for state, count in counts.items() if count} == Counter(one.state for one in rows)
    assert survey(*rows).managed == sum(one.managed is not None for one in rows)


def test_where_the_users_are_not_known_nothing_is_counted() -> None:
    assert set(survey(known=False).counts().values()) == {0}
    assert survey(known=False).managed == 0


def test_a_survey_is_complete_unless_something_could_not_be_read() -> None:
    assert survey().complete
    assert not survey(gaps=(Gap("secrets", SecretStoreUnavailable("down")),)).complete


# ----------------------------------------------------------------------------------------------------------- select

CROWD = [standing(name, state) for name, state in zip("abcdefg", [State.DUE, State.FRESH] * 4, strict=False)]


@pytest.mark.parametrize(
    ("page", "shown", "at"),
    [(1, "abc", 1), (2, "def", 2), (3, "g", 3), (4, "g", 3), (10**9, "g", 3)],
)
def test_a_page_after_the_last_one_is_the_last_one(page: int, shown: str, at: int) -> None:
    found = select(CROWD, page=page, per_page=3)
    assert ("".join(names(found.rows)), found.matching, found.page, found.pages) == (shown, 7, at, 3)


def test_a_last_page_that_is_full_is_followed_by_none() -> None:
    assert select(CROWD[:6], page=9, per_page=3).pages == 2
    assert names(select(CROWD[:6], page=9, per_page=3).rows) == ["d", "e", "f"]


def test_of_nobody_there_is_one_page_and_it_is_empty() -> None:
    assert select([], page=7, per_page=3) == Selection((), 0, 1, 1, None, "")
    assert select(CROWD, search="nobody", per_page=3) == Selection((), 0, 1, 1, None, "nobody")


def test_users_are_selected_by_state_and_by_a_part_of_the_name_in_any_case() -> None:
    rows = [standing("Alice.Strauß"), standing("bob", State.DUE), standing("ALIce2", State.DUE)]
    assert names(select(rows, search="aLIC", per_page=9).rows) == ["Alice.Strauß", "ALIce2"]
    assert names(select(rows, search="STRAUSS", per_page=9).rows) == ["Alice.Strauß"]
    assert names(select(rows, state=State.DUE, per_page=9).rows) == ["bob", "ALIce2"]
    both = select(rows, state=State.DUE, search="alice", per_page=9)
    assert (names(both.rows), both.state, both.search) == (["ALIce2"], State.DUE, "alice")


@given(
    st.lists(st.tuples(st.text("abAB", max_size=3), st.sampled_from(State)), max_size=30),
    st.none() | st.sampled_from(State),
    st.text("abAB", max_size=2),
    st.integers(1, 7),
)
def test_the_pages_of_a_selection_are_all_who_match_each_once_and_in_order(
    drawn: list[tuple[str, State]], state: State | None, search: str, per_page: int
) -> None:
    rows = [standing(name, of) for name, of in drawn]
    first = select(rows, state=state, search=search, per_page=per_page)
    pages = [select(rows, state=state, search=search, page=n + 1, per_page=per_page) for n in range(first.pages)]
    matching = [one for one in rows if state in (None, one.state) and search.casefold() in one.user.name.casefold()]
    assert [one for page in pages for one in page.rows] == matching
    assert [page.page for page in pages] == list(range(1, first.pages + 1))
    assert all(len(page.rows) == per_page for page in pages[:-1])
    assert {(page.matching, page.pages) for page in pages} == {(len(matching), first.pages)}


# ------------------------------------------------------------------------------------------------------------ work


def calls(count: int) -> int:
    """Return how many calls of functions it takes to judge, to sort, to count and to select so many users."""
    users = [replace(ALICE, id=UserId(f"u-{n}"), name=UserName(f"user{n:06}")) for n in range(count)]
    managed = [kept(NOW - (n % 95) * DAY) for n in range(count)]
    deciding = judge(Schedule.of(NOW, 90 * DAY, lead=14 * DAY, spread=3 * DAY))
    profile = cProfile.Profile()
    profile.enable()
    rows = tuple(
        sorted((deciding.standing(*pair) for pair in zip(users, managed, strict=True)), key=lambda one: one.order)
    )
    sorted(rows, key=suspicion)
    survey(*rows).counts()
    select(rows, state=State.DUE, search="9", page=3, per_page=50)
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # pstats's own attribute, not typed


def test_every_user_takes_as_much_work_as_the_one_before() -> None:
    first, second, third = calls(1000), calls(2000), calls(3000)
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert (third - second) / 1000 < CALLS_PER_USER
