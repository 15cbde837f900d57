"""The contract of Dispatcher, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from shared import alerts, events
from shared.dispatch import event_of
from shared.errors import DispatchDenied, DispatchError, DispatchRefused, DispatchUnavailable
from shared.model import DirectoryId, PasswordSource, Reason, ResetRequest, TaskId, UserId, UserName, UserRef
from tests.contract.dispatchers import DispatcherWorld, HandedOn

SINCE = datetime(2026, 1, 12, 2, 0, tzinfo=timezone.utc)
DIRECTORY = DirectoryId("d-00fc2p61loop")
TASK = TaskId("expiring-u-bob-20260112T020000Z")
EVENT = {
    "UserName": "bob",
    "DirectoryId": "d-00fc2p61loop",
    "Reason": "expiring",
    "RotatedSince": "2026-01-12T02:00:00Z",
}


def rotation(name: str = "bob") -> ResetRequest:
    return ResetRequest(UserRef(name=UserName(name)), SINCE, Reason.EXPIRING, directory_id=DIRECTORY)


def error_of(world: DispatcherWorld, kind: type[DispatchError]) -> DispatchError:
    with pytest.raises(kind) as caught:
        world.dispatcher.dispatch(rotation(), TASK)
    return caught.value


def test_a_rotation_is_handed_on_as_the_rotating_function_reads_it(dispatchers: DispatcherWorld) -> None:
    assert dispatchers.dispatcher.dispatch(rotation(), TASK)
    assert dispatchers.handed_on() == [HandedOn(TASK, EVENT)]


def test_a_task_id_is_accepted_once(dispatchers: DispatcherWorld) -> None:
    answers = [dispatchers.dispatcher.dispatch(rotation(), TASK) for _ in range(3)]
    assert answers == [True, False, False]
    assert len(dispatchers.handed_on()) == 1


def test_different_tasks_are_accepted_each(dispatchers: DispatcherWorld) -> None:
    names = ("alice", "bob", "carol")
    assert all(dispatchers.dispatcher.dispatch(rotation(name), TaskId(f"expiring-{name}")) for name in names)
    assert [sent.event["UserName"] for sent in dispatchers.handed_on()] == list(names)


def test_many_threads_may_dispatch_at_once(dispatchers: DispatcherWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [TaskId(f"expiring-{number % 20}") for number in range(40)]
        answers = list(pool.map(lambda task: dispatchers.dispatcher.dispatch(rotation(), task), ids))
    assert answers.count(True) == 20
    assert sorted(sent.task_id for sent in dispatchers.handed_on()) == sorted(set(ids))


def test_a_lost_answer_leaves_it_unknown_and_dispatching_again_finds_out(dispatchers: DispatcherWorld) -> None:
    dispatchers.lose_answer()
    error = error_of(dispatchers, DispatchUnavailable)
    assert error.retryable
    assert "not known" in error.unchanged
    assert dispatchers.dispatcher.dispatch(rotation(), TASK) is False
    assert len(dispatchers.handed_on()) == 1


def test_a_service_without_time_for_it_accepts_nothing_and_is_not_waited_for_long(dispatchers: DispatcherWorld) -> None:
    start = dispatchers.now()
    dispatchers.shut_down()
    error = error_of(dispatchers, DispatchUnavailable)
    assert error.retryable
    assert error.unchanged == "It was not handed on."
    assert dispatchers.now() - start < timedelta(seconds=30)
    assert dispatchers.handed_on() == []


@pytest.mark.parametrize(
    ("strike", "kind"),
    [
        (lambda world: world.deny(), DispatchDenied),
        (lambda world: world.remove_function(), DispatchRefused),
    ],
    ids=["denied", "no such function"],
)
def test_what_cannot_get_better_is_final_and_nothing_was_handed_on(
    dispatchers: DispatcherWorld, strike: Callable[[DispatcherWorld], None], kind: type[DispatchError]
) -> None:
    strike(dispatchers)
    error = error_of(dispatchers, kind)
    assert not error.retryable
    assert "It was not handed on." in str(error)
    assert dispatchers.handed_on() == []


@pytest.mark.parametrize(
    "request_",
    [
        rotation(),
        replace(rotation(), since=datetime(2026, 1, 12, 3, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))),
        replace(rotation(), source=PasswordSource.CLOUDSSO, must_change=True, dry_run=True, force=True),
        replace(rotation(), source=PasswordSource.STAGED, must_change=False, directory_id=None, reason=Reason.ALERT),
        ResetRequest(UserRef(id=UserId("u-00q8wbq42wiltcrk0001")), SINCE, Reason.MANUAL),
    ],
    ids=["a scan's", "another zone", "all told", "all told otherwise", "by user id"],
)
def test_a_dispatched_request_is_read_as_the_one_that_was_meant(request_: ResetRequest) -> None:
    later = SINCE + timedelta(hours=9)
    parsed = events.parse(event_of(request_), received=later, directory_id=DIRECTORY, rules=alerts.Rules())
    (read,) = parsed.requests
    meant = (request_.user, request_.since, request_.reason, request_.source, request_.must_change)
    assert (read.user, read.since, read.reason, read.source, read.must_change) == meant
    assert (read.dry_run, read.force, parsed.problems) == (request_.dry_run, request_.force, ())
