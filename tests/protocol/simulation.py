"""Many workers, one user, a hostile world: the real protocol code in virtual time, reproducible from a seed.

The code under test is ordinary synchronous code, and no threads are used to interleave it. A worker is a deterministic
function of the answers to its calls, so it is advanced by running it again from the start with the answers so far; at
the first call that has none it stops there, and the scheduler decides when the call happens and what becomes of it.

The world may do what docs/protocol.md says it may: crash a worker before or after any call, lose an answer, let a
request take effect up to LONGEST_EFFECT after it was sent, pause a worker for minutes, and set every clock wrong by
CLOCK_SKEW. Failed invocations are delivered again until they succeed.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import ModuleType
from typing import Any

from shared import rotation
from shared.errors import (
    DirectoryUnavailable,
    ResetOutcomeUnknown,
    RotatorError,
    SecretStoreUnavailable,
    TooManyAttempts,
)
from shared.model import (
    CURRENT,
    AlreadyRotated,
    Outcome,
    Password,
    PasswordSource,
    Reason,
    ResetRequest,
    Rotated,
    SecretName,
    UserRef,
    VersionId,
)
from shared.rotation import CLOCK_SKEW, LONGEST_EFFECT, Policy
from tests.fakes import NOON, FakeDirectory, FakeStore, user
from tests.localcloud.switches import Switches

ALICE = user("alice")
SECRET = SecretName("cloudsso/alice")
TIMEOUT = timedelta(seconds=15)  # the client stops waiting for an answer
INVOCATION = timedelta(seconds=270)
READS = frozenset({"find", "versions", "tags", "check_resettable"})


class Violated(AssertionError):
    """An invariant of docs/protocol.md does not hold."""


class _Stopped(BaseException):
    def __init__(self, call: Call) -> None:
        self.call = call


@dataclass(frozen=True)
class Call:
    """A call that a worker is about to make."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass
class Worker:
    """One delivery after the other of one request."""

    number: int
    request: ResetRequest
    skew: timedelta
    staged: bool
    began: datetime = NOON
    delivery: int = 1
    answers: list[Any] = field(default_factory=list)  # of calls and of clock readings, in order
    pending: Call | None = None
    done: Outcome | None = None
    exhausted: bool = False
    seen: Truth | None = None  # what was true when this worker last listed the versions
    sent_resets: int = 0  # in this delivery; each may have taken effect, or may yet


@dataclass(frozen=True)
class Truth:
    """What no worker can know: whether the current version holds the live password, and since when that is live."""

    current_is_live: bool
    live_since: datetime | None


class _Ports:
    """Every port at once, answering from a worker's record."""

    def __init__(self, worker: Worker, now: datetime) -> None:
        self._worker = worker
        self._now = now + worker.skew
        self._answers = iter(worker.answers)
        self._made = itertools.count(1)

    def now(self) -> datetime:
        """Read the clock; the reading is part of the record."""
        reading = next(self._answers, None)
        if reading is None:
            reading = self._now
            self._worker.answers.append(reading)
        assert isinstance(reading, datetime)
        return reading

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any port's any method
            try:
                answer = next(self._answers)
            except StopIteration:
                raise _Stopped(Call(name, args, kwargs)) from None
            if isinstance(answer, RotatorError):
                raise answer
            return answer.value

        return call

    def unique(self) -> str:
        """Return a text that no other worker, delivery or call has, and the same one in every run."""
        return f"{self._worker.number}.{self._worker.delivery}.{next(self._made)}"


@dataclass(frozen=True)
class _Answer:
    value: Any


@dataclass(frozen=True)
class Faults:
    """How hostile the world is."""

    at_most: int = 4
    probability: float = 0.12
    pause_probability: float = 0.1
    foreign_writes: int = 0
    kinds: tuple[str, ...] = ("crash-before", "refused", "crash-after", "lost", "lost", "late", "late")
    begin_within: float = 130  # seconds; workers begin in bursts within it


class Simulation:
    """One run: `workers` requests about one user, until every one of them was carried out."""

    def __init__(  # noqa: PLR0913 - the dimensions of the space that is searched
        self,
        seed: int,
        *,
        workers: int = 2,
        staged: bool = False,
        faults: Faults | None = None,
        switches: Switches | None = None,
        code: ModuleType = rotation,
    ) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible, not secret
        self.now = NOON
        self.faults = faults or Faults()
        self.faults_left = self.faults.at_most
        self.foreign_left = self.faults.foreign_writes
        self.code = code
        self.trace: list[str] = []
        skew = self._skew()
        switches = switches or Switches()
        self.store = FakeStore(lambda: self.now + skew, switches=switches)
        self.directory = FakeDirectory(lambda: self.now, ALICE, switches=switches)
        self.directory.generate = lambda _user: Password(f"generated-{len(self.trace)}")
        self.published: dict[VersionId, Truth] = {}
        self.events: list[tuple[datetime, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.workers = [self._worker(number, staged=staged) for number in range(workers)]
        self.staged = staged

    def run(self) -> None:
        """Run to the end. Raises Violated, with the trace, at the first broken invariant."""
        for worker in self.workers:
            self._at(worker.began, lambda worker=worker: self._start(worker))  # type: ignore[misc]
        if self.foreign_left:
            self._at(NOON + timedelta(seconds=self.random.uniform(0, 300)), self._write_foreign)
        while self.events:
            self.now, _, happen = heapq.heappop(self.events)
            happen()
            self._check_live_is_kept()
            self._require(len(self.trace) < 3000, "the run ends")
        self._check_end()

    # workers

    def _worker(self, number: int, *, staged: bool) -> Worker:
        within = self.faults.begin_within * self.random.choice([0, 0.01, 0.05, 0.3, 1])
        began = NOON + timedelta(seconds=within * self.random.random())
        since = began - timedelta(seconds=self.random.choice([0, 1, 30, 3600]))
        request = ResetRequest(UserRef(name=ALICE.name), since, Reason.MANUAL)
        return Worker(number, request, self._skew(), staged, began)

    def _start(self, worker: Worker) -> None:
        worker.began = self.now
        worker.answers = []
        worker.sent_resets = 0
        self._advance(worker)

    def _advance(self, worker: Worker) -> None:
        ports: Any = _Ports(worker, self.now)
        source = PasswordSource.STAGED if worker.staged else PasswordSource.CLOUDSSO
        rotator = self.code.Rotator(
            directory=ports,
            store=ports,
            clock=ports,
            policy=Policy(lambda _u: SECRET, lambda _u: None, lambda _r: source, lambda _r: False),
            new_password=lambda _name: Password(f"candidate-{ports.unique()}"),
            new_owner=ports.unique,
        )
        give_up_at = worker.began + worker.skew + INVOCATION
        try:
            worker.done = rotator.ensure_rotated(worker.request, give_up_at=give_up_at)
        except _Stopped as stopped:
            self._schedule(worker, stopped.call)
        except TooManyAttempts:
            worker.exhausted = True
            self._say(worker, "too many attempts")
        except RotatorError as error:
            self._check_error(worker, error)
            self._redeliver(worker, error.reason)
        else:
            self._say(worker, f"success: {worker.done.name}")
            self._check_success(worker)

    def _redeliver(self, worker: Worker, why: str) -> None:
        self._say(worker, f"ended: {why}")
        worker.delivery += 1
        self._at(self.now + timedelta(seconds=self.random.uniform(1, 150)), lambda: self._start(worker))

    # calls

    def _schedule(self, worker: Worker, call: Call) -> None:
        if call.name == "sleep":
            wake = self.now + timedelta(seconds=call.args[0]) + self._pause()
            self._at(wake, lambda: self._answer(worker, _Answer(None)))
            return
        send_by = call.kwargs.get("send_by")
        self._require(send_by is None or self.now + worker.skew <= send_by, f"{call.name} is sent in time")
        # A worker may be held up between reading the clock and reading the world. A request that changes the world
        # takes effect within LONGEST_EFFECT of the decision to send it: that is assumed, not proven.
        delay = timedelta(seconds=self.random.uniform(0.01, 2)) + (self._pause() if call.name in READS else timedelta())
        self._at(self.now + delay, lambda: self._happen(worker, call))

    def _happen(self, worker: Worker, call: Call) -> None:
        fault = self._fault(call)
        worker.sent_resets += call.name == "reset" and fault not in ("crash-before", "refused")
        self._say(worker, f"{call.name} {' '.join(map(str, call.args[1:2]))} {fault or ''}")
        if fault == "crash-before":
            self._redeliver(worker, "crash")
        elif fault == "refused":
            self._answer_later(worker, _unavailable(call))
        elif fault == "late":
            lateness = timedelta(seconds=self.random.uniform(0, LONGEST_EFFECT.total_seconds() - 2))
            self._at(self.now + lateness, lambda: self._land(worker, call))
            self._answer_later(worker, _unknown(call), TIMEOUT)
        else:
            self._take_effect(worker, call, fault)

    def _take_effect(self, worker: Worker, call: Call, fault: str | None) -> None:
        answer = self._apply(worker, call)
        if fault == "crash-after":
            self._redeliver(worker, "crash")
        elif fault == "lost":
            self._answer_later(worker, _unknown(call), TIMEOUT)
        else:
            self._answer_later(worker, answer)

    def _land(self, worker: Worker, call: Call) -> None:
        self._say(worker, f"{call.name} {' '.join(map(str, call.args[1:2]))} lands late")
        self._apply(worker, call)

    def _apply(self, worker: Worker, call: Call) -> Any:  # noqa: ANN401 - any port's any answer
        port = self.directory if hasattr(self.directory, call.name) else self.store
        try:
            answer: Any = _Answer(getattr(port, call.name)(*call.args, **call.kwargs))
        except RotatorError as error:
            answer = error
        if call.name == "versions":
            worker.seen = self._truth()
        if call.name == "put" and call.kwargs["stage"] is None:
            self.published.setdefault(call.args[1], self._truth())
        return answer

    def _answer_later(self, worker: Worker, answer: Any, after: timedelta = timedelta()) -> None:  # noqa: ANN401
        self._at(self.now + after + self._pause(), lambda: self._answer(worker, answer))

    def _answer(self, worker: Worker, answer: Any) -> None:  # noqa: ANN401 - any port's any answer
        worker.answers.append(answer)
        self._advance(worker)

    def _fault(self, call: Call) -> str | None:
        if self.faults_left == 0 or self.random.random() > self.faults.probability:
            return None
        self.faults_left -= 1
        kinds = [kind for kind in self.faults.kinds if call.name not in READS or kind not in ("lost", "late")]
        return self.random.choice(kinds) if kinds else None

    def _write_foreign(self) -> None:
        self.foreign_left -= 1
        self.store.write(SECRET, f"foreign-{self.foreign_left}", '{"Password": "foreign"}')
        self.trace.append(f"{self._time()} somebody writes a foreign version")
        if self.foreign_left:
            self._at(self.now + timedelta(seconds=self.random.uniform(0, 400)), self._write_foreign)

    # invariants

    def _truth(self) -> Truth:
        live = self.directory.live(ALICE)
        current = self.store.at(SECRET, CURRENT)
        held = json.loads(current.value.reveal()).get("Password") if current else None
        return Truth(live is not None and held == live.password.reveal(), live.at if live else None)

    def _check_success(self, worker: Worker) -> None:
        """I1: success is only said of a current version that held the live password, set at or after `since`."""
        if isinstance(worker.done, Rotated):
            truth: Truth | None = self.published.get(worker.done.version)
        else:
            assert isinstance(worker.done, AlreadyRotated)
            truth = worker.seen
        self._require(truth is not None and truth.current_is_live, "I1: success while current was not live")
        earliest = worker.request.since - CLOCK_SKEW
        self._require(
            truth is not None and truth.live_since is not None and truth.live_since >= earliest,
            "I1: success with a password from before the event",
        )

    def _check_error(self, worker: Worker, error: RotatorError) -> None:
        """I5: "was not reset" is only said if this delivery sent no reset that can have taken effect."""
        claims_innocence = "was not reset" in str(error) or "Nothing was changed" in str(error)
        self._require(not (claims_innocence and worker.sent_resets), f"I5: {error.reason} denies a reset")

    def _check_live_is_kept(self) -> None:
        """I3: staged, the live password is readable in KMS at every instant."""
        live = self.directory.live(ALICE)
        if not self.staged or live is None:
            return
        held = [version.value.reveal() for version in self.store.secrets.get(SECRET, [])]
        self._require(any(live.password.reveal() in value for value in held), "I3: the live password is nowhere")

    def _check_end(self) -> None:
        """I2: redelivery until success ends with the live password in the current version."""
        if any(worker.exhausted for worker in self.workers):
            return
        self._require(all(worker.done is not None for worker in self.workers), "I2: a request was never carried out")
        truth = self._truth()
        if self.faults.foreign_writes == 0:
            self._require(truth.current_is_live, "I2: in the end current is not live")
        newest = max(worker.request.since for worker in self.workers)
        self._require(
            truth.live_since is not None and truth.live_since >= newest - CLOCK_SKEW, "I2: the live password is too old"
        )

    def _require(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            raise Violated("\n".join([what, *self.trace]))

    # time

    def _at(self, when: datetime, happen: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), happen))

    def _pause(self) -> timedelta:
        long = self.random.random() < self.faults.pause_probability
        return timedelta(seconds=self.random.choice([6, 21, 52, 101, 240]) if long else 0)

    def _skew(self) -> timedelta:
        return timedelta(seconds=self.random.choice([-1, 0, 1]) * CLOCK_SKEW.total_seconds())

    def _say(self, worker: Worker, what: str) -> None:
        self.trace.append(f"{self._time()} worker {worker.number}: {what}")

    def _time(self) -> str:
        return f"{(self.now - NOON).total_seconds():8.2f}"


def _unavailable(call: Call) -> RotatorError:
    return DirectoryUnavailable("refused") if call.name in ("find", "reset") else SecretStoreUnavailable("refused")


def _unknown(call: Call) -> RotatorError:
    return ResetOutcomeUnknown("lost") if call.name == "reset" else SecretStoreUnavailable("lost")
