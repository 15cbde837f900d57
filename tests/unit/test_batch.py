"""All requests are tried, and one secret-free error at the end names each failure."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from shared import batch
from shared.errors import (
    DirectoryUnavailable,
    MalformedEvent,
    RotationsFailed,
    UnexpectedFailure,
    UnsupportedEvent,
    UserNotFound,
)
from shared.model import Exempt, Exemption, Outcome, Password, Reason, ResetRequest, SecretName, UserName, UserRef
from tests.fakes import NOON, FakeClock, user

JOURNAL = batch.Journal(FakeClock())


def request(name: str) -> ResetRequest:
    return ResetRequest(UserRef(name=UserName(name)), NOON, Reason.MANUAL)


def protect(asked: ResetRequest) -> Outcome:
    if asked.user.name == "missing":
        message = "no user 'missing'"
        raise UserNotFound(message)
    if asked.user.name == "buggy":
        secret = Password("Marker-1234!")
        raise ZeroDivisionError(secret.reveal())
    return Exempt(user(str(asked.user)), Exemption.PROTECTED)


def test_results_come_in_the_order_of_the_requests() -> None:
    names = [f"user{n}" for n in range(20)]
    results = batch.carry_out([request(name) for name in names], protect, 4, JOURNAL)
    assert [str(result.request.user) for result in results] == names


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_failure_does_not_keep_the_others_from_being_tried(parallel: int) -> None:
    results = batch.carry_out([request("a"), request("missing"), request("b")], protect, parallel, JOURNAL)
    assert [type(result) for result in results] == [batch.Done, batch.Failed, batch.Done]
    with pytest.raises(RotationsFailed) as raised:
        batch.raise_failures(results, [])
    assert "1 of 3" in str(raised.value)
    assert "user 'missing', reason manual: user-not-found" in str(raised.value)


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_result_that_cannot_be_told_does_not_keep_the_others_from_being_tried(parallel: int) -> None:
    tried = []

    def work(asked: ResetRequest) -> Outcome:
        tried.append(str(asked.user))
        return protect(asked)

    def tell(_result: batch.Result) -> None:
        raise BrokenPipeError

    names = [f"user{n:02}" for n in range(40)]
    with pytest.raises(BrokenPipeError):
        batch.carry_out([request(name) for name in names], work, parallel, JOURNAL, tell)
    assert sorted(tried) == names


def test_the_only_request_fails_with_its_own_kind_of_error() -> None:
    results = batch.carry_out([request("missing")], protect, 4, JOURNAL)
    with pytest.raises(UserNotFound) as raised:
        batch.raise_failures(results, [])
    assert str(raised.value).endswith("again. Asked for: user 'missing', reason manual.")


def test_problems_of_the_event_fail_the_invocation_after_the_good_requests() -> None:
    results = batch.carry_out([request("a")], protect, 4, JOURNAL)
    with pytest.raises(RotationsFailed, match=r"malformed-event.*unsupported-event"):
        batch.raise_failures(results, [MalformedEvent("message 2 is odd"), UnsupportedEvent("message 3 is foreign")])


def test_the_only_problem_is_raised_as_itself() -> None:
    with pytest.raises(MalformedEvent):
        batch.raise_failures([], [MalformedEvent("odd")])


def test_no_failure_raises_nothing() -> None:
    batch.raise_failures(batch.carry_out([request("a"), request("b")], protect, 2, JOURNAL), [])


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_bug_is_told_by_kind_and_place_only(parallel: int) -> None:
    results = batch.carry_out([request("buggy"), request("a")], protect, parallel, JOURNAL)
    failed = results[0]
    assert isinstance(failed, batch.Failed)
    assert isinstance(failed.error, UnexpectedFailure)
    assert "ZeroDivisionError in protect" in str(failed.error)
    assert "Marker" not in str(failed.error)
    assert failed.error.__traceback__ is None
    assert failed.error.__context__ is None
    assert failed.error.__cause__ is None


def test_at_most_so_many_are_under_way_at_once() -> None:
    lock, under_way, most = threading.Lock(), [0], [0]
    both = threading.Barrier(3, timeout=10)

    def meet(asked: ResetRequest) -> Outcome:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        both.wait()  # three must be under way at once, or this never passes
        with lock:
            under_way[0] -= 1
        return protect(asked)

    batch.carry_out([request(f"user{n}") for n in range(9)], meet, 3, JOURNAL)
    assert most[0] == 3


@pytest.mark.parametrize("parallel", [1, 4])
def test_every_result_says_how_long_it_took_and_how_much_of_that_was_waiting(parallel: int) -> None:
    clocks = threading.local()

    class Clock:
        """A clock for each thread: nobody's time passes for anybody else."""

        def now(self) -> datetime:
            return clock().now()

        def sleep(self, seconds: float) -> None:
            clock().sleep(seconds + 1)  # as a busy machine does

    def clock() -> FakeClock:
        if not hasattr(clocks, "its"):
            clocks.its = FakeClock()
        its: FakeClock = clocks.its
        return its

    def work(asked: ResetRequest) -> Outcome:
        clock().advance(len(str(asked.user)))
        journal.sleep(2)
        journal.sleep(0.5)
        return protect(asked)

    journal = batch.Journal(Clock())
    names = ["a", "buggy", "missing", "bb"] * 5
    results = batch.carry_out([request(name) for name in names], work, parallel, journal)
    assert [result.course.waited.total_seconds() for result in results] == [4.5] * 20
    assert [result.course.took.total_seconds() - 4.5 for result in results] == [len(name) for name in names]


def test_the_course_of_one_request_tells_nothing_of_the_one_before() -> None:
    def note(asked: ResetRequest) -> Outcome:
        if asked.user.name == "alice":
            JOURNAL.course.secret = SecretName("cloudsso/alice")
        return protect(asked)

    alice, bob = batch.carry_out([request("alice"), request("bob")], note, 1, JOURNAL)
    assert (alice.course.secret, bob.course.secret) == ("cloudsso/alice", None)


def test_retryable_failures_say_so() -> None:
    assert DirectoryUnavailable("x").retryable
    assert not UserNotFound("x").retryable
