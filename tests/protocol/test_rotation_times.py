"""The protocol's times, to the instant: the last moment at which a step is still taken, and the pauses before it.

Each deadline is tried at its own instant, at which the step is still in time; tests of what is too late are in
test_rotation.py. What is sent carries its deadline along: an adapter repeats a call on its own until then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from shared.errors import OutOfTime, RotationInProgress, SecretExists, SecretRefused, SecretStoreUnavailable
from shared.model import (
    CURRENT,
    Outcome,
    Password,
    RequestId,
    ResetReceipt,
    ResetRequest,
    Rotated,
    SecretName,
    SecretValue,
    User,
    VersionId,
)
from shared.rotation import PUBLISH_BY, RESET_BY
from tests.fakes import FakeDirectory, FakeStore, Setup

GROWING = [0.25, 0.5, 1, 2, 4, 8]  # FIRST_PAUSE, doubled; the next one, of 16 s, does not fit into RESET_BY


def rotate(setup: Setup, request: ResetRequest | None = None, *, within: timedelta) -> Outcome:
    return setup.rotator.ensure_rotated(request or setup.request(), give_up_at=setup.clock.now() + within)


def attempts(setup: Setup) -> int:
    done = rotate(setup, within=timedelta(minutes=4.5))
    assert isinstance(done, Rotated)
    return done.attempt


# ------------------------------------------------------------------------------------------------ deadlines are met


def test_an_invocation_with_exactly_enough_time_is_used() -> None:
    setup = Setup()
    assert isinstance(rotate(setup, within=PUBLISH_BY), Rotated)


def test_an_invocation_with_a_moment_too_little_does_not_even_look_the_user_up() -> None:
    setup = Setup()
    with pytest.raises(OutOfTime) as raised:
        rotate(setup, within=PUBLISH_BY - timedelta(microseconds=1))
    assert raised.value.happened == "Too little of this invocation is left to rotate the password of user 'alice'."
    assert not setup.faults.calls


@pytest.mark.parametrize("exists", [False, True], ids=["first rotation", "secret exists"])
def test_a_claim_is_sent_at_the_last_instant_at_which_its_list_is_good(*, exists: bool) -> None:
    setup = Setup()
    if exists:
        setup.store.write(setup.secret, "foreign")
    setup.faults.then["versions", 1] = lambda: setup.clock.advance(RESET_BY.total_seconds())
    assert attempts(setup) == 1
    assert setup.faults.calls["versions"] == 1


def test_a_reset_is_sent_at_the_last_instant_of_its_claim() -> None:
    setup = Setup()
    setup.faults.then["create", 1] = lambda: setup.clock.advance(RESET_BY.total_seconds())
    assert attempts(setup) == 1


def test_a_publication_is_sent_at_the_last_instant_of_its_claim() -> None:
    setup = Setup()
    setup.faults.then["reset", 1] = lambda: setup.clock.advance(PUBLISH_BY.total_seconds())
    assert attempts(setup) == 1


def test_a_write_is_sent_again_at_the_last_instant_after_its_pause() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    setup.faults.then["versions", 1] = lambda: setup.clock.advance(RESET_BY.total_seconds() - GROWING[0])
    setup.faults.refuse["put", 1] = SecretStoreUnavailable("down")
    assert attempts(setup) == 1
    assert setup.clock.slept == GROWING[:1]


def test_a_rotation_in_progress_is_looked_at_again_while_there_is_exactly_enough_time() -> None:
    setup = Setup()
    rotate(setup, within=PUBLISH_BY)
    with pytest.raises(RotationInProgress):
        rotate(
            setup, setup.request(since=setup.clock.now() + timedelta(1)), within=PUBLISH_BY + timedelta(seconds=0.25)
        )
    assert setup.clock.slept == GROWING[:1]


# ------------------------------------------------------------------------------------------------ pauses grow


def test_the_pauses_between_two_looks_double_up_to_ten_seconds_and_end_with_the_lease() -> None:
    setup = Setup()
    rotate(setup, within=PUBLISH_BY)
    done = rotate(setup, setup.request(since=setup.minutes(1)), within=timedelta(minutes=4))
    assert isinstance(done, Rotated)
    assert setup.clock.slept == [*GROWING, *8 * [10.0], 4.25]


def test_the_pauses_before_a_claim_is_sent_again_double() -> None:
    setup = Setup()
    setup.store.write(setup.secret, "foreign")
    setup.faults.refuse.update({("put", number): SecretStoreUnavailable("down") for number in range(1, 7)})
    assert attempts(setup) == 1
    assert setup.clock.slept == GROWING


def test_the_pauses_before_a_candidate_is_set_again_double() -> None:
    setup = Setup(staged=True)
    setup.faults.lose.update(("reset", number) for number in range(1, 7))
    setup.directory.switches = replace(setup.directory.switches, current_password_settable=True)
    assert attempts(setup) == 1
    assert setup.clock.slept == GROWING


# ------------------------------------------------------------------------------------------------ deadlines are told

Sent = list[tuple[str, datetime]]


class TimedStore(FakeStore):
    """A store that notes until when each write may be sent."""

    def __init__(self, setup: Setup, sent: Sent) -> None:
        super().__init__(setup.clock.now, setup.faults)
        self.sent = sent

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        self.sent.append((version, send_by))
        super().create(secret, version, value, user, send_by=send_by)

    def put(
        self, secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        self.sent.append((version, send_by))
        return super().put(secret, version, value, stage=stage, send_by=send_by)


class TimedDirectory(FakeDirectory):
    """A directory that notes until when each reset may be sent."""

    def __init__(self, setup: Setup, sent: Sent) -> None:
        super().__init__(setup.clock.now, setup.alice, faults=setup.faults)
        self.sent = sent

    def reset(self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime) -> ResetReceipt:
        self.sent.append(("reset", send_by))
        return super().reset(user, candidate, must_change=must_change, send_by=send_by)


def timed(*, staged: bool = False) -> tuple[Setup, Sent]:
    """Return a rotator whose list takes a second, and its claim another, and what it sends."""
    setup, sent = Setup(staged=staged), Sent()
    setup.store, setup.directory = TimedStore(setup, sent), TimedDirectory(setup, sent)
    setup.rotator = msgspec.structs.replace(setup.rotator, store=setup.store, directory=setup.directory)
    setup.faults.then["versions", 1] = lambda: setup.clock.advance(1)
    for claim in ("create", "put"):
        setup.faults.then[claim, 1] = lambda: setup.clock.advance(1)
    return setup, sent


def after(start: datetime, *sent: tuple[str, timedelta]) -> Sent:
    return [(what, start + by) for what, by in sent]


ONE = timedelta(seconds=1)
FIRST = ("r1-c1", RESET_BY)  # by the clock before the list
RESET = ("reset", ONE + RESET_BY)  # by the clock before the claim
PUBLISHED = ("r1", ONE + PUBLISH_BY)


def test_a_first_rotation_tells_its_ports_until_when_they_may_send() -> None:
    setup, sent = timed()
    start = setup.clock.now()
    assert attempts(setup) == 1
    assert sent == after(start, FIRST, RESET, PUBLISHED)


def test_a_later_rotation_tells_its_ports_until_when_they_may_send() -> None:
    setup, sent = timed()
    setup.store.write(setup.secret, "foreign")
    start = setup.clock.now()
    assert attempts(setup) == 1
    assert sent == after(start, FIRST, RESET, PUBLISHED)


def test_a_claim_whose_creation_was_not_answered_is_put_until_the_same_instant() -> None:
    setup, sent = timed()
    setup.faults.lose.add(("create", 1))
    start = setup.clock.now()
    assert attempts(setup) == 1
    assert sent == after(start, FIRST, FIRST, FIRST, RESET, PUBLISHED)


def test_a_candidate_that_is_set_again_keeps_its_deadline() -> None:
    setup, sent = timed(staged=True)
    setup.directory.switches = replace(setup.directory.switches, current_password_settable=True)
    setup.faults.lose.add(("reset", 1))
    start = setup.clock.now()
    assert attempts(setup) == 1
    assert sent == after(start, FIRST, RESET, RESET, PUBLISHED)


def test_doubt_is_cast_until_the_publications_own_deadline() -> None:
    setup, sent = timed()
    setup.faults.then["reset", 1] = lambda: setup.store.write(setup.secret, "r1", '{"Password": "by hand"}')
    start = setup.clock.now()
    assert attempts(setup) == 2
    assert sent[:4] == after(start, FIRST, RESET, PUBLISHED, ("r2-c1", ONE + PUBLISH_BY))


# ------------------------------------------------------------------------------------------------ refused claims


class SlowStore(FakeStore):
    """A store that says of a secret, after a long while, that it exists; and lists none."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup.clock.now, setup.faults)
        self.clock = setup.clock

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        self.clock.advance(RESET_BY.total_seconds() + 1)
        raise SecretExists("there already")


def test_a_claim_that_never_gets_sent_in_time_is_given_up_with_that_reason() -> None:
    setup = Setup()
    setup.rotator = msgspec.structs.replace(setup.rotator, store=SlowStore(setup))
    with pytest.raises(SecretRefused, match=r"The claim on user 'alice' could not be sent in time\."):
        rotate(setup, within=timedelta(minutes=4.5))
    assert setup.faults.calls["put"] == 0


def test_two_races_lost_one_after_the_other_are_no_refusal() -> None:
    setup = Setup()
    rotate(setup, within=PUBLISH_BY)
    setup.clock.advance(3600)
    since, looks = setup.clock.now(), setup.faults.calls["versions"]

    def win(claim: str) -> None:
        theirs = SecretValue('{"Claim": {"Owner": "somebody else"}}')
        setup.store._put(setup.secret, VersionId(claim), theirs, "Rotating")

    setup.faults.then["versions", looks + 1] = lambda: win("r2-c1")
    setup.clock.sleep = lambda seconds: setup.clock.advance(seconds + 100)  # type: ignore[method-assign]  # a lease
    setup.faults.then["versions", looks + 3] = lambda: win("r2-c2")
    done = rotate(setup, setup.request(since=since), within=timedelta(minutes=10))
    assert isinstance(done, Rotated)
    assert done.attempt == 3
    assert setup.faults.calls["release"] == 0
    current = setup.store.at(setup.secret, CURRENT)
    assert current is not None
    assert current.id == "r2"
