"""What a rotation tells: outcomes field by field, and errors word by word, for they are all that an operator has."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.errors import (
    DirectoryDenied,
    DirectoryUnavailable,
    NotPublished,
    OutOfTime,
    ResetOutcomeUnknown,
    RotationInProgress,
    RotatorError,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    TooManyAttempts,
    VersionConflict,
)
from shared.model import (
    CURRENT,
    AlreadyRotated,
    Exemption,
    Outcome,
    RequestId,
    ResetRequest,
    Rotated,
    User,
    VersionId,
)
from shared.rotation import LEASE, PUBLISH_BY, RESET_BY, ROTATING
from tests.fakes import FakeDirectory, Setup

ONE_CLAIM = 1.5  # minutes: enough for one claim, and not to wait for another


def rotate(setup: Setup, request: ResetRequest | None = None, minutes: float = 4.5) -> Outcome:
    return setup.rotator.ensure_rotated(request or setup.request(), give_up_at=setup.minutes(minutes))


def told(setup: Setup, kind: type[RotatorError], request: ResetRequest | None = None, minutes: float = 4.5) -> str:
    """Return what the error of a rotation says."""
    with pytest.raises(kind) as raised:
        rotate(setup, request, minutes)
    return str(raised.value)


def refuse_resets(setup: Setup, *numbers: int) -> None:
    setup.faults.refuse.update({("reset", number): DirectoryDenied("no") for number in numbers})


# ------------------------------------------------------------------------------------------------ outcomes


def test_a_rotation_tells_its_version_its_requests_and_how_long_readers_had_the_old_password() -> None:
    setup = Setup()
    setup.faults.then["put", 1] = lambda: setup.clock.advance(3)  # the publication
    expected = Rotated(
        user=setup.alice,
        secret=setup.secret,
        version=VersionId("r1"),
        attempt=1,
        reset_request_id=RequestId("sso-1"),
        publish_request_id=RequestId("kms-1"),
        mismatch=timedelta(seconds=3),
        indexed=True,
    )
    assert rotate(setup) == expected


def test_a_duplicate_tells_the_version_that_satisfies_it_and_when_it_was_claimed() -> None:
    setup = Setup()
    rotated_at = setup.clock.now()
    setup.faults.then["reset", 1] = lambda: setup.clock.advance(5)
    rotate(setup)
    expected = AlreadyRotated(setup.alice, setup.secret, VersionId("r1"), rotated_at)
    assert rotate(setup, setup.request(since=rotated_at)) == expected


# ------------------------------------------------------------------------------------------------ who is asked what


def test_the_policy_is_asked_about_this_user_and_this_request() -> None:
    setup = Setup()
    asked: list[User | ResetRequest] = []

    def exemption(user: User) -> Exemption | None:
        asked.append(user)
        return None

    def must_change(request: ResetRequest) -> bool:
        asked.append(request)
        return False

    policy = replace(setup.rotator.policy, exemption=exemption, must_change=must_change)
    setup.rotator = replace(setup.rotator, policy=policy)
    request = setup.request()
    rotate(setup, request)
    assert asked == [setup.alice, request]


def test_a_candidate_is_made_for_the_name_of_its_user() -> None:
    setup = Setup(staged=True)
    rotate(setup)
    live = setup.directory.live(setup.alice)
    assert live is not None
    assert live.password.reveal().endswith("-for-alice!")


def test_a_dry_run_asks_the_directory_about_this_user() -> None:
    class Asked(FakeDirectory):
        users_asked_about: tuple[User, ...] = ()

        def check_resettable(self, user: User) -> None:
            self.users_asked_about += (user,)

    setup = Setup()
    directory = Asked(setup.clock.now, setup.alice)
    setup.rotator = replace(setup.rotator, directory=directory)
    rotate(setup, setup.request(dry_run=True))
    assert directory.users_asked_about == (setup.alice,)


# ------------------------------------------------------------------------------------------------ errors


def test_a_rotation_in_progress_says_for_how_long_it_may_go_on() -> None:
    setup = Setup()
    rotate(setup)
    setup.clock.advance(10.5)
    with pytest.raises(RotationInProgress) as raised:
        rotate(setup, setup.request(since=setup.minutes(1), dry_run=True))
    assert raised.value.happened == "Another rotation of user 'alice' may be under way for 90 s more."
    assert raised.value.retry_after == LEASE - timedelta(seconds=10.5)


def test_a_claim_that_was_acknowledged_too_late_says_so() -> None:
    setup = Setup()
    setup.faults.then["create", 1] = lambda: setup.clock.advance(RESET_BY.total_seconds() + 1)
    assert told(setup, OutOfTime, minutes=ONE_CLAIM).startswith(
        "The claim on user 'alice' took too long to be acknowledged. "
        "The password was not reset; the claim is spent. Redeliver;"
    )


NOT_CONFIRMED = "The password of user 'alice' was reset, but KMS did not confirm its version"


def test_a_password_that_was_reset_too_late_to_be_published_says_so() -> None:
    setup = Setup()
    setup.faults.then["reset", 1] = lambda: setup.clock.advance(PUBLISH_BY.total_seconds() + 1)
    assert told(setup, NotPublished, minutes=ONE_CLAIM).startswith(f"{NOT_CONFIRMED} (the claim's time was over).")


def test_a_publication_that_kms_refuses_says_why() -> None:
    setup = Setup()
    setup.faults.refuse["put", 1] = SecretStoreDenied("no")
    assert told(setup, NotPublished, minutes=ONE_CLAIM).startswith(f"{NOT_CONFIRMED} (secret-store-denied).")


# ------------------------------------------------------------------------------------------------ which error is told


def test_a_listing_that_fails_is_told_in_its_own_words() -> None:
    setup = Setup()
    down = SecretStoreUnavailable("KMS is down.")
    setup.faults.refuse["versions", 1] = down
    assert told(setup, SecretStoreUnavailable) == str(down)


def test_a_terminal_error_tells_what_the_claim_before_it_failed_of() -> None:
    setup = Setup()
    setup.faults.refuse["reset", 1] = DirectoryUnavailable("Throttled.")
    setup.faults.refuse["reset", 2] = DirectoryDenied("Denied.")
    assert told(setup, DirectoryDenied).startswith("Denied. Earlier: Throttled. The password was not reset.")


def test_a_redelivery_whose_own_reset_was_lost_does_not_say_that_it_reset_nothing() -> None:
    setup = Setup()
    setup.faults.lose.update([("reset", 1), ("reset", 2)])
    first = told(setup, ResetOutcomeUnknown, minutes=ONE_CLAIM)
    setup.clock.advance(120)
    assert told(setup, ResetOutcomeUnknown, minutes=ONE_CLAIM) == first


def test_a_password_that_is_surely_lost_is_told_before_one_that_is_perhaps_lost() -> None:
    setup = Setup()
    setup.faults.refuse["put", 1] = SecretStoreDenied("no")  # the publication
    setup.faults.lose.add(("reset", 2))
    assert told(setup, NotPublished, minutes=3).startswith(NOT_CONFIRMED)  # time for two claims


# ------------------------------------------------------------------------------------------------ too many attempts


def fail(setup: Setup, times: int, *, force: bool = False) -> None:
    done = setup.faults.calls["reset"]
    refuse_resets(setup, *range(done + 1, done + times + 1))
    for _ in range(times):
        with pytest.raises(DirectoryDenied):
            rotate(setup, setup.request(force=force))
        setup.clock.advance(120)


def test_too_many_attempts_lists_what_each_failed_of_and_what_to_do() -> None:
    setup = Setup()
    fail(setup, 6)
    failures = ", ".join(f"r1-c{number}:directory-denied" for number in range(1, 7))
    assert told(setup, TooManyAttempts) == (
        f"Rotation r1 of user 'alice' has failed 6 times: {failures}. {TooManyAttempts.unchanged} Mend the cause, then "
        'send the request once more with "Force": true, which allows two more claims.'
    )


def test_too_many_attempts_by_force_says_how_to_begin_anew() -> None:
    setup = Setup()
    fail(setup, 6)
    fail(setup, 2, force=True)
    assert told(setup, TooManyAttempts, setup.request(force=True)).endswith(
        "Mend the cause, then read what you may still need from secret 'cloudsso/alice', delete it without a recovery "
        "window, and redeliver: it will be made anew."
    )


@pytest.mark.parametrize("lost", [False, True], ids=["nothing was noted", "the notes cannot be read"])
def test_too_many_attempts_says_where_to_look_without_notes(*, lost: bool) -> None:
    setup = Setup()
    fail(setup, 6)
    setup.tags.clear()
    if lost:
        setup.faults.refuse["tags", 1] = SecretStoreUnavailable("down")
    assert "has failed 6 times: why was not noted, see the audit lines. " in told(setup, TooManyAttempts)


# ------------------------------------------------------------------------------------------------ doubt, and refusals


def write_by_hand_before_the_publication(setup: Setup) -> None:
    setup.faults.then["reset", 1] = lambda: setup.store.write(setup.secret, "r1", '{"Password": "by hand"}')


def test_doubt_is_an_open_claim_on_the_next_rotation_that_leaves_the_current_version_alone() -> None:
    setup = Setup()
    write_by_hand_before_the_publication(setup)
    assert told(setup, NotPublished, minutes=ONE_CLAIM).startswith(f"{NOT_CONFIRMED} (version-conflict).")
    doubt, current = setup.store.at(setup.secret, ROTATING), setup.store.at(setup.secret, CURRENT)
    assert doubt is not None
    assert current is not None
    assert (doubt.id, current.id) == ("r2-c1", "r1")
    assert set(json.loads(doubt.value.reveal())) == {"Claim"}


def test_doubt_is_cast_again_until_it_is_acknowledged() -> None:
    setup = Setup()
    write_by_hand_before_the_publication(setup)
    setup.faults.refuse["put", 2] = SecretStoreUnavailable("down")  # put 1 is the publication
    told(setup, NotPublished, minutes=ONE_CLAIM)
    doubt = setup.store.at(setup.secret, ROTATING)
    assert doubt is not None
    assert doubt.id == "r2-c1"


def test_what_another_wrote_is_no_success_to_the_run_that_saw_it_even_where_no_doubt_could_be_cast() -> None:
    setup = Setup()
    write_by_hand_before_the_publication(setup)
    setup.faults.refuse["put", 2] = SecretStoreDenied("no")
    assert told(setup, NotPublished, minutes=ONE_CLAIM).startswith(f"{NOT_CONFIRMED} (version-conflict).")


def test_doubt_is_cast_also_where_nobody_can_look_whether_another_wrote_it() -> None:
    setup = Setup()
    write_by_hand_before_the_publication(setup)
    setup.faults.refuse["versions", 2] = SecretStoreUnavailable("KMS is down.")
    assert told(setup, NotPublished, minutes=ONE_CLAIM).startswith(f"{NOT_CONFIRMED} (version-conflict).")
    doubt = setup.store.at(setup.secret, ROTATING)
    assert doubt is not None
    assert doubt.id == "r2-c1"


def test_what_another_wrote_is_rotated_away_by_the_run_that_saw_it() -> None:
    setup = Setup()
    write_by_hand_before_the_publication(setup)
    setup.faults.refuse["put", 2] = SecretStoreDenied("no")
    done = rotate(setup)
    live, current = setup.directory.live(setup.alice), setup.store.at(setup.secret, CURRENT)
    assert isinstance(done, Rotated)
    assert live is not None
    assert current is not None
    assert (done.version, current.id) == ("r2", "r2")
    assert live.password.reveal() in current.value.reveal()


def refuse_every_claim(setup: Setup) -> None:
    done = setup.faults.calls["put"]
    setup.faults.refuse.update({("put", number): VersionConflict("why?") for number in range(done + 1, done + 50)})


def test_a_claim_that_kms_keeps_refusing_is_tried_twice_and_told_in_kmss_words() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    refuse_every_claim(setup)
    assert told(setup, SecretRefused).startswith("why? ")
    assert (setup.faults.calls["put"], setup.faults.calls["release"]) == (2, 0)


@pytest.mark.parametrize("taken", [False, True], ids=["there", "gone meanwhile"])
def test_the_stage_is_taken_off_its_holder_once_before_a_claim_is_given_up(*, taken: bool) -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    setup.store._move(setup.store.secrets[setup.secret], setup.store.secrets[setup.secret][0], ROTATING)
    refuse_every_claim(setup)
    if taken:
        setup.faults.refuse["release", 1] = VersionConflict("not there")
    assert told(setup, SecretRefused).startswith("why? ")
    assert (setup.faults.calls["put"], setup.faults.calls["release"]) == (2, 1)
