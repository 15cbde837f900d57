from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from tests.localcloud.api import Clock
from tests.localcloud.timeline import Timeline, TimelineError

BOUND = 20.0  # real seconds that no wait in these tests comes near


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timeline(clock: Clock) -> Iterator[Timeline]:
    """Let time be skipped."""
    skipping = Timeline(clock)
    skipping.start()
    yield skipping
    skipping.stop()


@pytest.fixture
def patient(clock: Clock) -> Iterator[Timeline]:
    """Let time pass as it does."""
    waiting = Timeline(clock, skip=False)
    waiting.start()
    yield waiting
    waiting.stop()


def noting(done: list[str], what: str) -> Callable[[], object]:
    return lambda: done.append(what)


def test_what_is_due_in_hours_happens_now_and_the_clock_says_so(clock: Clock, timeline: Timeline) -> None:
    at: list[datetime] = []
    began = clock.now()
    timeline.after(5 * 3600, lambda: at.append(clock.now()))
    timeline.settle(BOUND)
    assert timedelta(hours=5) <= at[0] - began < timedelta(hours=5, seconds=BOUND)
    assert clock.shifted > timedelta(hours=4)


def test_things_happen_in_the_order_of_their_times_and_then_of_their_entry(timeline: Timeline) -> None:
    done: list[str] = []
    with timeline.busy():
        timeline.after(30, noting(done, "last"))
        timeline.after(10, noting(done, "first"))
        due = timeline.after(20, noting(done, "second")).due
        timeline.at(due, noting(done, "third"))
    timeline.settle(BOUND)
    assert done == ["first", "second", "third", "last"]


def test_what_an_entry_enters_is_done_too(timeline: Timeline) -> None:
    done: list[str] = []

    def again() -> None:
        done.append("again")
        if len(done) < 4:
            timeline.after(600, again)

    timeline.after(600, again)
    timeline.settle(BOUND)
    assert done == ["again"] * 4


def test_a_cancelled_entry_is_not_done_and_its_time_is_not_skipped_to(clock: Clock, timeline: Timeline) -> None:
    done: list[str] = []
    with timeline.busy():
        assert timeline.after(7200, noting(done, "cancelled")).cancel()
        timeline.after(10, noting(done, "kept"))
    timeline.settle(BOUND)
    assert done == ["kept"]
    assert clock.shifted < timedelta(seconds=3600)


def test_time_stands_while_somebody_is_busy(clock: Clock, timeline: Timeline) -> None:
    done: list[str] = []
    with timeline.busy():
        timeline.after(3600, noting(done, "late"))
        asked = threading.Semaphore(0)

        def quiet() -> bool:
            asked.release()
            return True

        timeline.watch(quiet)  # asked only where a skip is thought of
        assert not asked.acquire(timeout=0.1)
        assert clock.shifted == timedelta()
    timeline.settle(BOUND)
    assert done == ["late"]


def test_time_stands_while_a_source_of_work_is_not_at_rest(clock: Clock, timeline: Timeline) -> None:
    at_rest = threading.Event()
    asked = threading.Semaphore(0)

    def quiet() -> bool:
        asked.release()
        return at_rest.is_set()

    timeline.watch(quiet)
    ticket = timeline.after(3600, at_rest.is_set)
    for _ in range(3):
        assert asked.acquire(timeout=BOUND)
    assert ticket.pending
    assert clock.shifted == timedelta()
    at_rest.set()
    timeline.settle(BOUND)
    assert not ticket.pending


def test_time_is_not_skipped_on_an_answer_that_is_no_longer_true(clock: Clock, timeline: Timeline) -> None:
    done: list[str] = []

    def quiet() -> bool:
        if not done:
            done.append("entered meanwhile")
            timeline.after(60, noting(done, "earlier"))
        return True

    timeline.watch(quiet)
    timeline.after(3600, noting(done, "later"))
    timeline.settle(BOUND)
    assert done == ["entered meanwhile", "earlier", "later"]


def test_an_entry_that_waits_lets_time_pass_for_the_others(timeline: Timeline) -> None:
    woken = threading.Event()
    done: list[str] = []

    def waits() -> None:
        with timeline.waiting():
            done.append("woken" if woken.wait(BOUND) else "never woken")

    timeline.after(10, waits)
    timeline.after(110, woken.set)
    timeline.settle(BOUND)
    assert done == ["woken"]


def test_an_entry_that_works_holds_the_next_one_back(timeline: Timeline) -> None:
    done: list[str] = []
    next_began = threading.Event()

    def works() -> None:
        done.append("next began" if next_began.wait(0.1) else "alone")

    with timeline.busy():
        due = timeline.after(10, works).due
        timeline.at(due, next_began.set)
    timeline.settle(BOUND)
    assert done == ["alone"]
    assert next_began.is_set()


def test_whoever_waits_in_a_busy_block_is_busy_again_afterwards(clock: Clock, timeline: Timeline) -> None:
    with timeline.busy():
        woken = threading.Event()
        timeline.after(60, woken.set)
        with timeline.waiting():
            assert woken.wait(BOUND)
        shifted = clock.shifted
        ticket = timeline.after(60, woken.clear)
        assert ticket.pending
        assert clock.shifted == shifted
    timeline.settle(BOUND)
    assert not ticket.pending


def test_settling_waits_for_those_who_wait(timeline: Timeline) -> None:
    woken, ended, began = threading.Event(), threading.Event(), threading.Event()

    def waits() -> None:
        with timeline.busy(), timeline.waiting():
            began.set()
            woken.wait(BOUND)
            ended.set()

    thread = threading.Thread(target=waits)
    thread.start()
    began.wait(BOUND)
    timeline.after(10, woken.set)
    timeline.settle(BOUND)
    assert ended.is_set()
    thread.join()


def test_settling_says_what_is_pending_when_it_gives_up(patient: Timeline) -> None:
    patient.after(3600, patient.look)
    with pytest.raises(TimelineError, match=r"still at work after .* 1 due, Timeline\.look in"):
        patient.settle(0.05)


def test_settling_in_a_busy_block_is_refused(timeline: Timeline) -> None:
    with timeline.busy(), pytest.raises(TimelineError, match="busy"):
        timeline.settle(BOUND)


def test_what_fails_in_an_entry_is_told(timeline: Timeline) -> None:
    def fails() -> None:
        raise ValueError("with a value in it")

    timeline.after(10, fails)
    with pytest.raises(TimelineError, match="ValueError in fails") as caught:
        timeline.settle(BOUND)
    assert "with a value in it" not in str(caught.value)


def test_without_skipping_things_happen_when_the_clock_says(clock: Clock, patient: Timeline) -> None:
    done: list[str] = []
    happened = threading.Event()
    patient.after(3600, noting(done, "second"))
    patient.after(1800, noting(done, "first"))
    patient.after(3600, happened.set)
    assert not happened.wait(0.05)
    clock.shift(3601)
    assert happened.wait(BOUND)
    assert done == ["first", "second"]
    patient.settle(BOUND)


def test_after_the_end_nothing_happens(clock: Clock) -> None:
    timeline = Timeline(clock)
    timeline.start()
    done: list[str] = []
    with timeline.busy():
        pending = timeline.after(60, noting(done, "pending"))
        timeline.stop()
        late = timeline.after(0, noting(done, "late"))
    assert (done, late.pending, pending.started) == ([], False, False)


def test_the_end_waits_for_what_is_under_way(clock: Clock) -> None:
    timeline = Timeline(clock)
    timeline.start()
    began, done, never = threading.Event(), threading.Event(), threading.Event()

    def works() -> None:
        began.set()
        never.wait(0.1)
        done.set()

    timeline.after(0, works)
    assert began.wait(BOUND)
    timeline.stop()
    assert done.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("timeline", "due: "))]


def test_many_threads_at_work_never_see_time_jump(clock: Clock, timeline: Timeline) -> None:
    """Each takes the time twice within a busy block: as much time must have passed as really did, and little did."""
    jumps: list[timedelta] = []

    def works() -> None:
        for _ in range(100):
            with timeline.busy():
                before = clock.shifted
                timeline.after(1000, works_not)
                jumps.append(clock.shifted - before)
            with timeline.busy(), timeline.waiting():
                pass

    def works_not() -> None:
        """Be due."""

    threads = [threading.Thread(target=works) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    timeline.settle(BOUND)
    assert set(jumps) == {timedelta()}
    assert clock.shifted >= timedelta(seconds=900)
