"""The queue of asynchronous invocations: at least once, in no particular order, retried and given up as documented.

Sources: "Error handling" page (function errors: 3 retries by default; 429 and 5xx: 0.5, 1, 2, 4, 8 ... s up to 5 h),
"Result callback" (destinations), "Asynchronous tasks" and "Task deduplication" (states, ids). How long the queue waits
between a function error and the retry is not documented: a switch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import (
    FINAL_STATES,
    AsyncConfig,
    Result,
    Target,
    TaskEvent,
    TaskRecord,
    TaskState,
    task_exists,
    task_not_found,
)
from tests.localcloud.fc.destinations import Outcome
from tests.localcloud.timeline import Ticket, Timeline

FIRST_BACK_OFF = 0.5
LONGEST_BACK_OFF = timedelta(hours=5)  # all waits together
EXHAUSTED = "FunctionResourceExhausted"  # the page's own example
EXPIRED = "AsyncEventExpired"  # a guess: the page does not say how an event that grew too old is called
_THROTTLED = 429
_SERVER_ERROR = 500


class Engine(Protocol):
    """What runs an invocation, and what becomes of its outcome."""

    def run(self, target: Target, payload: bytes, request_id: str, retry: int) -> Result:
        """Run it and wait for the end. ApiError: it did not run."""

    def cancel(self, request_id: str) -> None:
        """End the instance that runs it, if one does."""

    def config(self, target: Target) -> AsyncConfig:
        """Return the function's configuration."""

    def retry_delay(self) -> float:
        """Return the seconds between a function error and the retry."""

    def deliver(self, target: Target, destination: str, outcome: Outcome) -> str:
        """Send an outcome to a destination; return how that ended."""

    def arn(self, target: Target) -> str:
        """Return a function's ARN."""


@dataclass(eq=False)
class _Task:
    """One invocation in the queue."""

    record: TaskRecord
    executions: int = 0
    refusals: int = 0
    stopped: bool = False
    ticket: Ticket | None = None
    first_refused: datetime | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)


class AsyncQueue:
    """The asynchronous invocations of all functions."""

    def __init__(self, engine: Engine, timeline: Timeline, new_id: Callable[[], str]) -> None:
        self._engine = engine
        self._timeline = timeline
        self._new_id = new_id
        self._tasks: dict[tuple[Target, str], _Task] = {}
        self._lock = threading.Lock()

    def accept(self, target: Target, payload: bytes, task_id: str | None) -> str:
        """Take an invocation in; return its request id. 409 if the task id was used before, where ids count."""
        request_id = self._new_id()
        unique = task_id if task_id and self._engine.config(target).task else request_id
        now = self._timeline.now()
        events = (TaskEvent("Enqueued", now),)
        task = _Task(TaskRecord(unique, request_id, target, "Enqueued", now, payload, events=events))
        with self._lock:
            if (target, unique) in self._tasks:
                raise task_exists(unique)
            self._tasks[target, unique] = task
        self._schedule(task, 0)
        return request_id

    def records(self, target: Target) -> list[TaskRecord]:
        """Return every invocation of a function that was accepted, in that order."""
        with self._lock:
            tasks = [task for (whose, _), task in self._tasks.items() if whose == target]
        return [task.record for task in tasks]

    def record(self, target: Target, task_id: str) -> TaskRecord:
        """Return one invocation."""
        return self._task(target, task_id).record

    def stop(self, target: Target, task_id: str) -> None:
        """Stop an invocation: one that waits never runs, one that runs loses its instance. No destination is told."""
        task = self._task(target, task_id)
        with task.lock:
            if task.record.state in FINAL_STATES or task.stopped:
                return
            task.stopped = True
            running = task.record.state in ("Dequeued", "Running")
            if task.ticket is not None:
                task.ticket.cancel()
            self._note(task, "Stopping")
            if not running:
                self._end(task, "Stopped")
        if running:
            self._engine.cancel(task.record.request_id)

    def _task(self, target: Target, task_id: str) -> _Task:
        with self._lock:
            task = self._tasks.get((target, task_id))
        if task is None:
            raise task_not_found(task_id)
        return task

    def _schedule(self, task: _Task, seconds: float) -> None:
        with task.lock:
            if not task.stopped:
                task.ticket = self._timeline.after(seconds, lambda: self._attempt(task))

    def _attempt(self, task: _Task) -> None:
        record = task.record
        age = self._timeline.now() - record.started
        with task.lock:
            if task.stopped:
                return
            if age > timedelta(seconds=self._engine.config(record.target).max_event_age):
                self._fail(task, "Expired", EXPIRED, Result(record.request_id, b""))
                return
            self._note(task, "Dequeued")
            self._note(task, "Running")
            retry = task.executions
        try:
            result = self._engine.run(record.target, record.payload, record.request_id, retry)
        except ApiError as refusal:
            self._refused(task, refusal)
        else:
            self._ran(task, result)

    def _ran(self, task: _Task, result: Result) -> None:
        with task.lock:
            task.executions += 1
            task.record = replace(task.record, retries=task.executions - 1)
            if task.stopped:
                self._end(task, "Stopped")
            elif result.error_type is None:
                task.record = replace(task.record, return_payload=result.payload)
                self._tell(task, self._engine.config(task.record.target).on_success, self._outcome(task, "", result))
                self._end(task, "Succeeded")
            elif task.executions > self._engine.config(task.record.target).max_retry_attempts:
                self._fail(task, "Failed", result.error_type, result)
            else:
                self._note(task, "Retrying", result.error_type)
                self._schedule(task, self._engine.retry_delay())

    def _refused(self, task: _Task, refusal: ApiError) -> None:
        """Wait and try again where the function did not even run; what is refused for good is never tried again."""
        now = self._timeline.now()
        with task.lock:
            if task.stopped:
                self._end(task, "Stopped")
                return
            if refusal.status != _THROTTLED and refusal.status < _SERVER_ERROR:
                self._fail(task, "Invalid", refusal.code, Result(task.record.request_id, b""))
                return
            task.first_refused = task.first_refused or now
            wait = FIRST_BACK_OFF * 2**task.refusals
            if now + timedelta(seconds=wait) - task.first_refused > LONGEST_BACK_OFF:
                self._fail(task, "Failed", EXHAUSTED, Result(task.record.request_id, b""))
                return
            task.refusals += 1
            self._note(task, "Retrying", refusal.code)
            self._schedule(task, wait)

    def _fail(self, task: _Task, state: TaskState, condition: str, result: Result) -> None:
        task.record = replace(task.record, error=condition, return_payload=result.payload)
        on_failure = self._engine.config(task.record.target).on_failure
        self._tell(task, on_failure, self._outcome(task, condition, result))
        self._end(task, state)

    def _outcome(self, task: _Task, condition: str, result: Result) -> Outcome:
        return Outcome(
            request_id=task.record.request_id,
            function_arn=self._engine.arn(task.record.target),
            condition=condition,
            invocations=task.executions,
            payload=task.record.payload,
            response=result.payload,
            function_error=result.error_type or "",
        )

    def _tell(self, task: _Task, destination: str | None, outcome: Outcome) -> None:
        if destination is not None:
            status = self._engine.deliver(task.record.target, destination, outcome)
            task.record = replace(task.record, destination_status=status)

    def _note(self, task: _Task, state: TaskState, detail: str = "") -> None:
        event = TaskEvent(state, self._timeline.now(), detail)
        task.record = replace(task.record, state=state, events=(*task.record.events, event))

    def _end(self, task: _Task, state: TaskState) -> None:
        self._note(task, state)
        task.record = replace(task.record, ended=self._timeline.now())
