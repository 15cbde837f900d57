"""The protocol, step by step, on the real code with in-memory ports."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared import rotation
from shared.errors import (
    DirectoryDenied,
    DirectoryUnavailable,
    NotPublished,
    OutOfTime,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    RotationInProgress,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    TooManyAttempts,
    UserNotFound,
    VersionConflict,
)
from shared.model import (
    CURRENT,
    AlreadyRotated,
    Exempt,
    Exemption,
    Outcome,
    PasswordSource,
    Reason,
    RequestId,
    ResetRequest,
    Rotated,
    SecretName,
    SecretValue,
    UserId,
    UserName,
    UserRef,
    VersionId,
    WouldRotate,
)
from tests.fakes import PREVIOUS, Setup, user
from tests.localcloud.switches import Switches

SOURCES = pytest.mark.parametrize("staged", [False, True], ids=["generated", "staged"])


def rotate(setup: Setup, request: ResetRequest | None = None, minutes: float = 4.5) -> Outcome:
    return setup.rotator.ensure_rotated(request or setup.request(), give_up_at=setup.minutes(minutes))


def published(setup: Setup) -> dict[str, object]:
    current = setup.store.at(setup.secret, CURRENT)
    assert current is not None
    value: dict[str, object] = json.loads(current.value.reveal())
    return value


def assert_current_is_live(setup: Setup) -> None:
    live = setup.directory.live(setup.alice)
    assert live is not None
    assert published(setup)["Password"] == live.password.reveal()


@SOURCES
def test_a_first_rotation_creates_the_secret_and_publishes_the_live_password(*, staged: bool) -> None:
    setup = Setup(staged=staged)
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert (done.version, done.attempt, done.indexed) == ("r1", 1, True)
    assert_current_is_live(setup)


@SOURCES
def test_a_rotation_takes_six_calls_and_a_duplicate_two(*, staged: bool) -> None:
    setup = Setup(staged=staged)
    rotate(setup)
    setup.clock.advance(86_400)
    setup.faults.calls.clear()
    assert isinstance(rotate(setup), Rotated)
    assert dict(setup.faults.calls) == {"find": 1, "versions": 1, "put": 2, "reset": 1, "tag": 1}
    setup.faults.calls.clear()
    assert isinstance(rotate(setup, setup.request(since=setup.minutes(-5))), AlreadyRotated)
    assert dict(setup.faults.calls) == {"find": 1, "versions": 1}


def test_a_scan_that_believed_a_stale_tag_finds_it_renewed() -> None:
    setup = Setup()
    rotate(setup)
    rotated_at = setup.tags["RotatedAt"]
    setup.store.tagged[setup.secret].pop("RotatedAt")
    setup.clock.advance(86_400)
    satisfied = setup.request(since=setup.minutes(-2880), reason=Reason.EXPIRING)
    assert isinstance(rotate(setup, replace(satisfied, dry_run=True)), AlreadyRotated)
    assert isinstance(rotate(setup, replace(satisfied, reason=Reason.ALERT)), AlreadyRotated)
    assert "RotatedAt" not in setup.tags
    setup.faults.calls.clear()
    assert isinstance(rotate(setup, satisfied), AlreadyRotated)
    assert setup.tags["RotatedAt"] == rotated_at
    assert dict(setup.faults.calls) == {"find": 1, "versions": 1, "tag": 1}


def test_a_stale_tag_that_cannot_be_renewed_hinders_nobody() -> None:
    setup = Setup()
    rotate(setup)
    setup.faults.refuse["tag", setup.faults.calls["tag"] + 1] = SecretStoreUnavailable("down")
    satisfied = setup.request(since=setup.minutes(-5), reason=Reason.EXPIRING)
    assert isinstance(rotate(setup, satisfied), AlreadyRotated)


def test_a_later_rotation_moves_the_old_password_to_previous() -> None:
    setup = Setup()
    rotate(setup)
    first = published(setup)["Password"]
    setup.clock.advance(86_400)
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.version == "r2"
    previous = setup.store.at(setup.secret, PREVIOUS)
    assert previous is not None
    assert json.loads(previous.value.reveal())["Password"] == first
    assert_current_is_live(setup)


def test_the_published_value_names_the_user_and_the_claim_holds_no_password() -> None:
    setup = Setup()
    rotate(setup)
    value = published(setup)
    assert {k: v for k, v in value.items() if k != "Password"} == {
        "UserName": "alice",
        "DirectoryId": "d-fake",
        "UserId": "u-alice",
    }
    claim = json.loads(setup.store.secrets[setup.secret][0].value.reveal())
    assert set(claim) == {"Claim"}
    assert set(claim["Claim"]) == {"UserName", "DirectoryId", "UserId", "Owner"}


def test_a_forced_change_at_next_logon_is_asked_for_and_told_to_readers() -> None:
    setup = Setup(must_change=True)
    rotate(setup)
    live = setup.directory.live(setup.alice)
    assert live is not None
    assert live.must_change
    assert published(setup)["RequirePasswordResetForNextLogin"] is True


def test_a_staged_candidate_is_in_kms_before_it_is_live() -> None:
    setup = Setup(staged=True)
    seen: list[str] = []
    setup.faults.then["create", 1] = lambda: seen.append(setup.store.secrets[setup.secret][0].value.reveal())
    rotate(setup)
    live = setup.directory.live(setup.alice)
    assert live is not None
    assert json.loads(seen[0])["Claim"]["Candidate"] == live.password.reveal()


def test_a_request_can_choose_the_source_of_its_password() -> None:
    setup = Setup()
    rotate(setup, setup.request(source=PasswordSource.STAGED))
    live = setup.directory.live(setup.alice)
    assert live is not None
    assert live.password.reveal().startswith("Candidate-")


def test_an_unknown_user_ends_with_nothing_written() -> None:
    setup = Setup()
    with pytest.raises(UserNotFound):
        rotate(setup, setup.request(user=UserRef(name=UserName("nobody"))))
    assert setup.store.secrets == {}


@pytest.mark.parametrize("why", list(Exemption))
def test_an_exempt_user_is_left_alone_even_by_force(why: Exemption) -> None:
    setup = Setup(exemption=lambda _user: why)
    done = rotate(setup, setup.request(force=True))
    assert done == Exempt(setup.alice, why)
    assert done.name == why.value
    assert dict(setup.faults.calls) == {"find": 1}


# look


def test_a_reset_before_the_event_does_not_satisfy_it_even_if_published_after() -> None:
    setup = Setup()
    # The reset of r1 comes after its claim and before the event; the publication after the event.
    setup.faults.then["reset", 1] = lambda: setup.clock.advance(10)
    rotate(setup)
    between = setup.store.secrets[setup.secret][1].created - timedelta(seconds=5)
    setup.clock.advance(3600)
    assert isinstance(rotate(setup, setup.request(since=between)), Rotated)


def test_a_publication_whose_claim_was_purged_counts_from_the_earliest_it_can_have_been_reset() -> None:
    setup = Setup()
    rotate(setup)
    created = setup.store.secrets[setup.secret][1].created
    stored = setup.store.secrets[setup.secret]
    for number in range(9):  # KMS purges the claim for the tenth of them
        setup.store._put(setup.secret, VersionId(f"foreign-{number}"), SecretValue("{}"), f"Stage{number}")
    assert [version.id for version in stored[:2]] == ["r1", "foreign-0"]
    setup.clock.advance(3600)
    long_before = setup.request(since=created - rotation.PUBLISH_BY - rotation.LONGEST_EFFECT)
    assert isinstance(rotate(setup, long_before), AlreadyRotated)
    just_before = replace(long_before, since=long_before.since + timedelta(seconds=1))
    assert isinstance(rotate(setup, just_before), Rotated)


def test_a_user_created_again_is_not_given_the_password_of_the_one_deleted() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(3600)
    setup.alice = replace(setup.alice, id=UserId("u-another"), created=setup.clock.now())
    setup.directory.known = [setup.alice]
    assert isinstance(rotate(setup, setup.request(since=setup.minutes(-600))), Rotated)
    assert_current_is_live(setup)
    assert isinstance(rotate(setup, setup.request(since=setup.minutes(-600))), AlreadyRotated)


def test_a_foreign_current_version_is_never_taken_for_ours() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "terraform-1")
    done = rotate(setup, setup.request(since=setup.minutes(-60)))
    assert isinstance(done, Rotated)
    assert done.version == "r1"
    assert_current_is_live(setup)


def test_a_version_that_somebody_made_current_again_is_not_taken_for_the_live_one() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(3600)
    rotate(setup)
    stored = setup.store.secrets[setup.secret]
    setup.store._take(stored, CURRENT, next(v for v in stored if v.id == "r1"))
    setup.clock.advance(3600)
    done = rotate(setup, setup.request(since=setup.minutes(-180)))
    assert isinstance(done, Rotated)
    assert done.version == "r3"
    assert_current_is_live(setup)


def test_a_claim_that_was_never_published_is_mended_by_any_event_however_old() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(3600)
    setup.faults.refuse["put", 3] = KeyboardInterrupt()  # r1-c1 was a create; r1 put 1, r2-c1 put 2, r2 put 3
    with pytest.raises(KeyboardInterrupt):
        rotate(setup)
    setup.clock.advance(3600)
    done = rotate(setup, setup.request(since=setup.minutes(-240)))
    assert isinstance(done, Rotated)
    assert (done.version, done.attempt) == ("r2", 2)
    assert_current_is_live(setup)


# lease


def test_a_fresh_claim_of_another_worker_is_waited_for() -> None:
    setup = Setup()
    setup.faults.refuse["reset", 1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        rotate(setup)
    assert isinstance(rotate(setup), Rotated)
    claim, second = setup.store.secrets[setup.secret][:2]
    assert second.id == "r1-c2"
    assert second.created - claim.created >= rotation.LEASE - timedelta(seconds=1)


def test_a_fresh_claim_is_reported_with_the_time_to_wait_when_this_invocation_has_none() -> None:
    setup = Setup()
    setup.faults.refuse["reset", 1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        rotate(setup)
    with pytest.raises(RotationInProgress) as raised:
        rotate(setup, minutes=1)
    assert raised.value.retry_after is not None
    assert timedelta(seconds=80) < raised.value.retry_after <= rotation.LEASE
    assert len(setup.store.secrets[setup.secret]) == 1


def test_the_claim_of_a_rotation_that_is_published_keeps_the_next_one_waiting() -> None:
    setup = Setup()
    rotate(setup)
    later = setup.request(since=setup.clock.now() + timedelta(seconds=1))
    setup.clock.advance(2)
    assert isinstance(rotate(setup, later), Rotated)
    first, *_, third = setup.store.secrets[setup.secret][:3]
    assert third.created - first.created >= rotation.LEASE - timedelta(seconds=1)


def test_a_rotation_in_progress_that_finishes_satisfies_the_one_who_waited() -> None:
    setup = Setup()
    since = setup.minutes(-1)
    other = setup.rotator

    def finish_elsewhere() -> None:
        del setup.faults.then["create", 1]
        done = other.ensure_rotated(setup.request(since=since), give_up_at=setup.minutes(10))
        assert isinstance(done, Rotated)

    setup.faults.then["create", 1] = finish_elsewhere  # while the first one's claim is on its way
    done = rotate(setup, setup.request(since=since), minutes=30)
    # The second waited for the first's lease, took over as r1-c2, and the first, far too late, resets nothing.
    assert isinstance(done, AlreadyRotated)
    assert_current_is_live(setup)
    assert len(setup.directory.sets[setup.alice.id]) == 1


def test_the_lease_outlasts_every_effect_of_its_claim() -> None:
    longest = rotation.PUBLISH_BY + rotation.LONGEST_EFFECT + 2 * rotation.CLOCK_SKEW + rotation.KMS_TICK
    assert longest <= rotation.LEASE


# claim


def test_nothing_is_begun_when_it_could_not_be_finished() -> None:
    setup = Setup()
    with pytest.raises(OutOfTime):
        rotate(setup, minutes=0.5)
    assert setup.store.secrets == {}


def test_a_store_that_cannot_be_written_leaves_the_password_alone() -> None:
    setup = Setup()
    setup.faults.refuse["create", 1] = SecretStoreDenied("no")
    with pytest.raises(SecretStoreDenied):
        rotate(setup)
    assert setup.directory.live(setup.alice) is None


@pytest.mark.parametrize("call", ["create", "put"])
def test_a_lost_answer_to_a_claim_is_asked_for_again_with_the_same_bytes(call: str) -> None:
    setup = Setup()
    if call == "put":
        setup.store.write(setup.secret, "foreign")
    setup.faults.lose.add((call, 1))
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 1
    assert len(setup.directory.sets[setup.alice.id]) == 1


def test_a_claim_that_is_never_answered_is_not_followed_by_a_reset() -> None:
    setup = Setup()
    setup.faults.lose.update(("put", n) for n in range(1, 20))
    setup.store.write(setup.secret, "foreign")
    with pytest.raises(SecretStoreUnavailable):
        rotate(setup)
    assert setup.directory.live(setup.alice) is None


def test_a_claim_is_not_sent_on_a_stale_list() -> None:
    setup = Setup()
    setup.faults.then["versions", 1] = lambda: setup.clock.advance(rotation.RESET_BY.total_seconds() + 1)
    assert isinstance(rotate(setup), Rotated)
    assert setup.faults.calls["versions"] == 2


def test_a_reset_is_not_sent_when_its_claim_took_too_long() -> None:
    setup = Setup()
    setup.faults.then["create", 1] = lambda: setup.clock.advance(rotation.RESET_BY.total_seconds() + 1)
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 2
    assert setup.faults.calls["reset"] == 1


def test_a_race_for_the_first_claim_has_one_winner() -> None:
    setup = Setup()

    def win() -> None:
        value = SecretValue('{"Claim": {"Owner": "somebody else"}}')
        setup.store.create(setup.secret, VersionId("r1-c1"), value, setup.alice, send_by=setup.minutes(1))

    setup.faults.then["versions", 1] = win
    with pytest.raises(RotationInProgress):
        rotate(setup, minutes=1.5)
    assert setup.directory.live(setup.alice) is None


def test_the_stage_is_taken_off_its_holder_where_kms_will_not_move_it() -> None:
    setup = Setup(switches=Switches(stage_can_be_taken=False))
    rotate(setup)
    setup.clock.advance(3600)
    rotate(setup)  # create gave r1-c1 ACSCurrent, so r2-c1 is the first to carry the stage
    setup.clock.advance(3600)
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.version == "r3"
    assert setup.faults.calls["release"] == 1
    assert_current_is_live(setup)


def test_whoever_loses_a_race_for_a_released_stage_lets_the_winner_have_it() -> None:
    setup = Setup(switches=Switches(stage_can_be_taken=False))
    for _ in range(2):
        rotate(setup)
        setup.clock.advance(3600)
    ends: list[Outcome] = []
    setup.faults.then["release", 1] = lambda: ends.append(rotate(setup))  # another worker, as soon as the stage is free
    ends.append(rotate(setup))
    assert [type(end) for end in ends] == [Rotated, AlreadyRotated]
    assert_current_is_live(setup)


def test_a_claim_that_was_not_sent_again_after_the_stage_was_released_is_not_given_up() -> None:
    setup = Setup(switches=Switches(stage_can_be_taken=False))
    for _ in range(2):
        rotate(setup)
        setup.clock.advance(3600)
    setup.faults.then["release", 1] = lambda: setup.clock.advance(29)  # by then the list is stale
    assert isinstance(rotate(setup), Rotated)
    assert_current_is_live(setup)


def test_an_id_that_kms_refuses_for_no_known_cause_is_not_tried_for_ever() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    setup.faults.refuse.update({("put", n): VersionConflict("why?") for n in range(1, 50)})
    with pytest.raises(SecretRefused, match=r"why\?"):
        rotate(setup)
    assert setup.faults.calls["put"] <= 3
    assert setup.directory.live(setup.alice) is None


@pytest.mark.parametrize("returns", [True, False], ids=["purged ids return", "purged ids are gone"])
@pytest.mark.parametrize("purge", ["earliest", "earliest-without-stage"])
def test_rotation_goes_on_after_foreign_versions_pushed_everything_of_ours_out(*, purge: str, returns: bool) -> None:
    setup = Setup(switches=Switches(purge=purge, purged_id_returns=returns))  # type: ignore[arg-type]
    for round_ in range(3):
        done = rotate(setup)
        assert isinstance(done, Rotated), round_
        assert_current_is_live(setup)
        for n in range(12):
            setup.store.write(setup.secret, f"foreign-{round_}-{n}")
        setup.clock.advance(3600)


# reset


def test_a_generated_reset_whose_answer_was_lost_is_not_sent_again_under_its_claim() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 2
    first, second = setup.directory.sets[setup.alice.id]
    assert second.at - first.at >= rotation.LEASE - timedelta(seconds=1)
    assert_current_is_live(setup)


def test_a_lost_answer_without_time_to_wait_is_reported_as_what_it_is() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    with pytest.raises(ResetOutcomeUnknown):
        rotate(setup, minutes=1.5)
    setup.clock.advance(120)
    assert isinstance(rotate(setup), Rotated)
    assert_current_is_live(setup)


@pytest.mark.parametrize("settable", [True, False], ids=["the live one may be set", "the live one is refused"])
def test_a_staged_reset_whose_answer_was_lost_is_repaired(*, settable: bool) -> None:
    setup = Setup(staged=True, switches=Switches(current_password_settable=settable))
    setup.faults.lose.add(("reset", 1))
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == (1 if settable else 2)  # "refused" may mean "live already": no proof, so a new claim
    assert_current_is_live(setup)


def test_a_refused_candidate_is_replaced_by_a_fresh_one_under_the_next_claim() -> None:
    setup = Setup(staged=True)
    setup.directory.reject = lambda candidate: candidate.reveal().startswith("Candidate-1-")
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 2
    assert_current_is_live(setup)


def test_a_denied_reset_ends_at_once_and_leaves_a_note() -> None:
    setup = Setup()
    setup.faults.refuse["reset", 1] = DirectoryDenied("no")
    with pytest.raises(DirectoryDenied):
        rotate(setup)
    assert setup.store.tagged[setup.secret]["Attempt1"] == "r1-c1:directory-denied"


# publish


def test_a_lost_answer_to_a_publication_is_asked_for_again() -> None:
    setup = Setup()
    setup.faults.lose.add(("put", 1))
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 1
    assert_current_is_live(setup)


def test_a_password_that_could_not_be_published_is_reset_again_after_the_lease() -> None:
    setup = Setup()
    setup.faults.refuse["put", 1] = SecretStoreDenied("no")
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert done.attempt == 2
    assert_current_is_live(setup)


def test_a_password_that_could_not_be_published_is_never_called_a_success() -> None:
    setup = Setup()
    setup.faults.refuse["put", 1] = SecretStoreDenied("no")
    with pytest.raises(NotPublished) as raised:
        rotate(setup, minutes=1.5)
    assert "cannot log on" in str(raised.value)
    assert raised.value.retryable


def test_a_publication_is_not_sent_after_its_time() -> None:
    setup = Setup()
    setup.faults.then["reset", 1] = lambda: setup.clock.advance(rotation.PUBLISH_BY.total_seconds() + 1)
    with pytest.raises(NotPublished):
        rotate(setup, minutes=1.5)
    assert setup.store.at(setup.secret, CURRENT) is not None
    assert all(version.id != "r1" for version in setup.store.secrets[setup.secret])


@pytest.mark.parametrize("moves", [True, False], ids=["the stage moves", "the stage does not move"])
@pytest.mark.parametrize("number", [1, 2], ids=["first rotation", "later rotation"])
def test_a_publication_that_somebody_else_wrote_is_distrusted(number: int, *, moves: bool) -> None:
    setup = Setup(switches=Switches(stage_can_be_taken=moves))
    for _ in range(1, number):
        rotate(setup)
        setup.clock.advance(3600)
    taken = f"r{number}"
    setup.faults.then["reset", number] = lambda: setup.store.write(setup.secret, taken, '{"Password": "by hand"}')
    with pytest.raises(NotPublished):
        rotate(setup, minutes=1.5)
    setup.clock.advance(120)
    done = rotate(setup, setup.request(since=setup.minutes(-600)))  # by another worker, which has not seen it happen
    assert isinstance(done, Rotated)
    assert done.version == f"r{number + 1}"
    assert_current_is_live(setup)


def test_publications_refused_for_another_cause_leave_the_last_published_password_in_kms() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(3600)
    put = setup.store.put

    def refuse(
        secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        if stage is None:
            raise VersionConflict("why?")
        return put(secret, version, value, stage=stage, send_by=send_by)

    setup.store.put = refuse  # type: ignore[method-assign]
    for _ in range(6):
        with pytest.raises(NotPublished):
            rotate(setup, minutes=1.5)
        setup.clock.advance(120)
    with pytest.raises(TooManyAttempts):
        rotate(setup)
    assert any(version.id == "r1" for version in setup.store.secrets[setup.secret])


def test_an_index_that_cannot_be_written_does_not_fail_the_rotation() -> None:
    setup = Setup()
    setup.faults.refuse["tag", 1] = SecretStoreDenied("no")
    done = rotate(setup)
    assert isinstance(done, Rotated)
    assert not done.indexed


def test_a_published_rotation_is_indexed_for_scans() -> None:
    setup = Setup()
    rotate(setup)
    assert setup.store.tagged[setup.secret] == {
        "ManagedBy": "cloudsso-rotator",
        "DirectoryId": "d-fake",
        "UserId": "u-alice",
        "RotatedAt": "2026-03-01T12:00:00Z",
    }


# what is told


def test_a_terminal_error_after_a_lost_reset_tells_both() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    setup.faults.refuse["reset", 2] = DirectoryDenied("Denied.")
    with pytest.raises(DirectoryDenied) as raised:
        rotate(setup)
    assert "Denied." in str(raised.value)
    assert "whether it is still live is not known" in str(raised.value)
    assert "The password was not reset" not in str(raised.value)


def test_running_out_of_time_after_a_lost_reset_tells_of_the_lost_reset() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    setup.faults.refuse["versions", 2] = SecretStoreUnavailable("KMS is down.")
    with pytest.raises(ResetOutcomeUnknown):
        rotate(setup)


def test_a_failure_that_left_nothing_behind_does_not_hide_one_that_did() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    setup.faults.refuse.update({("reset", n): DirectoryUnavailable("Throttled.") for n in (2, 3, 4)})
    with pytest.raises(ResetOutcomeUnknown):
        rotate(setup)


def test_a_redelivery_that_fails_says_that_a_claim_before_it_may_have_reset() -> None:
    setup = Setup()
    setup.faults.lose.add(("reset", 1))
    with pytest.raises(ResetOutcomeUnknown):
        rotate(setup, minutes=1.5)
    setup.clock.advance(120)
    setup.faults.refuse["reset", 2] = DirectoryDenied("Denied.")
    with pytest.raises(DirectoryDenied) as raised:
        rotate(setup)
    assert "claim r1-c1 before it may have" in str(raised.value)
    assert "The password was not reset" not in str(raised.value)


def test_a_version_written_by_hand_under_a_name_like_ours_is_not_taken_for_ours() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "r5")
    done = rotate(setup, setup.request(since=setup.minutes(-600)))
    assert isinstance(done, Rotated)
    assert done.version == "r6"


# attempts


def fail_six_times(setup: Setup) -> None:
    setup.faults.refuse.update({("reset", n): DirectoryDenied("no") for n in range(1, 7)})
    for _ in range(6):
        with pytest.raises(DirectoryDenied):
            rotate(setup)
        setup.clock.advance(120)


def test_after_six_claims_the_operator_is_told_what_failed_each_time() -> None:
    setup = Setup()
    fail_six_times(setup)
    with pytest.raises(TooManyAttempts) as raised:
        rotate(setup)
    assert all(f"r1-c{n}:directory-denied" in str(raised.value) for n in range(1, 7))
    assert "Force" in str(raised.value)
    assert not raised.value.retryable


def test_force_allows_two_more_claims() -> None:
    setup = Setup()
    fail_six_times(setup)
    done = rotate(setup, setup.request(force=True))
    assert isinstance(done, Rotated)
    assert done.attempt == 7
    assert_current_is_live(setup)


def test_even_eight_failures_leave_the_last_published_password_in_kms() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(3600)
    setup.faults.refuse.update({("reset", n): DirectoryDenied("no") for n in range(2, 20)})
    for n in range(8):
        with pytest.raises(DirectoryDenied):
            rotate(setup, setup.request(force=n >= 6))
        setup.clock.advance(120)
    with pytest.raises(TooManyAttempts) as raised:
        rotate(setup, setup.request(force=True))
    assert "delete it without a recovery window" in str(raised.value)
    assert published(setup)["UserName"] == "alice"


# dry run


def test_a_dry_run_writes_nothing_and_says_what_would_be() -> None:
    setup = Setup()
    assert rotate(setup, setup.request(dry_run=True)) == WouldRotate(setup.alice, setup.secret, VersionId("r1"), 1)
    assert dict(setup.faults.calls) == {"find": 1, "versions": 1, "check_resettable": 1}


def test_a_dry_run_finds_a_directory_that_allows_no_reset() -> None:
    setup = Setup()
    setup.directory.sso = True
    with pytest.raises(ResetNotAllowed):
        rotate(setup, setup.request(dry_run=True))


def test_a_dry_run_does_not_wait_for_a_rotation_in_progress() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(1)
    with pytest.raises(RotationInProgress):
        rotate(setup, setup.request(since=setup.clock.now(), dry_run=True))
    assert setup.clock.slept == []


def test_users_do_not_wait_for_each_other() -> None:
    setup = Setup(user("alice"), user("bob"))
    rotate(setup)
    done = rotate(setup, setup.request(user=UserRef(name=UserName("bob"))))
    assert isinstance(done, Rotated)
    assert setup.clock.slept == []


def test_a_write_is_not_sent_again_when_the_pause_before_it_outlasted_its_time() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    setup.faults.refuse["put", 2] = SecretStoreUnavailable("down")  # put 1 claims, put 2 publishes
    sleep = setup.clock.sleep
    setup.clock.sleep = lambda seconds: sleep(seconds + 60)  # type: ignore[method-assign]
    with pytest.raises(NotPublished):
        rotate(setup, minutes=2)
    assert setup.faults.calls["put"] == 2


def test_a_lost_publication_that_took_effect_is_found_when_looked_at_again() -> None:
    setup = Setup()
    setup.faults.lose.update(("put", n) for n in range(1, 50))
    since = setup.clock.now()
    done = rotate(setup, setup.request(since=since))
    assert isinstance(done, AlreadyRotated)
    assert setup.clock.now() - since < rotation.PUBLISH_BY + timedelta(seconds=1)
    assert_current_is_live(setup)
