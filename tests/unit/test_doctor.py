"""What the doctor finds in a survey, and that what it says can be typed: it mends, and it harms nobody."""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import shlex
import subprocess
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import commands, events
from shared.alerts import Rules
from shared.commands import Commands
from shared.doctor import MOST_NAMED, Doctor, Finding, Problem
from shared.errors import (
    DirectoryDenied,
    DirectoryRefused,
    DirectoryUnavailable,
    OutOfTime,
    RotatorError,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    SettingsError,
)
from shared.expiry import LONGEST_LEAD, LONGEST_SPREAD, Schedule
from shared.model import CURRENT, Managed, Reason, SecretName, User, UserId, UserName, Version, VersionId
from shared.rotation import CLAIMS, FORCED_CLAIMS, LEASE
from shared.status import EXEMPT, Gap, Judge, Look, Orphan, Standing, State, Survey
from tests.fakes import DIRECTORY, NOON, user

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SCHEDULE = Schedule.of(NOON, 90 * DAY, lead=14 * DAY, spread=timedelta(0))
COMMANDS = Commands(DIRECTORY, "cn-shanghai", "cn-hangzhou")
DOCTOR = Doctor(COMMANDS)
ALICE = replace(user("alice"), created=NOON - 1000 * DAY)
SECRET = SecretName("cloudsso/alice")
CALLS_PER_USER = 160  # of functions: about 110 for one who is stuck
NO_RULES = Rules(())

Words = list[str]


def secret_of(one: User) -> SecretName:
    return SecretName(f"cloudsso/{one.name}")


def version(name: str, created: datetime, *stages: str) -> Version:
    return Version(VersionId(name), created, frozenset(stages))


def rotated(days: float, number: int = 1, *, current: bool = True) -> tuple[Version, Version]:
    at = NOON - days * DAY
    return version(f"r{number}-c1", at), version(f"r{number}", at + SECOND, *([CURRENT] if current else []))


def failed(count: int, *, age: timedelta = DAY) -> tuple[Version, ...]:
    """Return the claims on a second rotation that came to nothing."""
    return tuple(version(f"r2-c{n + 1}", NOON - age - (count - n) * LEASE) for n in range(count))


def standing(
    one: User = ALICE,
    versions: Iterable[Version] | None = None,
    *,
    tag: datetime | None = None,
    managed: bool = True,
    schedule: Schedule | None = SCHEDULE,
    **more: Any,  # noqa: ANN401 - of the secret
) -> Standing:
    """Return where a user stands as a survey would find it."""
    judge = Judge(NOON, schedule, secret_of, lambda _user: None, lambda each: each.opted_in, secrets_known=True)
    look = None if versions is None else Look(tuple(versions))
    if tag is None and look is not None:
        tag = next((found.created for found in look.versions or () if found.id == "r1-c1"), None)
    more.setdefault("user_id", one.id)
    return judge.standing(one, Managed(secret_of(one), tag, **more) if managed else None, look)


def survey(*standings: Standing, **more: Any) -> Survey:  # noqa: ANN401 - of the survey
    found = Survey(
        as_of=NOON,
        directory_id=DIRECTORY,
        schedule=SCHEDULE,
        adjusted=(),
        sso_enabled=False,
        standings=tuple(sorted(standings, key=lambda one: one.order)),
        orphans=(),
        gaps=(),
        looked_at=0,
    )
    return replace(found, **more)


def diagnosis(*standings: Standing, **more: Any) -> tuple[Finding, ...]:  # noqa: ANN401 - of the survey
    return DOCTOR.findings(survey(*standings, **more))


def the(*standings: Standing, **more: Any) -> Finding:  # noqa: ANN401 - of the survey
    """Return the one finding that there is."""
    (found,) = diagnosis(*standings, **more)
    return found


def problems(found: Iterable[Finding]) -> list[Problem]:
    return [each.problem for each in found]


def event(line: str) -> dict[str, Any]:
    """Return what a command invokes the rotating function with."""
    words = shlex.split(line)
    assert words[:4] == ["s", "reset_password", "invoke", "--event"]
    assert len(words) == 5
    read: dict[str, Any] = json.loads(words[4])
    return read


def rotates(line: str, name: str = "alice", **fields: object) -> bool:
    return event(line) == {"UserName": name, **fields}


def aliyun(line: str) -> tuple[str, str, dict[str, str]]:
    """Return what a command calls, and its options."""
    program, product, action, *options = shlex.split(line)
    assert program == "aliyun"
    return product, action, dict(zip(options[::2], options[1::2], strict=True))


DELETE = {"--RegionId": "cn-hangzhou", "--SecretName": "cloudsso/alice"}
LATER = {**DELETE, "--RecoveryWindowInDays": "30"}
AT_ONCE = {**DELETE, "--ForceDeleteWithoutRecovery": "true"}

# ---------------------------------------------------------------------------------------------------- nothing is wrong


def test_in_a_healthy_directory_nothing_is_found() -> None:
    due = replace(standing(user("bob"), tag=NOON - 80 * DAY), due_at=NOON)
    assert due.state is State.DUE
    assert diagnosis(standing(versions=rotated(10)), due) == ()
    assert diagnosis() == ()
    assert diagnosis(standings=None) == ()


def test_who_is_exempt_or_being_rotated_is_left_be() -> None:
    in_progress = standing(versions=(*rotated(99), version("r2-c1", NOON)))
    assert in_progress.state is State.IN_PROGRESS
    assert diagnosis(in_progress) == ()
    for state in (State.PROTECTED, State.DISABLED, State.SYNCHRONIZED, State.UNKNOWN, State.FRESH, State.DUE):
        misled = replace(standing(versions=rotated(99), tag=NOON), state=state, due_at=NOON)
        exempt = state in (State.PROTECTED, State.DISABLED, State.SYNCHRONIZED)
        assert problems(diagnosis(misled)) == ([] if exempt else [Problem.TAG_STALE])


# -------------------------------------------------------------------------------------------------------- about users


def test_an_expired_password_is_to_be_rotated() -> None:
    found = the(standing(versions=rotated(99)))
    assert (found.problem, found.user, found.since) == (Problem.EXPIRED, "alice", NOON - 9 * DAY)
    assert "has expired" in found.what
    assert rotates(*found.mend)


def test_of_a_secret_whose_rotation_is_not_known_no_date_of_expiry_is_made_up() -> None:
    found = the(standing())
    assert (found.problem, found.since) == (Problem.EXPIRED, None)
    assert "no rotation of it is known" in found.what
    assert rotates(*found.mend)


def test_a_user_who_was_created_anew_is_told_as_that() -> None:
    anew = replace(ALICE, id=UserId("u-anew"), created=NOON - DAY)
    found = the(standing(anew, tag=NOON - 10 * DAY, user_id=ALICE.id))
    assert (found.problem, found.since) == (Problem.EXPIRED, NOON - DAY)
    assert "created anew" in found.what
    assert rotates(*found.mend)


def test_a_user_who_was_created_anew_and_rotated_since_is_one_whose_password_has_expired() -> None:
    anew = replace(ALICE, id=UserId("u-anew"))
    found = the(standing(anew, tag=NOON - 99 * DAY, user_id=ALICE.id))
    assert "created anew" not in found.what
    assert found.since == NOON - 9 * DAY


def test_a_stuck_claim_is_told_with_what_it_failed_of_and_is_to_be_rotated() -> None:
    claims = (*rotated(10), *failed(1))
    silent, told = the(standing(versions=claims)), the(standing(versions=claims, notes=("r2-c1:not-published",)))
    assert (silent.problem, silent.user, silent.since) == (Problem.STUCK_CLAIM, "alice", NOON - DAY - LEASE)
    assert "did not say why" in silent.what
    assert "It ended with not-published; the log says of what." in told.what
    assert rotates(*silent.mend)
    assert told.mend == ("s reset_password logs --search failed", *silent.mend)


def test_attempts_are_counted_until_they_take_force_and_then_until_nothing_helps_but_a_new_secret() -> None:
    seen = {}
    for count in range(1, FORCED_CLAIMS + 2):
        found = the(standing(versions=(*rotated(10), *failed(count))))
        last = event(found.mend[-1])
        seen[count] = (found.problem, len(found.mend), last.get("Force", False))
    claims = dict.fromkeys(range(1, CLAIMS), (Problem.STUCK_CLAIM, 1, False))
    forced = dict.fromkeys(range(CLAIMS, FORCED_CLAIMS), (Problem.FAILED_ATTEMPTS, 1, True))
    over = dict.fromkeys((FORCED_CLAIMS, FORCED_CLAIMS + 1), (Problem.FAILED_ATTEMPTS, 2, False))
    assert seen == {**claims, **forced, **over}


def test_a_secret_that_takes_no_more_claims_is_deleted_for_good_and_made_anew() -> None:
    found = the(standing(versions=(*rotated(10), *failed(8)), notes=("r2-c8:password-rejected",)))
    why, delete, rotate = found.mend
    assert why == "s reset_password logs --search failed"
    assert aliyun(delete) == ("kms", "DeleteSecret", AT_ONCE)
    assert rotates(rotate)
    assert "8 attempts" in found.what
    assert "password-rejected" in found.what
    assert "read what you may still need from it" in found.what


@pytest.mark.parametrize("count", [1, 5, 6, 7, 8])
def test_an_expired_password_is_mended_as_its_claims_demand_and_they_are_told_too(count: int) -> None:
    one = standing(versions=(*rotated(99), *failed(count)))
    assert one.state is State.EXPIRED
    expired, stuck = diagnosis(one)
    assert (expired.problem, stuck.problem) == (
        Problem.EXPIRED,
        Problem.FAILED_ATTEMPTS if count >= CLAIMS else Problem.STUCK_CLAIM,
    )
    assert expired.mend == stuck.mend


def test_a_version_by_another_hand_is_told_with_its_name_and_its_time() -> None:
    found = the(standing(versions=(*rotated(10, current=False), version("by-hand", NOON, CURRENT))))
    assert (found.problem, found.user, found.since) == (Problem.VERSION_FOREIGN, "alice", NOON)
    assert "'by-hand', which was not written by this program" in found.what
    assert rotates(*found.mend)


def test_a_stage_that_was_moved_back_is_told_as_that() -> None:
    one = standing(versions=(*rotated(20), *rotated(10, 2, current=False)))
    assert one.state is State.FOREIGN
    found = the(one)
    assert "'r1', which is not the newest that this program published" in found.what
    assert found.since == NOON - 20 * DAY + SECOND


def test_a_version_that_nobody_claimed_is_not_ours_whatever_its_name() -> None:
    assert "'r1', which was not written by this program" in the(standing(versions=rotated(10)[1:])).what


@pytest.mark.parametrize("versions", [rotated(10, current=False), ()])
def test_where_no_version_is_current_readers_get_nothing(versions: tuple[Version, ...]) -> None:
    found = the(standing(versions=versions))
    assert (found.problem, found.since) == (Problem.VERSION_FOREIGN, None)
    assert "get nothing: no version is current" in found.what
    assert "None" not in found.what


def test_a_secret_that_waits_for_its_deletion_is_restored_and_needs_no_rotation() -> None:
    found = the(standing(tag=NOON, in_deletion=True, gone_at=NOON + DAY))
    assert (found.problem, found.user) == (Problem.SECRET_IN_DELETION, "alice")
    assert aliyun(*found.mend) == ("kms", "RestoreSecret", DELETE)
    assert "It can be had back until 2026-03-02T12:00:00Z." in found.what
    assert "had back" not in the(standing(tag=NOON, in_deletion=True)).what


def test_who_is_to_have_a_secret_and_has_none_is_told_and_rotated() -> None:
    found = the(standing(replace(ALICE, opted_in=True), managed=False))
    assert (found.problem, found.user) == (Problem.SECRET_MISSING, "alice")
    assert rotates(*found.mend)


@pytest.mark.parametrize(
    ("age", "told"), [(timedelta(days=2) - timedelta(seconds=1), False), (timedelta(days=2), True)]
)
def test_who_is_to_have_a_secret_is_missed_it_once_scans_are_sure_to_have_been(age: timedelta, told: bool) -> None:  # noqa: FBT001 - a table
    row = standing(replace(ALICE, opted_in=True, created=NOON - age), managed=False)
    assert problems(diagnosis(row)) == [Problem.SECRET_MISSING] * told


def test_who_has_no_secret_and_is_selected_for_none_is_named_with_the_others() -> None:
    rows = [standing(replace(user(name), created=NOON), managed=False) for name in ("carol", "bob")]
    found = the(*rows)
    assert (found.problem, found.user) == (Problem.UNMANAGED, None)
    assert "2 users have" in found.what
    assert "'bob', 'carol'." in found.what
    assert "KMS_REGION (cn-hangzhou) is wrong" in found.what
    assert found.mend == ("""s scan_expiring invoke --event '{"DryRun": true}'""",)  # nobody's password is at stake
    assert "1 user has" in the(rows[0]).what


def test_of_many_without_a_secret_some_are_named_and_the_others_counted() -> None:
    exactly = [standing(user(f"u{n:03}"), managed=False) for n in range(MOST_NAMED)]
    assert " more" not in the(*exactly).what
    found = the(*exactly, standing(user("zoe"), managed=False))
    assert f"'u{MOST_NAMED - 1:03}' and 1 more." in found.what
    assert "zoe" not in found.what


def test_where_anybody_has_a_secret_no_region_is_suspected() -> None:
    rows = (standing(tag=NOON), standing(user("bob"), managed=False))
    assert "KMS_REGION" not in the(*rows).what
    (alone,) = DOCTOR.findings(survey(*rows), "bob")
    assert "KMS_REGION" not in alone.what


# --------------------------------------------------------------------------------------------------- tags that mislead


def test_a_tag_that_says_something_else_than_the_versions_is_renewed_without_a_rotation() -> None:
    found = the(standing(versions=rotated(10), tag=NOON - 80 * DAY))
    assert (found.problem, found.user, found.since) == (Problem.TAG_STALE, "alice", NOON - 10 * DAY)
    assert "rotated at 2025-12-11T12:00:00Z, and its versions say 2026-02-19T12:00:00Z" in found.what
    assert rotates(*found.mend, Reason="expiring", RotatedSince="2026-02-19T12:00:00Z")


@pytest.mark.parametrize("side", [1, -1])
def test_a_tag_may_differ_by_what_a_rotation_takes(side: int) -> None:
    versions = rotated(10)
    assert diagnosis(standing(versions=versions, tag=versions[0].created + side * LEASE)) == ()
    misled = standing(versions=versions, tag=versions[0].created + side * (LEASE + SECOND))
    assert problems(diagnosis(misled)) == [Problem.TAG_STALE]


def test_a_secret_without_a_tag_that_says_when_is_told_too() -> None:
    versions = [replace(each, id=VersionId(each.id.replace("r1", "r7"))) for each in rotated(10)]
    assert "do not say when" in the(standing(versions=versions)).what


@pytest.mark.parametrize("opted_in", [True, False])
def test_a_secret_whose_tags_were_taken_off_is_not_called_missing(*, opted_in: bool) -> None:
    one = standing(replace(ALICE, opted_in=opted_in), rotated(10), managed=False)
    assert problems(diagnosis(one)) == [Problem.TAG_STALE]


@pytest.mark.parametrize(
    "versions",
    [
        (*rotated(10), *failed(1)),
        (*rotated(10), version("r2-c1", NOON)),
        (*rotated(10, current=False), version("by-hand", NOON, CURRENT)),
        (*rotated(99), *failed(7)),
        rotated(10)[1:],
    ],
)
def test_while_the_versions_do_not_say_what_is_live_no_tag_is_renewed_for_that_would_rotate(
    versions: tuple[Version, ...],
) -> None:
    for managed in (True, False):
        one = standing(versions=versions, tag=NOON - 50 * DAY, managed=managed)
        assert Problem.TAG_STALE not in problems(diagnosis(one))
    assert problems(diagnosis(standing(versions=versions, managed=False))) == [Problem.UNMANAGED]


# ---------------------------------------------------------------------------------------------- secrets without a user


def orphan(now: User | None = None, **more: Any) -> Orphan:  # noqa: ANN401 - of the secret
    return Orphan(Managed(SECRET, NOON, **{"user_id": ALICE.id, **more}), now)


def test_a_secret_of_a_user_who_is_gone_is_deleted_so_that_it_can_be_restored() -> None:
    found = the(orphans=(orphan(),))
    assert (found.problem, found.user) == (Problem.USER_DELETED, None)
    assert aliyun(*found.mend) == ("kms", "DeleteSecret", LATER)
    assert the(orphans=(orphan(in_deletion=True),)).mend == ()


def test_a_secret_of_nobody_knows_whom_is_deleted_by_nobodys_advice() -> None:
    found = the(orphans=(orphan(user_id=None),))
    assert (found.problem, found.mend) == (Problem.USER_DELETED, ())
    assert "no tag says whose it is" in found.what


@pytest.mark.parametrize("now", [None, user("alice.b")])
@pytest.mark.parametrize("user_id", [None, ALICE.id])
def test_a_secret_that_is_tagged_as_ours_and_not_named_so_is_deleted_by_nobodys_advice(
    now: User | None, user_id: UserId | None
) -> None:
    found = the(orphans=(replace(orphan(now, user_id=user_id), strange=True),))
    assert (found.problem, found.user, found.mend) == (Problem.USER_DELETED, None, ())
    assert "not named as SECRET_NAME_TEMPLATE says" in found.what


def test_a_user_with_another_name_is_rotated_under_it_before_the_old_secret_is_deleted() -> None:
    found = the(orphans=(orphan(user("alice.b")),))
    assert (found.problem, found.user) == (Problem.USER_RENAMED, "alice.b")
    rotate, delete = found.mend
    assert rotates(rotate, "alice.b")
    assert aliyun(delete) == ("kms", "DeleteSecret", LATER)
    left = the(orphans=(orphan(user("alice.b"), in_deletion=True),))
    assert (left.problem, left.problem.advice, left.mend) == (Problem.USER_DELETED, True, ())


@pytest.mark.parametrize("state", EXEMPT.values())
def test_the_only_secret_of_a_user_who_is_left_alone_is_deleted_by_nobodys_advice(state: State) -> None:
    now = user("alice.b")
    found = the(replace(standing(now, managed=False), state=state), orphans=(orphan(now),))
    assert (found.problem, found.user, found.mend) == (Problem.USER_RENAMED, "alice.b", ())
    assert "is left alone" in found.what


# ------------------------------------------------------------------------------------------- about the whole directory


@pytest.mark.parametrize(("late", "told"), [(timedelta(days=2) - SECOND, False), (timedelta(days=2), True)])
def test_who_has_been_due_for_days_is_counted_and_handed_on_by_a_scan(late: timedelta, told: bool) -> None:  # noqa: FBT001 - a table
    due = standing(versions=rotated(80))
    assert due.due_at is not None
    later = replace(due, due_at=NOON - late)
    found = diagnosis(later, standing(user("bob"), rotated(10)))
    assert problems(found) == [Problem.OVERDUE] * told
    assert problems(diagnosis(later, sso_enabled=True)) == [Problem.SSO_ENABLED]
    if told:
        (overdue,) = found
        assert (overdue.user, overdue.since, overdue.problem.advice) == (None, NOON - late, False)
        assert "1 user has been due" in overdue.what
        assert overdue.mend[0] == "s scan_expiring invoke --event '{}'"


def test_while_sso_logon_is_enabled_nobody_counts_as_expired_and_the_rest_is_told() -> None:
    rows = (standing(versions=rotated(99)), standing(user("bob"), (*rotated(10), *failed(1))))
    assert problems(diagnosis(*rows)) == [Problem.EXPIRED, Problem.STUCK_CLAIM]
    sso, stuck = diagnosis(*rows, sso_enabled=True)
    assert (sso.problem, sso.user, stuck.user) == (Problem.SSO_ENABLED, None, "bob")
    assert aliyun(*sso.mend) == (
        "cloudsso",
        "SetExternalSAMLIdentityProvider",
        {"--RegionId": "cn-shanghai", "--DirectoryId": DIRECTORY, "--SSOStatus": "Disabled"},
    )
    assert problems(diagnosis(*rows, sso_enabled=None)) == [Problem.EXPIRED, Problem.STUCK_CLAIM]


def short(days: int, lead: int = 14, spread: int = 3) -> Survey:
    """Return what a survey says of a policy that is too short for the settings."""
    schedule = Schedule.of(NOON, days * DAY, lead=lead * DAY, spread=spread * DAY)
    cut = {"ROTATE_BEFORE_EXPIRY_DAYS": schedule.lead != lead * DAY, "SPREAD_DAYS": schedule.spread != spread * DAY}
    return survey(schedule=schedule, adjusted=tuple(name for name, is_cut in cut.items() if is_cut))


def test_a_policy_that_is_too_short_is_told_with_settings_that_fit_and_with_a_policy_that_does() -> None:
    (found,) = DOCTOR.findings(short(11))
    assert (found.problem, found.user) == (Problem.POLICY_SHORT, None)
    assert "live 11 days here, too few for ROTATE_BEFORE_EXPIRY_DAYS and SPREAD_DAYS" in found.what
    assert "rotated 5.5 days before the end instead, and up to 2.75 before that" in found.what
    export, deploy, longer = found.mend
    assert (export, deploy) == ("export ROTATE_BEFORE_EXPIRY_DAYS=5 SPREAD_DAYS=2", "s deploy -y")
    assert aliyun(longer) == (
        "cloudsso",
        "SetPasswordPolicy",
        {"--RegionId": "cn-shanghai", "--DirectoryId": DIRECTORY, "--MaxPasswordAge": "90"},
    )


@given(st.integers(1, 120), st.integers(1, 119), st.integers(0, 60))
def test_the_settings_that_are_advised_fit_and_are_never_longer_than_those_that_did_not(
    days: int, lead: int, spread: int
) -> None:
    before = short(days, lead, spread)
    found = DOCTOR.findings(before)
    assert bool(found) == bool(before.adjusted)
    if not found:
        return
    *shorter, longer = found[0].mend
    assert aliyun(longer)[1] == "SetPasswordPolicy"
    assert bool(shorter) == (days > 1 or before.adjusted == ("SPREAD_DAYS",))
    if shorter:
        words = shlex.split(shorter[0])[1:]
        advised = {name: int(text) for name, _, text in (word.partition("=") for word in words)}
        assert tuple(advised) == before.adjusted
        now = {"ROTATE_BEFORE_EXPIRY_DAYS": lead, "SPREAD_DAYS": spread, **advised}
        assert now["ROTATE_BEFORE_EXPIRY_DAYS"] >= 1
        assert now["SPREAD_DAYS"] >= 0
        assert now["ROTATE_BEFORE_EXPIRY_DAYS"] <= min(lead, days * LONGEST_LEAD)
        assert now["SPREAD_DAYS"] <= min(spread, days * LONGEST_SPREAD)


def test_for_a_policy_of_a_day_no_settings_fit() -> None:
    (found,) = DOCTOR.findings(short(1))
    assert "live 1 day here" in found.what
    assert "lengthen the policy" in found.what
    assert len(found.mend) == 1


GAPS: dict[type[RotatorError], Problem] = {
    DirectoryDenied: Problem.PERMISSION_MISSING,
    SecretStoreDenied: Problem.PERMISSION_MISSING,
    SettingsError: Problem.WRONG_REGION,
    DirectoryRefused: Problem.WRONG_REGION,
    SecretRefused: Problem.WRONG_REGION,
    DirectoryUnavailable: Problem.ENDPOINT_UNREACHABLE,
    SecretStoreUnavailable: Problem.ENDPOINT_UNREACHABLE,
    OutOfTime: Problem.ENDPOINT_UNREACHABLE,
}


@pytest.mark.parametrize("kind", GAPS)
def test_what_could_not_be_read_is_told_with_what_was_said_and_where_it_was_asked(kind: type[RotatorError]) -> None:
    found = the(gaps=(Gap("secrets", kind("This happened (Code, RequestId).")),))
    assert (found.problem, found.user, found.problem.advice) == (GAPS[kind], None, False)
    assert "The secrets could not be read. This happened (Code, RequestId)." in found.what
    assert found.mend
    if kind is OutOfTime:
        assert found.mend[0] == commands.DEPLOY
    else:
        assert "CLOUDSSO_REGION is cn-shanghai, KMS_REGION is cn-hangzhou." in found.what


def test_a_missing_permission_is_mended_by_the_stack_and_a_wrong_place_by_looking_where_it_is() -> None:
    denied = the(gaps=(Gap("users", DirectoryDenied("no")),))
    assert denied.mend == (*commands.UPDATE_ROLES, commands.DOCTOR)
    wrong = the(gaps=(Gap("users", SettingsError("no directory")),))
    assert aliyun(wrong.mend[0]) == ("cloudsso", "ListDirectories", {"--RegionId": "cn-shanghai"})
    assert wrong.mend[-1] == commands.DEPLOY


def test_an_endpoint_that_does_not_answer_is_tried_from_elsewhere() -> None:
    directory = the(gaps=(Gap("users", DirectoryUnavailable("down")),))
    store = the(gaps=(Gap("secrets", SecretStoreUnavailable("down")),))
    where = {"--RegionId": "cn-shanghai", "--DirectoryId": DIRECTORY}
    assert aliyun(directory.mend[0]) == ("cloudsso", "GetPasswordPolicy", where)
    assert aliyun(store.mend[0]) == ("kms", "ListSecrets", {"--RegionId": "cn-hangzhou", "--PageSize": "1"})
    assert directory.mend[1] == store.mend[1] == commands.DOCTOR


# ------------------------------------------------------------------------------------------------- all of it together


def everything() -> Survey:
    """Return a survey of a directory in which everything is wrong at once."""
    names = iter("abcdefghijkl")

    def of(versions: tuple[Version, ...] | None = None, **more: Any) -> Standing:  # noqa: ANN401 - of the standing
        opted_in = more.pop("opted_in", False)
        one = replace(user(next(names)), created=NOON - 999 * DAY, opted_in=opted_in)
        return standing(one, versions, **more)

    kinds = (DirectoryDenied, SettingsError, DirectoryUnavailable)
    return survey(
        of(rotated(99)),
        of((*rotated(9), *failed(2))),
        of((*rotated(9), *failed(6))),
        of((*rotated(9, current=False), version("x", NOON, CURRENT))),
        of(tag=NOON, in_deletion=True),
        of(managed=False, opted_in=True),
        of(managed=False),
        of(rotated(9), tag=NOON),
        replace(of(rotated(80)), due_at=NOON - 9 * DAY),
        sso_enabled=None,
        adjusted=("SPREAD_DAYS",),
        orphans=(orphan(), orphan(user("new"))),
        gaps=tuple(Gap("versions", kind("This happened.")) for kind in kinds),
    )


def test_what_explains_the_most_others_comes_first() -> None:
    found = DOCTOR.findings(everything())
    assert problems(found) == [each for each in Problem if each is not Problem.SSO_ENABLED]


def test_of_each_kind_the_urgent_come_first() -> None:
    found = diagnosis(*(standing(user(name), rotated(days)) for name, days in [("a", 91), ("b", 99), ("c", 95)]))
    assert [each.user for each in found] == ["b", "c", "a"]


def test_only_what_locks_nobody_out_is_advice() -> None:
    assert {each for each in Problem if each.advice} == {
        Problem.TAG_STALE,
        Problem.POLICY_SHORT,
        Problem.USER_DELETED,
        Problem.UNMANAGED,
    }


def test_every_finding_leads_on_to_a_paragraph_of_the_runbook() -> None:
    for found in DOCTOR.findings(everything()):
        assert found.more == f"docs/operations.md#{found.problem.value}"
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", found.problem.value)


@pytest.mark.parametrize(("count", "more"), [(MOST_NAMED, None), (MOST_NAMED + 1, 1), (3 * MOST_NAMED, 2 * MOST_NAMED)])
def test_of_many_findings_of_a_kind_some_are_told_and_the_others_counted(count: int, more: int | None) -> None:
    rows = [standing(user(f"u{n:03}"), rotated(99)) for n in range(count)]
    rows += [standing(user(f"v{n:03}"), (*rotated(9), *failed(1))) for n in range(2)]
    found = diagnosis(*rows)
    expired = [each for each in found if each.problem is Problem.EXPIRED]
    assert [each.user for each in expired[:MOST_NAMED]] == [f"u{n:03}" for n in range(MOST_NAMED)]
    counts = [(each.what, each.user, each.mend) for each in expired[MOST_NAMED:]]
    what = f"{more} more of the kind expired; the table of all users has them."
    assert counts == ([] if more is None else [(what, None, (commands.EVERYBODY,))])
    assert len([each for each in found if each.problem is Problem.STUCK_CLAIM]) == 2


def test_asked_about_one_user_the_doctor_tells_of_the_directory_and_of_nobody_else() -> None:
    whole = everything()
    for name in ("B", "b"):
        found = DOCTOR.findings(whole, name)
        assert {each.user for each in found} == {None, "b"}
        assert Problem.USER_DELETED not in problems(found)
        assert Problem.UNMANAGED not in problems(found)
    assert Problem.USER_RENAMED in problems(DOCTOR.findings(whole, "NEW"))
    nobody = DOCTOR.findings(whole, "nobody")
    assert problems(nobody) == [
        Problem.PERMISSION_MISSING,
        Problem.WRONG_REGION,
        Problem.ENDPOINT_UNREACHABLE,
        Problem.POLICY_SHORT,
    ]


def test_every_alarming_state_is_explained_by_a_finding_about_that_user() -> None:
    rows = {one.user.name: one for one in everything().standings or ()}
    alarming = {name for name, one in rows.items() if one.state.urgency <= State.SECRET_IN_DELETION.urgency}
    assert len(alarming) == 5
    assert alarming <= {each.user for each in DOCTOR.findings(everything())}


# ----------------------------------------------------------------------------------------- what can be typed, and may

NASTY = st.sampled_from(
    [
        "it's",
        'a"b',
        "a b",
        "$(reboot)",
        "`reboot`",
        "a\nb",
        "a;b",
        "a&&b",
        "!x",
        "\\",
        "ünïcödé",
        "用户",
        "-x",
        "#x",
        "~",
    ]
)
NAMES = NASTY | st.text(min_size=1, max_size=20) | st.text("'\"$()`\\\n !", min_size=1, max_size=12)


def shown(text: str) -> str:
    """Return text as it is typed: what terminals obey, and no name has, is left out."""
    return "".join(character if character.isprintable() else "?" for character in text)


def read_by_a_shell(line: str) -> list[str]:
    """Return the arguments that a shell makes of a line."""
    done = subprocess.run(  # noqa: S603 - that nothing else is run is what the test is about
        ["/bin/sh", "-c", f"set -- {line}\nprintf '%s\\0' \"$@\""], capture_output=True, check=True
    )
    return done.stdout.decode().split("\0")[:-1]


@given(NAMES)
def test_whatever_a_user_is_called_a_shell_hands_it_on_as_it_is(name: str) -> None:
    assert event(commands.rotate(UserName(name), Force=True)) == {"UserName": name, "Force": True}
    for line in (COMMANDS.restore, COMMANDS.delete, COMMANDS.delete_now):
        assert aliyun(line(SecretName(name)))[2]["--SecretName"] == shown(name)
        assert line(SecretName(name)).isprintable()
    assert commands.rotate(UserName(name)).isprintable()


@settings(max_examples=20, deadline=None)
@given(NAMES.filter(lambda name: "\0" not in name))
def test_a_real_shell_reads_the_same_and_runs_nothing(name: str) -> None:
    for line in (commands.rotate(UserName(name)), COMMANDS.delete(SecretName(name))):
        assert read_by_a_shell(line) == shlex.split(line)


@given(NAMES, NAMES, NAMES)
def test_where_things_are_is_quoted_too(directory: str, one: str, other: str) -> None:
    where = Commands(directory, one, other)  # type: ignore[arg-type] # a directory's id
    options = aliyun(where.disable_sso())[2]
    assert (options["--DirectoryId"], options["--RegionId"]) == (shown(directory), shown(one))
    assert aliyun(where.secrets())[2]["--RegionId"] == shown(other)
    assert aliyun(where.directories())[2] == {"--RegionId": shown(one)}


def lines(found: Iterable[Finding]) -> list[tuple[Finding, str]]:
    return [(each, line) for each in found for line in each.mend]


def test_every_command_is_one_that_an_operator_has() -> None:
    found = (*DOCTOR.findings(everything()), *diagnosis(sso_enabled=True))
    read = {line: shlex.split(line) for _, line in lines(found)}
    starts = {tuple(words[:3]) for words in read.values() if words[0] in ("s", "aliyun")}
    assert starts <= {
        ("s", "deploy", "-y"),
        ("s", "rotation_status", "invoke"),
        ("s", "reset_password", "invoke"),
        ("s", "scan_expiring", "invoke"),
        ("aliyun", "ros", "GetStack"),
        ("aliyun", "kms", "DeleteSecret"),
        ("aliyun", "kms", "RestoreSecret"),
        ("aliyun", "cloudsso", "ListDirectories"),
        ("aliyun", "cloudsso", "GetPasswordPolicy"),
        ("aliyun", "cloudsso", "SetPasswordPolicy"),
        ("aliyun", "cloudsso", "SetExternalSAMLIdentityProvider"),
    }
    assert {words[0] for words in read.values()} == {"s", "aliyun", "export", "make"}
    assert not any("#" in words for words in read.values())  # a comment is none in every shell


def test_while_sso_logon_is_enabled_nothing_is_deleted_that_only_a_rotation_makes_anew() -> None:
    spent = standing(versions=(*rotated(9), *failed(FORCED_CLAIMS)))
    for rows, orphans in (([spent], ()), ([], (orphan(user("alice.b")),))):
        sso, found = diagnosis(*rows, orphans=orphans, sso_enabled=True)
        assert (sso.problem, found.mend) == (Problem.SSO_ENABLED, ())
        assert "no rotation succeeds" in found.what
        (otherwise,) = diagnosis(*rows, orphans=orphans)
        assert any("DeleteSecret" in line for line in otherwise.mend)


def test_no_command_has_a_gap_that_would_be_deployed_as_it_stands() -> None:
    told = [line for error in GAPS for each in diagnosis(gaps=(Gap("users", error("This.")),)) for line in each.mend]
    for line in [*told, *(line for _, line in lines(DOCTOR.findings(everything())))]:
        assert "..." not in line


def test_what_asks_for_a_rotation_is_taken_by_the_function_that_rotates() -> None:
    asked = [line for _, line in lines(DOCTOR.findings(everything())) if " reset_password invoke " in line]
    assert len(asked) == 7
    for line in asked:
        body = json.dumps(event(line)).encode()
        parsed = events.parse(body, received=NOON, directory_id=DIRECTORY, rules=NO_RULES)
        (request,) = parsed.requests
        assert (parsed.problems, parsed.ignored) == ((), ())
        assert request.user.name == event(line)["UserName"]
        assert not request.dry_run
        assert request.since <= NOON


def test_what_renews_a_tag_asks_for_no_more_than_the_versions_have() -> None:
    one = standing(versions=rotated(10), tag=NOON)
    (line,) = the(one).mend
    (request,) = events.parse(
        json.dumps(event(line)).encode(), received=NOON, directory_id=DIRECTORY, rules=NO_RULES
    ).requests
    assert (request.since, request.reason, request.force) == (one.rotated_at, Reason.EXPIRING, False)


AGES = st.integers(-100 * 86_400, 0)  # in seconds
IDS = st.sampled_from(["by-hand", "r1", "r2", "r3", *(f"r{n}-c{k}" for n in (1, 2, 3) for k in range(1, 10))])
STORED = st.lists(
    st.tuples(IDS, AGES, st.booleans()),
    max_size=10,
    unique_by=lambda each: each[0],
)


@given(STORED, st.booleans(), st.booleans(), st.none() | AGES, st.sampled_from([None, True, False]))
def test_no_secret_of_somebody_who_is_there_is_deleted_by_advice_but_one_that_takes_no_more_claims(
    stored: list[tuple[str, int, bool]],
    in_deletion: bool,  # noqa: FBT001 - drawn
    managed: bool,  # noqa: FBT001 - drawn
    tag: int | None,
    sso: bool | None,  # noqa: FBT001 - drawn
) -> None:
    versions = [version(name, NOON + at * SECOND, *([CURRENT] if current else [])) for name, at, current in stored]
    said = None if tag is None else NOON + tag * SECOND
    one = standing(versions=versions, tag=said, managed=managed, in_deletion=in_deletion)
    for each, line in lines(diagnosis(one, sso_enabled=sso)):
        words = shlex.split(line)
        if "DeleteSecret" in words:
            assert one.claim is not None
            assert one.claim.attempt >= FORCED_CLAIMS
            assert one.claim.stuck
            assert each.problem in (Problem.FAILED_ATTEMPTS, Problem.EXPIRED)
        if '"Force"' in line:
            assert one.claim is not None
            assert one.claim.attempt >= CLAIMS


@given(STORED, st.booleans(), st.none() | AGES)
def test_every_alarming_state_has_a_finding_whatever_the_versions_are(
    stored: list[tuple[str, int, bool]],
    in_deletion: bool,  # noqa: FBT001 - drawn
    tag: int | None,
) -> None:
    versions = [version(name, NOON + at * SECOND, *([CURRENT] if current else [])) for name, at, current in stored]
    said = None if tag is None else NOON + tag * SECOND
    one = standing(versions=versions, tag=said, in_deletion=in_deletion)
    found = diagnosis(one)
    assert any(not each.problem.advice for each in found) == (one.state.urgency <= State.SECRET_IN_DELETION.urgency)
    assert all(each.user == "alice" and each.what and each.mend for each in found)
    assert all("None" not in each.what for each in found)


# ------------------------------------------------------------------------------------------------------------ work


def calls(count: int) -> int:
    """Return how many calls of functions it takes to examine so many users who are all stuck."""
    rows = tuple(standing(user(f"user{n:06}"), (*rotated(9), *failed(1))) for n in range(count))
    profile = cProfile.Profile()
    profile.enable()
    DOCTOR.findings(survey(standings=rows))
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # pstats's own attribute, not typed


def test_every_user_takes_as_much_work_as_the_one_before() -> None:
    first, second, third = calls(500), calls(1000), calls(1500)
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert (third - second) / 500 < CALLS_PER_USER
