"""Many workers, one user, a hostile world: the real protocol code in virtual time, reproducible from a seed.

Where explorer.py tries everything within narrow bounds, this tries much within wide ones. The world may do what
docs/protocol.md says it may: kill a worker before or after any call, lose an answer, let a request take effect up to
LONGEST_EFFECT after it was sent, hold a worker up for minutes, and set every clock wrong by CLOCK_SKEW. Failed
deliveries come again until they succeed.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import ModuleType

from shared import rotation
from shared.errors import RotatorError, TooManyAttempts
from shared.model import AlreadyRotated, Outcome, Password, Reason, ResetRequest, Rotated, UserRef, VersionId
from shared.rotation import CLOCK_SKEW, LONGEST_EFFECT
from tests.fakes import NOON
from tests.protocol.delivery import (
    ALICE,
    READS,
    SECRET,
    TIMEOUT,
    Answer,
    Call,
    Delivery,
    Ended,
    Record,
    refused,
    unanswered,
)
from tests.protocol.invariants import (
    Truth,
    Violated,
    check_end,
    check_error,
    check_live_is_kept,
    check_nothing_is_told,
    check_success,
    require,
    truth,
)
from tests.protocol.scenarios import Scenario
from tests.protocol.world import beginnings

INVOCATION = timedelta(seconds=255)
SAFE = frozenset(READS | {"sleep"})  # calls whose answer can be lost without a doubt what they did
ENDLESS = 3000  # steps


@dataclass
class Worker:
    """One delivery after the other of one request."""

    number: int
    request: ResetRequest
    skew: timedelta
    began: datetime
    delivery: int = 0
    record: Record = field(default_factory=list)
    done: Outcome | None = None
    exhausted: bool = False
    seen: Truth | None = None  # what was true when this worker last listed the versions
    sent_resets: int = 0  # in this delivery; each may have taken effect, or may yet


class Simulation:
    """One run, until every request was carried out."""

    def __init__(self, scenario: Scenario, code: ModuleType = rotation) -> None:
        self.scenario = scenario
        self.code = code
        self.random = Random(scenario.seed)  # noqa: S311 - reproducible, not secret
        self.now = NOON
        self.trace: list[str] = []
        self.faults_left = scenario.faults
        self.foreign_left = scenario.foreign_writes
        self.adversities = itertools.count(1)
        self.happened: set[int] = set()  # faults and pauses, by their number
        skew = self._skew()
        self.store, self.directory = beginnings()[scenario.beginning].opened(
            lambda: self.now, lambda: self.now + skew, scenario.switches
        )
        self.directory.generate = lambda _user: Password(f"generated-{len(self.trace)}")
        self.published: dict[VersionId, Truth] = {}
        self.events: list[tuple[datetime, int, Callable[[], None]]] = []
        self.order = itertools.count()
        workers = [self._worker(number) for number in range(scenario.workers)]
        self.workers = [worker for worker in workers if worker.number not in scenario.absent]

    def run(self) -> None:
        """Run to the end. Raises Violated, with the trace, at the first broken invariant."""
        for worker in self.workers:
            self._at(worker.began, lambda worker=worker: self._start(worker))  # type: ignore[misc]
        if self.foreign_left:
            self._at(NOON + timedelta(seconds=self.random.uniform(0, 300)), self._write_foreign)
        try:
            while self.events:
                self.now, _, happen = heapq.heappop(self.events)
                happen()
                self._check_live_is_kept()
                require(len(self.trace) < ENDLESS, "I2: the run does not end")
            self._check_end()
        except Violated as violated:
            raise Violated("\n".join([str(violated), *self.trace])) from None

    # workers

    def _worker(self, number: int) -> Worker:
        within = self.scenario.within * self.random.choice([0, 0.01, 0.05, 0.3, 1])
        began = NOON + timedelta(seconds=within * self.random.random())
        since = began - timedelta(seconds=self.random.choice([0, 1, 30, 3600]))
        request = ResetRequest(UserRef(name=ALICE.name), since, Reason.MANUAL)
        return Worker(number, request, self._skew(), began)

    def _start(self, worker: Worker) -> None:
        worker.began = self.now
        worker.delivery += 1
        worker.record = []
        worker.sent_resets = 0
        self._advance(worker)

    def _advance(self, worker: Worker) -> None:
        delivery = Delivery(
            self.code,
            worker.request,
            self.scenario.staged,
            name=f"{worker.number}.{worker.delivery}",
            give_up_at=worker.began + worker.skew + INVOCATION,
        )
        then = delivery.proceed(worker.record, self.now + worker.skew)
        if isinstance(then, Call):
            self._schedule(worker, then)
            return
        check_nothing_is_told(then)
        if then.error is not None:
            self._fail(worker, then.error)
        else:
            self._succeed(worker, then)

    def _fail(self, worker: Worker, error: RotatorError) -> None:
        if isinstance(error, TooManyAttempts):
            worker.exhausted = True
            self._say(worker, "too many attempts")
            return
        check_error(error, worker.sent_resets)
        require(error.retryable or self.scenario.foreign_writes > 0, f"I2: {error.reason} is not redelivered")
        self._redeliver(worker, f"ended: {error.reason}")

    def _succeed(self, worker: Worker, ended: Ended) -> None:
        worker.done = ended.outcome
        assert isinstance(worker.done, Rotated | AlreadyRotated)
        self._say(worker, f"success: {worker.done.name}")
        known = self.published.get(worker.done.version) if isinstance(worker.done, Rotated) else worker.seen
        check_success(worker.request, known)

    def _redeliver(self, worker: Worker, why: str) -> None:
        self._say(worker, why)
        self._at(self.now + timedelta(seconds=self.random.uniform(1, 150)), lambda: self._start(worker))

    # calls

    def _schedule(self, worker: Worker, call: Call) -> None:
        if call.name == "sleep":
            wake = self.now + timedelta(seconds=call.args[0]) + self._pause(worker)
            self._at(wake, lambda: self._answer(worker, Answer()))
            return
        send_by = call.kwargs.get("send_by")
        require(send_by is None or self.now + worker.skew <= send_by, f"{call.name} is sent in time")
        # A worker may be held up between reading the clock and reading the world. A request that changes the world
        # takes effect within LONGEST_EFFECT of the decision to send it: that is assumed, not proven.
        pause = self._pause(worker) if call.name in READS else timedelta()
        delay = timedelta(seconds=self.random.uniform(0.01, 2)) + pause
        self._at(self.now + delay, lambda: self._happen(worker, call))

    def _happen(self, worker: Worker, call: Call) -> None:
        fault = self._fault(call)
        worker.sent_resets += call.name == "reset" and fault not in ("crash-before", "refused")
        self._say(worker, f"{call} {fault or ''}".strip())
        if fault == "crash-before":
            self._redeliver(worker, "killed")
        elif fault == "refused":
            self._answer_later(worker, refused(call))
        elif fault == "late":
            lateness = timedelta(seconds=self.random.uniform(0, LONGEST_EFFECT.total_seconds() - 2))
            self._at(self.now + lateness, lambda: self._land(worker, call))
            self._answer_later(worker, unanswered(call), TIMEOUT)
        else:
            self._take_effect(worker, call, fault)

    def _take_effect(self, worker: Worker, call: Call, fault: str | None) -> None:
        answer = self._apply(worker, call)
        if fault == "crash-after":
            self._redeliver(worker, "killed")
        elif fault == "lost":
            self._answer_later(worker, unanswered(call), TIMEOUT)
        else:
            self._answer_later(worker, answer)

    def _land(self, worker: Worker, call: Call) -> None:
        self._say(worker, f"{call} lands late")
        self._apply(worker, call)

    def _apply(self, worker: Worker, call: Call) -> Answer:
        port = self.directory if hasattr(self.directory, call.name) else self.store
        try:
            answer = Answer(getattr(port, call.name)(*call.args, **call.kwargs))
        except RotatorError as error:
            answer = Answer(error=error)
        if call.name == "versions":
            worker.seen = truth(self.store, self.directory)
        if call.name == "put" and call.kwargs["stage"] is None:
            self.published.setdefault(call.args[1], truth(self.store, self.directory))
        return answer

    def _answer_later(self, worker: Worker, answer: Answer, after: timedelta = timedelta()) -> None:
        self._at(self.now + after + self._pause(worker), lambda: self._answer(worker, answer))

    def _answer(self, worker: Worker, answer: Answer) -> None:
        worker.record.append(answer)
        self._advance(worker)

    # adversities: drawn even where they do not happen, so that a run without one of them goes on as before

    def _fault(self, call: Call) -> str | None:
        if self.faults_left == 0 or self.random.random() > self.scenario.probability:
            return None
        kinds = [kind for kind in self.scenario.kinds if call.name not in SAFE or kind not in ("lost", "late")]
        kind = self.random.choice(kinds) if kinds else None
        if kind is None or not self._happens():
            return None
        self.faults_left -= 1
        return kind

    def _pause(self, worker: Worker) -> timedelta:
        long = self.random.random() < self.scenario.pauses
        pause = self.random.choice([6, 21, 52, 101, 240])
        if not long or not self._happens():
            return timedelta()
        self._say(worker, f"is held up {pause} s")
        return timedelta(seconds=pause)

    def _happens(self) -> bool:
        number = next(self.adversities)
        if self.scenario.only is not None and number not in self.scenario.only:
            return False
        self.happened.add(number)
        return True

    def _write_foreign(self) -> None:
        self.foreign_left -= 1
        self.store.write(SECRET, f"stranger-{self.foreign_left}", '{"Password": "foreign"}')
        self.trace.append(f"{self._time()} somebody writes a foreign version")
        if self.foreign_left:
            self._at(self.now + timedelta(seconds=self.random.uniform(0, 400)), self._write_foreign)

    # invariants

    def _check_live_is_kept(self) -> None:
        live = self.directory.live(ALICE)
        if self.scenario.staged and live is not None and not self.scenario.foreign_writes:
            held = (version.value.reveal() for version in self.store.secrets.get(SECRET, []))
            check_live_is_kept(live.password.reveal(), held)

    def _check_end(self) -> None:
        if any(worker.exhausted for worker in self.workers):
            return
        require(all(worker.done is not None for worker in self.workers), "I2: a request was never carried out")
        newest = max(worker.request.since for worker in self.workers)
        check_end(truth(self.store, self.directory), newest, foreign=self.scenario.foreign_writes > 0)

    # time

    def _at(self, when: datetime, happen: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), happen))

    def _skew(self) -> timedelta:
        return timedelta(seconds=self.random.choice([-1, 0, 1]) * CLOCK_SKEW.total_seconds())

    def _say(self, worker: Worker, what: str) -> None:
        self.trace.append(f"{self._time()} worker {worker.number}: {what}")

    def _time(self) -> str:
        return f"{(self.now - NOON).total_seconds():8.2f}"
