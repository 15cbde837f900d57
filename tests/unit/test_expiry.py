"""Who is due when, in numbers: never too young, never too late, never all at once, and the same in every run."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.expiry import Schedule, floored, share, task_id
from shared.model import DirectoryId, UserId
from tests.fakes import DIRECTORY, NOON

DAY = timedelta(days=1)
ALICE = UserId("u-00q8wbq42wiltcrk0001")

MOMENTS = st.datetimes(datetime(2021, 1, 1), datetime(2099, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001 - bounds
IDS = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=24).map(lambda tail: UserId(f"u-{tail}"))
AGES = st.integers(1, 120).map(lambda days: timedelta(days=days))
SCHEDULES = st.builds(
    Schedule.of,
    MOMENTS,
    AGES,
    lead=st.integers(1, 119).map(lambda days: timedelta(days=days)),
    spread=st.integers(0, 60).map(lambda days: timedelta(days=days)),
)


def schedule(max_age: int = 90, lead: int = 14, spread: int = 3, as_of: datetime = NOON) -> Schedule:
    return Schedule.of(as_of, max_age * DAY, lead=lead * DAY, spread=spread * DAY)


def is_due(on: Schedule, age: timedelta, user_id: UserId = ALICE) -> bool:
    return on.is_due(on.as_of - age, on.threshold(DIRECTORY, user_id))


def test_a_user_is_due_once_the_lead_before_expiry_has_begun_and_not_before_the_spread() -> None:
    assert not is_due(schedule(), 73 * DAY)
    assert is_due(schedule(), 76 * DAY + timedelta(seconds=1))


def test_nobody_is_due_who_was_rotated_after_the_latest_threshold() -> None:
    assert schedule().latest_threshold() == NOON - 73 * DAY


@given(SCHEDULES, IDS)
def test_no_users_threshold_is_later_than_the_latest(on: Schedule, user_id: UserId) -> None:
    assert on.latest_threshold() - on.spread <= on.threshold(DIRECTORY, user_id) <= on.latest_threshold()


def test_without_a_spread_everybody_is_due_at_the_same_age() -> None:
    assert not is_due(schedule(spread=0), 76 * DAY)
    assert is_due(schedule(spread=0), 76 * DAY + timedelta(seconds=1))


def test_a_user_who_was_never_rotated_is_due() -> None:
    on = schedule()
    assert on.is_due(None, on.threshold(DIRECTORY, ALICE))
    assert on.has_expired(None)


def test_a_password_has_expired_at_its_greatest_age() -> None:
    on = schedule()
    assert on.has_expired(on.as_of - 90 * DAY)
    assert not on.has_expired(on.as_of - 90 * DAY + timedelta(seconds=1))


def test_a_lead_and_a_spread_that_are_too_long_for_the_policy_are_cut() -> None:
    on = schedule(max_age=8, lead=14, spread=3)
    assert (on.lead, on.spread) == (4 * DAY, 2 * DAY)


def test_a_lead_and_a_spread_that_suit_the_policy_are_left_as_they_are() -> None:
    assert (schedule().lead, schedule().spread) == (14 * DAY, 3 * DAY)


def test_a_whole_hour_has_the_same_thresholds_to_its_end() -> None:
    last = NOON + timedelta(minutes=59, seconds=59, microseconds=999_999)
    assert schedule(as_of=last) == schedule(as_of=NOON)
    assert schedule(as_of=NOON + timedelta(hours=1)) != schedule(as_of=NOON)


def test_an_instant_is_floored_to_its_hour_in_every_part() -> None:
    assert floored(NOON + timedelta(minutes=34, seconds=56, microseconds=789)) == NOON


def test_a_threshold_is_reckoned_from_the_age_the_lead_and_the_users_own_place_in_the_spread() -> None:
    place = timedelta(seconds=int(3 * 86_400 * share(DIRECTORY, ALICE)))
    assert schedule().threshold(DIRECTORY, ALICE) == NOON - 90 * DAY + 14 * DAY + place


def test_a_password_expires_when_it_is_as_old_as_passwords_live() -> None:
    assert schedule().expires_at(NOON) == NOON + 90 * DAY
    assert schedule(max_age=30, lead=1).expires_at(NOON - DAY) == NOON + 29 * DAY


def test_a_user_is_due_from_the_lead_and_the_own_place_in_the_spread_before_expiry_on() -> None:
    place = timedelta(seconds=int(3 * 86_400 * share(DIRECTORY, ALICE)))
    assert schedule().due_at(NOON - DAY, DIRECTORY, ALICE) == NOON - DAY + 90 * DAY - 14 * DAY - place
    assert schedule(spread=0).due_at(NOON, DIRECTORY, ALICE) == NOON + 76 * DAY


def test_the_second_after_a_user_is_due_is_the_first_in_which_a_scan_finds_out() -> None:
    rotated_at = NOON - 75 * DAY
    due_at = schedule().due_at(rotated_at, DIRECTORY, ALICE)
    for seconds, found in [(-1, False), (0, False), (1, True)]:
        at = Schedule(due_at + timedelta(seconds=seconds), 90 * DAY, 14 * DAY, 3 * DAY)
        assert at.is_due(rotated_at, at.threshold(DIRECTORY, ALICE)) is found


@given(SCHEDULES, IDS, MOMENTS, MOMENTS)
def test_when_a_user_is_due_and_expires_does_not_depend_on_when_it_is_asked(
    on: Schedule, user_id: UserId, rotated_at: datetime, at: datetime
) -> None:
    later = Schedule(floored(at), on.max_age, on.lead, on.spread)
    due_at, expires_at = on.due_at(rotated_at, DIRECTORY, user_id), on.expires_at(rotated_at)
    assert later.due_at(rotated_at, DIRECTORY, user_id) == due_at
    assert later.expires_at(rotated_at) == expires_at
    assert rotated_at + on.max_age / 4 <= due_at
    assert expires_at - on.lead - on.spread <= due_at <= expires_at - on.lead
    assert on.is_due(rotated_at, on.threshold(DIRECTORY, user_id)) == (due_at < on.as_of)
    assert on.has_expired(rotated_at) == (expires_at <= on.as_of)


def test_a_users_turn_in_the_queue_is_drawn_by_the_hour_and_the_user() -> None:
    on = schedule()
    assert on.turn(ALICE) == schedule(as_of=NOON + timedelta(minutes=59)).turn(ALICE)
    turns = {on.turn(ALICE), on.turn(UserId("u-another")), schedule(as_of=NOON + timedelta(hours=1)).turn(ALICE)}
    assert len(turns) == 3
    assert all(timedelta(0) <= turn < DAY for turn in turns)


def test_a_users_place_in_the_spread_is_the_same_in_every_run_and_another_in_another_directory() -> None:
    assert share(DIRECTORY, ALICE) == share(DIRECTORY, ALICE) == pytest.approx(0.5946217118)
    assert share(DirectoryId("d-other"), ALICE) != share(DIRECTORY, ALICE)


def test_users_who_were_rotated_together_fall_due_evenly_over_the_spread() -> None:
    on = schedule()
    users = [UserId(f"u-{number}") for number in range(3000)]
    due = {days: sum(is_due(on, days * DAY, user) for user in users) for days in (73, 74, 75, 76)}
    assert due[73] == 0
    assert 900 < due[74] < 1100
    assert 1900 < due[75] < 2100
    assert due[76] > 2990


@given(SCHEDULES, IDS)
def test_nobody_is_due_in_the_first_quarter_of_a_passwords_life(on: Schedule, user_id: UserId) -> None:
    assert not is_due(on, on.max_age / 4, user_id)


@given(SCHEDULES, IDS)
def test_everybody_is_due_before_expiry(on: Schedule, user_id: UserId) -> None:
    assert is_due(on, on.max_age - on.lead + timedelta(seconds=1), user_id)
    assert on.lead > timedelta(0)


@given(SCHEDULES, IDS)
def test_a_rotation_that_a_scan_asks_for_leaves_its_user_not_due(on: Schedule, user_id: UserId) -> None:
    threshold = on.threshold(DIRECTORY, user_id)
    assert threshold < on.as_of
    assert not on.is_due(on.as_of, threshold)


@given(SCHEDULES, IDS, MOMENTS, MOMENTS)
def test_whoever_is_due_stays_due_until_rotated(on: Schedule, user_id: UserId, rotated: datetime, at: datetime) -> None:
    later = Schedule(max(on.as_of, floored(at)), on.max_age, on.lead, on.spread)
    if on.is_due(rotated, on.threshold(DIRECTORY, user_id)):
        assert later.is_due(rotated, later.threshold(DIRECTORY, user_id))


@given(SCHEDULES, IDS)
def test_thresholds_are_whole_seconds_within_the_spread(on: Schedule, user_id: UserId) -> None:
    threshold = on.threshold(DIRECTORY, user_id)
    assert threshold.microsecond == 0
    assert timedelta(0) <= threshold - (on.as_of - on.max_age + on.lead) <= on.spread


# ------------------------------------------------------------------------------------------------------------ task ids


def test_a_task_id_names_the_user_and_the_threshold() -> None:
    threshold = datetime(2026, 1, 12, 2, tzinfo=timezone.utc)
    assert task_id(ALICE, threshold) == "expiring-u-00q8wbq42wiltcrk0001-20260112T020000Z"


@given(st.text(min_size=1).map(UserId), MOMENTS)
def test_every_task_id_is_one_that_function_compute_takes(user_id: UserId, threshold: datetime) -> None:
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,127}", task_id(user_id, threshold))


@given(st.lists(st.text(min_size=1).map(UserId), min_size=2, max_size=2, unique=True))
def test_two_users_never_share_a_task_id(pair: list[UserId]) -> None:
    one, other = pair
    assert task_id(one, NOON) != task_id(other, NOON)


@pytest.mark.parametrize("user_id", ["u-ü", "u 1", "u-" + 200 * "x"])
def test_an_id_that_does_not_fit_is_hashed(user_id: str) -> None:
    assert re.fullmatch(r"expiring-[0-9a-f]{64}-20260301T120000Z", task_id(UserId(user_id), NOON))
