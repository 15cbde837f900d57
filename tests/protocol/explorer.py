"""Every interleaving of two workers on one user, with every placement of a few faults: the real code, and no seed.

A depth-first search over states (states.py): what KMS and CloudSSO hold, where each worker stands in its delivery,
which requests are still under way, which readings of undocumented behaviour were chosen, and how many faults may still
strike. A state that was met before is not entered again; it is known by its hash of 64 bits, so that one of a million
states is mistaken for another with a probability of less than 1 : 10,000,000. What may happen in a state:

* of the workers that are due now, any one makes its call. A call takes no time; time passes where workers wait, are
  held up, or wait for an answer that does not come. So calls of the same instant happen in every order.
* a fault strikes that call (states.FAULTS). A request whose answer is lost takes effect at once, or between any two
  later steps until LONGEST_EFFECT has passed (between two looks of a worker that waits, the earlier moment stands
  for all).
* where the outcome depends on behaviour that is not documented, every reading is tried from there on.

Two reductions leave out nothing that matters. A step that no other worker can tell (it sleeps, looks its user up,
sets a tag, takes in an answer) is made before anybody else's: the order of such steps changes nothing. And of the many
looks of a worker that waits for a lease, faults strike the first and the last: being killed or held up in between is
being so at an earlier step, for longer.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from shared import rotation
from shared.errors import RotatorError
from shared.model import Outcome, ResetReceipt, Rotated
from shared.rotation import LONGEST_EFFECT
from tests.fakes import NOON
from tests.localcloud.switches import values
from tests.protocol.delivery import READS, TIMEOUT, Answer, Call, Delivery, Ended, refused, unanswered
from tests.protocol.invariants import (
    Violated,
    check_end,
    check_error,
    check_live_is_kept,
    check_nothing_is_told,
    check_success,
    require,
)
from tests.protocol.states import (
    AGAIN,
    AT_ONCE,
    DELIVERIES,
    DOWN,
    HELD_UP_SENDING,
    PAUSES,
    Case,
    Flying,
    Point,
    State,
    Step,
    Worker,
)
from tests.protocol.world import Clocks, Readings, Undecided, World

UNSEEN = frozenset({"find", "sleep", "tag", "tags", "check_resettable"})  # no other worker can tell when they happen
STORE = frozenset({"versions", "create", "put", "release", "tag", "tags"})
Applied = tuple[Readings, int, int]  # a call, under which readings: its answer, and the world that it leaves
Effect = tuple[State, Worker, int]  # of a call: the state and its worker after it, and the answer


@dataclass
class Result:
    """What an exploration met."""

    states: int = 0
    steps: int = 0
    ends: int = 0  # states in which every request was carried out and nothing is under way
    readings: set[str] = field(default_factory=set)  # switches that mattered


class Explorer:
    """One exploration."""

    def __init__(
        self, case: Case, code: ModuleType = rotation, tell: Callable[[Step], object] = lambda _step: None
    ) -> None:
        self._case = case
        self._code = code
        self._tell = tell
        self._result = Result()
        # What is met again and again is known by a number. Number 0 stands for nothing.
        self._worlds: list[World] = []
        self._world_numbers: dict[World, int] = {}
        self._answers = [Answer()]
        self._answer_numbers: dict[Any, int] = {}
        self._points: list[Point] = []
        self._begun: dict[tuple[int, int, datetime], int] = {}
        self._lists: dict[int, int] = {}
        self._waits: dict[tuple[Worker, int], Worker | None] = {}
        self._effects: dict[tuple[int, datetime, Readings, int], list[Applied]] = {}
        self._nothing = self._answer(None, Answer())

    def run(self) -> Result:
        """Explore everything. Raises Violated, with what led there, at the first broken invariant."""
        collecting = gc.isenabled()
        gc.disable()  # it would take a third of the time, and find next to nothing
        try:
            return self._run()
        finally:
            if collecting:
                gc.enable()

    def _run(self) -> Result:
        workers = tuple(Worker(number, NOON + start) for number, start in enumerate(self._case.starts))
        first = State(NOON, self._world(self._case.beginning), workers, (), self._case.readings, self._case.faults)
        seen = {hash(first)}
        path: list[tuple[Step | None, Iterator[Step]]] = [(None, self._steps(first))]
        try:
            while path:
                step = next(path[-1][1], None)
                if step is None:
                    path.pop()
                    continue
                self._result.steps += 1
                self._tell(step)
                key = hash(step.state)
                if key not in seen:
                    seen.add(key)
                    path.append((step, self._steps(step.state)))
        except Violated as violated:
            trace = [str(step) for step, _ in path if step is not None]
            raise Violated("\n".join([str(violated), *trace])) from None
        self._result.states = len(seen)
        return self._result

    # what may happen

    def _steps(self, state: State) -> Iterator[Step]:
        for flying in state.flying:
            yield from self._land(state, flying, state.now)
        state = self._wait(state)
        waiting = [worker for worker in state.workers if not worker.done]
        if not waiting:
            if not state.flying:
                self._end(state)
            return
        due = min(worker.due for worker in waiting)
        overdue = [flying for flying in state.flying if flying.by <= due]
        for flying in overdue:
            yield from self._land(state, flying, flying.by)
        if any(flying.by < due for flying in overdue):
            return
        if due != state.now or due >= state.down > NOON:
            state = state._replace(now=due, down=state.down if due < state.down else NOON)
        ready = [worker for worker in waiting if worker.due == due]
        unseen = next((worker for worker in ready if self._is_unseen(worker)), None)
        for worker in ready if unseen is None else [unseen]:
            yield from self._step(state, worker)

    def _end(self, state: State) -> None:
        self._result.ends += 1
        check_end(self._worlds[state.world].truth, self._case.newest())

    def _is_unseen(self, worker: Worker) -> bool:
        return bool(worker.answer) or not worker.point or self._call(worker.point).name in UNSEEN

    def _step(self, state: State, worker: Worker) -> list[Step]:
        if worker.answer:
            return [self._take_in(state, worker, worker.answer, "goes on")]
        if not worker.point:
            return [self._reach(state, worker, self._begin(worker, state.now), "starts")]
        call = self._call(worker.point)
        if call.name == "sleep":
            return self._sleep(state, worker, call)
        if state.now < state.down and call.name in STORE:
            return [self._refuse(state, worker, call, "refused")]
        self._check_sent_in_time(state, worker, call)
        effects = self._effects_of(state, worker)
        steps = [self._take_in(after, then, answer, call) for after, then, answer in effects]
        if state.faults and not self._goes_on_waiting(worker, call, steps):
            struck = state._replace(faults=state.faults - 1)
            steps += self._struck(struck, worker, call)
            steps += self._held_up(struck, worker, call, effects)
        return steps

    def _sleep(self, state: State, worker: Worker, call: Call) -> list[Step]:
        pause = timedelta(seconds=call.args[0])
        slept = worker._replace(due=state.now + pause, answer=self._nothing)
        steps = [Step(state.with_worker(slept), worker.number, (call.name, call.args[0], "s"))]
        if not state.faults or self._is(self._after(worker, worker.point, self._nothing, slept.due), "versions"):
            return steps  # to oversleep a look is as good as being held up before it
        struck = state._replace(faults=state.faults - 1)
        for longer in PAUSES:
            overslept = slept._replace(due=slept.due + longer)
            what = (call.name, call.args[0], "s and is held up", longer.seconds, "s more")
            steps.append(Step(struck.with_worker(overslept), worker.number, what))
        return steps

    # waiting for a lease

    def _wait(self, state: State) -> State:
        """Let time pass while all that happens is that workers look, find that they still have to wait, and sleep."""
        if not any(worker.answer and worker.seen for worker in state.workers):
            return state
        latest = min((flying.by for flying in state.flying), default=None)
        while state.now >= state.down:
            waiting = [worker for worker in state.workers if not worker.done]
            due = min((worker.due for worker in waiting), default=None)
            if due is None or (latest is not None and due > latest):
                return state
            ready = [worker for worker in waiting if worker.due == due]
            slept = [self._wait_on(worker, state.world) for worker in ready if worker.answer and worker.seen]
            if None in slept or len(slept) < len(ready):
                return state
            for worker in filter(None, slept):
                state = state.with_worker(worker)
            state = state._replace(now=due)
        return state

    def _wait_on(self, worker: Worker, world: int) -> Worker | None:
        """Return where a worker stands that wakes, looks, and sleeps again; None if it does anything else."""
        key = (worker, world)
        if key not in self._waits:
            self._waits[key] = self._waited(worker, world)
        return self._waits[key]

    def _waited(self, worker: Worker, world: int) -> Worker | None:
        look = self._after(worker, worker.point, worker.answer, worker.due)
        if not self._is(look, "versions"):
            return None
        after = self._after(worker, look, self._listed(world, look), worker.due)
        if not self._is(after, "sleep"):
            return None
        due = worker.due + timedelta(seconds=self._call(after).args[0])
        return worker._replace(due=due, point=after, answer=self._nothing, seen=self._worlds[world].truth)

    def _goes_on_waiting(self, worker: Worker, call: Call, steps: list[Step]) -> bool:
        """Tell whether this is one more look of a worker that waits, and after which it will sleep again."""
        if call.name != "versions" or worker.seen is None or worker.held_up:
            return False
        return self._is(steps[0].state.workers[worker.number].point, "sleep")

    # faults

    def _struck(self, state: State, worker: Worker, call: Call) -> list[Step]:
        steps = [self._refuse(state, worker, call, "refused"), self._killed(state, worker, "killed before", call)]
        if call.name in ("create", "put"):
            steps.append(self._refuse(state._replace(down=state.now + DOWN), worker, call, "refused, KMS is down"))
        if call.name in READS:
            return steps
        silence = self._failure(unanswered, call)
        resets = worker.sent_resets + (call.name == "reset")
        waits = worker._replace(due=state.now + TIMEOUT, answer=silence, held_up=False, sent_resets=resets)
        if call.name in ("reset", "tag"):  # to the sender of another write that is as good as a refusal
            steps.append(Step(state.with_worker(waits), worker.number, (call, "dropped")))
        if call.name == "tag" or worker.held_up:  # nobody reads tags; and being held up was LONGEST_EFFECT already
            return steps
        flying = Flying(state.now + LONGEST_EFFECT, worker.point, worker.number)
        under_way = state._replace(flying=tuple(sorted([*state.flying, flying])))
        steps.append(Step(under_way.with_worker(waits), worker.number, (call, "lost")))
        return [*steps, self._killed(under_way, worker, "killed after", call)]

    def _refuse(self, state: State, worker: Worker, call: Call, how: str) -> Step:
        return self._take_in(state, worker, self._failure(refused, call), call, how)

    @staticmethod
    def _killed(state: State, worker: Worker, when: str, call: Call) -> Step:
        again = Worker(worker.number, state.now + AT_ONCE, worker.delivery + 1)
        return Step(state.with_worker(again), worker.number, (when, call))

    def _held_up(self, state: State, worker: Worker, call: Call, effects: list[Effect]) -> list[Step]:
        if call.name in UNSEEN:
            return []  # as good as being held up at the call that comes next
        steps = []
        for pause in () if worker.held_up else PAUSES if call.name in READS else (HELD_UP_SENDING,):
            later = worker._replace(due=state.now + pause, held_up=True)
            what = ("held up", pause.seconds, "s before", call)
            steps.append(Step(state.with_worker(later), worker.number, what))
        for after, then, answer in effects:
            struck = after._replace(faults=state.faults)
            for pause in PAUSES:
                held = then._replace(due=state.now + pause, answer=answer, held_up=False)
                what = ("held up", pause.seconds, "s after", call)
                steps.append(Step(struck.with_worker(held), worker.number, what))
        return steps

    def _land(self, state: State, flying: Flying, at: datetime) -> Iterator[Step]:
        left = list(state.flying)
        left.remove(flying)
        state = state._replace(now=at, flying=tuple(left))
        for readings, _, world in self._applied(state, flying.point):
            landed = state._replace(world=world, readings=readings)
            yield Step(landed, flying.worker, (self._call(flying.point), "takes effect"))

    # calls and answers

    def _effects_of(self, state: State, worker: Worker) -> list[Effect]:
        call = self._call(worker.point)
        effects = []
        for readings, answer, world in self._applied(state, worker.point):
            then = worker
            if call.name == "versions":
                then = worker._replace(seen=self._worlds[world].truth)
            elif call.name == "reset":
                then = worker._replace(sent_resets=worker.sent_resets + 1)
            after = State(state.now, world, state.workers, state.flying, readings, state.faults, state.down)
            effects.append((after, then, answer))
        return effects

    def _applied(self, state: State, point: int) -> list[Applied]:
        """Return a call's answer and the world it leaves: once, or for each reading that makes a difference now."""
        key = (state.world, state.now, state.readings, point)
        if key not in self._effects:
            self._effects[key] = self._under_every_reading(state, point)
        return self._effects[key]

    def _under_every_reading(self, state: State, point: int) -> list[Applied]:
        try:
            return [(state.readings, *self._apply(state, point))]
        except Undecided as undecided:
            switch = undecided.switch
        self._result.readings.add(switch)
        chosen = [tuple(sorted([*state.readings, (switch, value)])) for value in values(switch)]
        return [each for readings in chosen for each in self._applied(state._replace(readings=readings), point)]

    def _listed(self, world: int, point: int) -> int:
        """Return the answer to a look, whoever takes it and whenever."""
        if world not in self._lists:
            listed, _ = self._worlds[world].after(self._call(point), Clocks(NOON, NOON), (), "")
            self._lists[world] = self._answer(_identity(listed), listed)
        return self._lists[world]

    def _apply(self, state: State, number: int) -> tuple[int, int]:
        if self._is(number, "versions"):
            return self._listed(state.world, number), state.world
        point = self._points[number - 1]
        clocks = Clocks(state.now, state.now + self._case.kms_skew)
        generated = f"{point.delivery.name}.{len(point.record)}"
        answer, world = self._worlds[state.world].after(self._call(number), clocks, state.readings, generated)
        return self._answer(_identity(answer), answer), self._world(world)

    def _take_in(self, state: State, worker: Worker, answer: int, *what: object) -> Step:
        return self._reach(state, worker, self._after(worker, worker.point, answer, state.now), *what)

    def _after(self, worker: Worker, number: int, answer: int, now: datetime) -> int:
        """Return the point that a worker comes to when it takes in an answer."""
        point = self._points[number - 1]
        reading = now + self._case.skews[worker.number]
        after = point.after.get((answer, reading))
        if after is None:
            after = point.after[answer, reading] = self._point(point.answered(self._answers[answer], reading))
        return after

    def _reach(self, state: State, worker: Worker, point: int, *what: object) -> Step:
        ended = self._points[point - 1].next
        if isinstance(ended, Call):
            there = Worker(worker.number, state.now, worker.delivery, point, 0, False, worker.sent_resets, worker.seen)  # noqa: FBT003 - a tuple's fields
            return Step(state.with_worker(there), worker.number, what)
        if ended.error is not None:
            return self._fail(state, worker, ended.error, *what)
        assert ended.outcome is not None
        return self._succeed(state, worker, ended.outcome, *what)

    def _fail(self, state: State, worker: Worker, error: RotatorError, *what: object) -> Step:
        check_error(error, worker.sent_resets)
        require(error.retryable, f"I2: {error.reason} is not redelivered")
        require(worker.delivery < DELIVERIES, "I2: the request is redelivered for ever")
        again = Worker(worker.number, state.now + AGAIN, worker.delivery + 1)
        return Step(state.with_worker(again), worker.number, (*what, "- ended:", error.reason))

    def _succeed(self, state: State, worker: Worker, done: Outcome, *what: object) -> Step:
        world = self._worlds[state.world]
        known = world.published_as(done.version) if isinstance(done, Rotated) else worker.seen
        check_success(self._case.request(worker.number), known)
        finished = Worker(worker.number, NOON, done=True)
        return Step(state.with_worker(finished), worker.number, (*what, "- success:", done.name))

    def _check_sent_in_time(self, state: State, worker: Worker, call: Call) -> None:
        send_by = call.kwargs.get("send_by")
        if send_by is not None and not worker.held_up:
            require(state.now + self._case.skews[worker.number] <= send_by, f"{call.name} is sent in time")

    # numbers

    def _world(self, world: World) -> int:
        number = self._world_numbers.setdefault(world, len(self._worlds))
        if number == len(self._worlds):
            self._worlds.append(world)
            if self._case.staged and world.live is not None:
                check_live_is_kept(world.live[0], (version.value for version in world.versions or ()))
        return number

    def _answer(self, identity: object, answer: Answer) -> int:
        number = self._answer_numbers.setdefault(identity, len(self._answers))
        if number == len(self._answers):
            self._answers.append(answer)
        return number

    def _failure(self, how: Callable[[Call], Answer], call: Call) -> int:
        identity = (how, call.name)
        return self._answer_numbers.get(identity) or self._answer(identity, how(call))

    def _point(self, point: Point) -> int:
        check_nothing_is_told(point.next)
        self._points.append(point)
        return len(self._points)

    def _begin(self, worker: Worker, now: datetime) -> int:
        key = (worker.number, worker.delivery, now)
        if key not in self._begun:
            reading = now + self._case.skews[worker.number]
            delivery = Delivery(
                code=self._code,
                request=self._case.request(worker.number),
                staged=self._case.staged,
                name=f"{worker.number}.{worker.delivery}",
                give_up_at=reading + self._case.invocation,
            )
            self._begun[key] = self._point(Point(delivery, [], reading))
        return self._begun[key]

    def _is(self, point: int, call: str) -> bool:
        """Tell whether what comes next at a point is this call."""
        then = self._points[point - 1].next if point else None
        return isinstance(then, Call) and then.name == call

    def _call(self, point: int) -> Call:
        call = self._points[point - 1].next
        assert not isinstance(call, Ended)
        return call


def _identity(answer: Answer) -> object:
    """Return what tells one answer from another; a password is compared by its text here."""
    if answer.error is not None:
        return repr(answer.error)
    return answer.value.password.reveal() if isinstance(answer.value, ResetReceipt) else answer.value
