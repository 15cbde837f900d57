"""All dispatches of a scan: tried, told, in time, and failed in one error that says how far it got."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from shared import fanout
from shared.errors import DispatchDenied, DispatchesFailed, DispatchUnavailable, RotatorError, UnexpectedFailure
from shared.fanout import Result
from shared.model import UserId, UserName
from shared.scan import Due, Fate
from tests.fakes import DIRECTORY, NOON, FakeDispatcher

SOON = 5.0  # seconds that a test waits for another thread, at most


def due(name: str) -> Due:
    return Due(UserId(f"u-{name}"), UserName(name), NOON, None, (NOON, name))


EVERYBODY = [due(name) for name in ("alice", "bob", "carol", "dave")]


def carry_out(
    dispatch: Callable[[Due], bool],
    chosen: Sequence[Due] = EVERYBODY,
    parallel: int = 2,
    **changes: Callable[..., object],
) -> tuple[Result, ...]:
    return fanout.carry_out(chosen, dispatch, parallel, **{"in_time": lambda: True, **changes})  # type: ignore[arg-type]


def failing(*names: str, error: RotatorError) -> Callable[[Due], bool]:
    def dispatch(one: Due) -> bool:
        if one.user_name in names:
            raise error
        return True

    return dispatch


def fates(results: Sequence[Result]) -> dict[str, Fate]:
    return {result.due.user_name: result.fate for result in results}


def test_everybody_is_dispatched_once_in_the_order_of_urgency() -> None:
    dispatcher = FakeDispatcher()
    results = carry_out(lambda one: dispatcher.dispatch(one.request(DIRECTORY), one.task_id), parallel=1)
    assert [result.due for result in results] == EVERYBODY
    assert set(fates(results).values()) == {Fate.DISPATCHED}
    assert list(dispatcher.accepted) == [one.task_id for one in EVERYBODY]
    fanout.raise_failures(results)


def test_whoever_was_dispatched_before_is_not_dispatched_again() -> None:
    dispatcher = FakeDispatcher()
    dispatcher.dispatch(EVERYBODY[1].request(DIRECTORY), EVERYBODY[1].task_id)
    results = carry_out(lambda one: dispatcher.dispatch(one.request(DIRECTORY), one.task_id))
    assert fates(results) == {
        **dict.fromkeys(["alice", "carol", "dave"], Fate.DISPATCHED),
        "bob": Fate.ALREADY_DISPATCHED,
    }
    assert len(dispatcher.accepted) == 4


def test_no_more_are_under_way_at_once_than_allowed() -> None:
    both = threading.Barrier(2)
    lock, under_way, most = threading.Lock(), 0, 0

    def dispatch(_one: Due) -> bool:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        both.wait(SOON)  # breaks unless two are
        with lock:
            under_way -= 1
        return True

    carry_out(dispatch)
    assert most == 2


def test_one_that_fails_does_not_stop_the_others() -> None:
    results = carry_out(failing("bob", error=DispatchUnavailable("Throttled.")))
    assert fates(results) == {**dict.fromkeys(["alice", "carol", "dave"], Fate.DISPATCHED), "bob": Fate.FAILED}


def test_failures_are_told_in_one_error_with_who_was_dispatched_and_that_a_repetition_is_safe() -> None:
    results = carry_out(failing("bob", error=DispatchUnavailable("Throttled.")))
    with pytest.raises(DispatchesFailed) as raised:
        fanout.raise_failures(results)
    told = str(raised.value)
    assert told.startswith("1 of 4 dispatches failed. user 'bob': dispatch-unavailable: Throttled.")
    assert "Dispatched, now or before: 'alice', 'carol', 'dave'." in told
    assert "whoever was dispatched is not rotated twice" in told
    assert raised.value.retryable


def test_failures_that_no_repetition_mends_are_not_called_retryable() -> None:
    results = carry_out(failing("alice", "bob", "carol", "dave", error=DispatchDenied("No.")))
    with pytest.raises(DispatchesFailed, match="Dispatched, now or before: none") as raised:
        fanout.raise_failures(results)
    assert not raised.value.retryable


def test_a_bug_is_told_by_its_kind_and_place_and_shows_nothing_else() -> None:
    def dispatch(_one: Due) -> bool:
        raise ValueError("S3cret-Passw0rd!")

    (result, *_) = carry_out(dispatch)
    assert isinstance(result.error, UnexpectedFailure)
    assert "ValueError in dispatch" in str(result.error)
    assert "S3cret" not in str(result.error)
    assert (result.error.__cause__, result.error.__context__, result.error.__traceback__) == (None, None, None)


def test_what_is_not_begun_in_time_is_deferred() -> None:
    left = iter([True, True, False, False])
    results = carry_out(lambda _one: True, parallel=1, in_time=lambda: next(left))
    assert list(fates(results).values()) == [Fate.DISPATCHED, Fate.DISPATCHED, Fate.DEFERRED, Fate.DEFERRED]


def test_each_result_is_told_as_soon_as_it_is_known() -> None:
    told: list[Result] = []

    def dispatch(_one: Due) -> bool:
        before.append(len(told))
        return True

    before: list[int] = []
    results = carry_out(dispatch, parallel=1, tell=told.append)
    assert told == list(results)
    assert before == [0, 1, 2, 3]


def test_very_many_failures_are_cut_and_lead_to_the_audit_lines() -> None:
    crowd = [due(f"user{number}") for number in range(3000)]
    results = carry_out(failing(*(f"user{n}" for n in range(1500)), error=DispatchDenied("No.")), crowd, 8)
    with pytest.raises(DispatchesFailed) as raised:
        fanout.raise_failures(results)
    assert str(raised.value).count("(the audit lines have the rest)") == 2
    assert len(str(raised.value)) < 40_000
