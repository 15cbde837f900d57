"""What the explorer explores: cases, and the states that they go through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.model import Reason, ResetRequest, UserRef
from shared.rotation import LEASE, LONGEST_EFFECT, PUBLISH_BY, RESET_BY
from tests.fakes import NOON
from tests.protocol.delivery import ALICE, Answer, Delivery, Record
from tests.protocol.invariants import Truth
from tests.protocol.world import Readings, World

SECOND = timedelta(seconds=1)
PAUSES = (RESET_BY + SECOND, PUBLISH_BY + SECOND, LEASE + SECOND)  # a worker is held up past each deadline
HELD_UP_SENDING = (
    LONGEST_EFFECT - SECOND
)  # between deciding to send a write and its effect; longer is assumed not to be
AT_ONCE = SECOND  # after being killed, a request is redelivered; waiting for a lease stands for a later redelivery
AGAIN = LEASE + SECOND  # after a failure
DELIVERIES = 8  # a few faults cannot make more of them necessary
DOWN = timedelta(seconds=60)  # longer than a publication is sent again

FAULTS: Mapping[str, str] = {
    "refused": "the call fails before it is applied, and the worker is told so",
    "down": "KMS refuses this call, and every one that follows for a minute",
    "dropped": "the call is never applied, and no answer comes",
    "lost": "the call is applied, at once or at any later moment within `LONGEST_EFFECT`, and no answer comes",
    "killed before": "the worker is killed before the call, and its request is redelivered",
    "killed after": "the worker is killed; the call is applied, at once or at any later moment within `LONGEST_EFFECT`",
    "held up before": "time passes between deciding to call and the call's effect",
    "held up after": "time passes between the call's effect and the worker's next step",
}


class Worker(NamedTuple):
    """Where a worker stands."""

    number: int
    due: datetime  # when it takes its next step
    delivery: int = 1
    point: int = 0  # in the delivery; 0: it has not begun
    answer: int = 0  # what it takes in at `due`; 0: it makes its call then
    held_up: bool = False  # before the call that it makes now
    sent_resets: int = 0  # in this delivery; each may have taken effect, or may yet
    seen: Truth | None = None  # what was true when it last listed the versions
    done: bool = False


class Flying(NamedTuple):
    """A request whose sender does not wait for it any more."""

    by: datetime  # the latest instant at which it takes effect
    point: int
    worker: int


class State(NamedTuple):
    """One state of everything."""

    now: datetime
    world: int
    workers: tuple[Worker, ...]
    flying: tuple[Flying, ...]
    readings: Readings
    faults: int  # that may still strike
    down: datetime = NOON  # until when KMS refuses every call

    def with_worker(self, worker: Worker) -> State:
        """Return the state in which this worker stands somewhere else."""
        workers = list(self.workers)
        workers[worker.number] = worker
        return State(self.now, self.world, tuple(workers), self.flying, self.readings, self.faults, self.down)


class Step(NamedTuple):
    """One thing that may happen: who does what, and the state that it leads to."""

    state: State
    worker: int
    what: tuple[object, ...]

    def __str__(self) -> str:
        """Return a line of a trace."""
        at = (self.state.now - NOON).total_seconds()
        return f"{at:8.2f} worker {self.worker}: {' '.join(map(str, self.what))}"


class Point:
    """A point in a delivery: everything that it was answered so far, and what it does next. One for each history."""

    def __init__(self, delivery: Delivery, record: Record, reading: datetime) -> None:
        self.delivery = delivery
        self.record = record
        self.next = delivery.proceed(record, reading)
        self.after: dict[tuple[int, datetime], int] = {}  # the points that answers led to

    def answered(self, answer: Answer, reading: datetime) -> Point:
        """Return the point that an answer leads to, taken in when the worker's clock shows `reading`."""
        return Point(self.delivery, [*self.record, answer], reading)


@dataclass(frozen=True)
class Case:
    """How the world begins, who asks for what when, and how much may go wrong."""

    beginning: World
    staged: bool = False
    faults: int = 2
    starts: tuple[timedelta, ...] = (timedelta(), timedelta())  # of the workers
    since: tuple[timedelta, ...] = (timedelta(), timedelta())  # what they ask for, before their start
    invocation: timedelta = timedelta(seconds=255)  # a time limit of 280 s, less bootstrap.RESERVE
    skews: tuple[timedelta, ...] = (timedelta(), timedelta())  # of the workers' clocks
    kms_skew: timedelta = timedelta()
    readings: Readings = ()  # of undocumented behaviour, those that are not to be tried both ways

    def request(self, worker: int) -> ResetRequest:
        """Return what a worker is asked for."""
        since = NOON + self.starts[worker] - self.since[worker]
        return ResetRequest(UserRef(name=ALICE.name), since, Reason.MANUAL)

    def newest(self) -> datetime:
        """Return the instant after which every request wants the password to have been reset."""
        return max(self.request(number).since for number in range(len(self.starts)))
