"""Which readings Function Compute follows where its documentation is silent."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.conformance.bench import Bench
from tests.conformance.catalogue import Reading, experiment, readings
from tests.conformance.functions import FAIL
from tests.conformance.verdicts import UnclearError

_LOOKS = 40
_BETWEEN_LOOKS = 5.0  # seconds


@experiment("Function Compute")
def task_exists(bench: Bench) -> Reading:
    """Use a task id twice."""
    bench.function.keep_tasks()
    task_id = bench.function.new_id()
    bench.function.queue(task_id)
    return bench.function.answer_to_again(task_id)


@experiment("Function Compute")
def async_retry_delay(bench: Bench) -> Reading:
    """Let a task fail, and look at how long its retry has waited."""
    bench.function.keep_tasks(retries=1)
    task_id = bench.function.new_id()
    bench.function.queue(task_id, FAIL)
    for _ in range(_LOOKS):
        if bench.function.state(task_id) == "Failed":
            return _nearest(_waited(bench.function.task(task_id)))
        bench.wait(_BETWEEN_LOOKS)
    message = "the task has not failed"
    raise UnclearError(message)


def _waited(task: Any) -> float:  # noqa: ANN401 - the SDK is untyped
    """Return the seconds from the announcement of a retry to the next event of the task."""
    events = task.events or []
    for event, following in pairwise(events):
        if event.status == "Retrying":
            return float(following.timestamp - event.timestamp) / 1000
    message = f"no retry among its events: {', '.join(event.status for event in events)}"
    raise UnclearError(message)


def _nearest(waited: float) -> str:
    """Return the reading that was meant: within a third, or three seconds, of what was measured."""
    for reading in readings("async_retry_delay"):
        seconds = float(reading.partition(" ")[0])
        if abs(waited - seconds) <= max(3.0, seconds / 3):
            return str(reading)
    return f"{waited:.0f} s"
