"""What the APIs of Function Compute need of whatever runs functions, and the words they share with it.

Sources: the official FC 3.0 SDK's models (AsyncTask, AsyncTaskEvent, AsyncConfig), the "Asynchronous tasks" and "Task
deduplication" pages, and the error code pages of both API versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args

from tests.localcloud.api import ApiError

LATEST = "LATEST"
UNHANDLED = "UnhandledInvocationError"  # the one error type of a Python function ("Error handling" page)

TaskState = Literal[
    "Enqueued",  # waiting in the queue
    "Dequeued",  # taken from the queue, about to be executed
    "Running",
    "Succeeded",
    "Failed",
    "Stopping",
    "Stopped",
    "Expired",  # waited longer than maxAsyncEventAgeInSeconds; never executed
    "Invalid",  # never executed for another reason: the function is gone
    "Retrying",  # an execution failed and will be repeated
]
TASK_STATES: tuple[TaskState, ...] = get_args(TaskState)
FINAL_STATES = frozenset[TaskState]({"Succeeded", "Failed", "Stopped", "Expired", "Invalid"})


@dataclass(frozen=True)
class Target:
    """A function as an invocation names it; a service makes it one of FC 2.0."""

    function: str
    qualifier: str = LATEST
    service: str | None = None

    def arn(self, region: str, account_id: str) -> str:
        """Return its name to RAM: facts 3.1 for FC 3.0, the "Policies and sample policies" page of FC 2.0."""
        if self.service is None:
            return f"acs:fc:{region}:{account_id}:functions/{self.function}"
        version = "" if self.qualifier == LATEST else f".{self.qualifier}"
        return f"acs:fc:{region}:{account_id}:services/{self.service}{version}/functions/{self.function}"


@dataclass(frozen=True)
class Result:
    """What a synchronous invocation ended with. With an `error_type` the payload is the error body."""

    request_id: str
    payload: bytes = field(repr=False)
    error_type: str | None = None  # X-Fc-Error-Type: UnhandledInvocationError, ...
    log: bytes = field(default=b"", repr=False)  # the tail of it goes out as x-fc-log-result if asked for
    headers: Mapping[str, str] = field(default_factory=dict)  # further ones: x-fc-invocation-duration, ...


@dataclass(frozen=True)
class TaskEvent:
    """One change of a task's state."""

    state: TaskState
    at: datetime
    detail: str = ""


@dataclass(frozen=True)
class TaskRecord:
    """One asynchronous task, from its first state to its last."""

    task_id: str
    request_id: str
    target: Target
    state: TaskState
    started: datetime  # when it was accepted
    payload: bytes = field(repr=False)
    ended: datetime | None = None
    retries: int = 0
    instance_id: str = ""
    return_payload: bytes = field(default=b"", repr=False)
    error: str = ""
    destination_status: str = ""
    events: tuple[TaskEvent, ...] = ()


@dataclass(frozen=True)
class AsyncConfig:
    """How a function's asynchronous invocations are treated; the defaults are those of the FC 3.0 SDK's models."""

    max_retry_attempts: int = 3  # maxAsyncRetryAttempts, 0 to 8
    max_event_age: int = 86400  # maxAsyncEventAgeInSeconds, 1 to 604,800
    task: bool = False  # asyncTask (FC 2.0: statefulInvocation): tasks are recorded and their ids unique
    on_success: str | None = None  # the destination's ARN
    on_failure: str | None = None
    created: datetime | None = None  # both are the backend's to set
    modified: datetime | None = None


class Backend(Protocol):
    """Whatever runs functions.

    Every method may be called from any thread, may block, and raises ApiError: `function_not_found` of an unknown
    target, and what else is said below.
    """

    def invoke(self, target: Target, payload: bytes) -> Result:
        """Run a function and return what it ended with, also when it raised. `throttled` if no instance is free."""

    def invoke_async(self, target: Target, payload: bytes, task_id: str | None) -> str:
        """Put an invocation into the function's queue, and return its request id.

        The task id has been checked for its form; None: the backend makes one. `task_exists` of an id that was
        accepted before, where the function's asynchronous tasks are enabled; where they are not, ids mean nothing.
        """

    def tasks(self, target: Target) -> Sequence[TaskRecord]:
        """Return every recorded task, in the order in which they were accepted."""

    def task(self, target: Target, task_id: str) -> TaskRecord:
        """Return one task. `task_not_found`."""

    def stop_task(self, target: Target, task_id: str) -> None:
        """Stop a task: one that waits never runs, one that runs loses its instance. `task_not_found`."""

    def async_config(self, target: Target) -> AsyncConfig:
        """Return what was set. `async_config_not_found` if nothing was."""

    def set_async_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        """Replace what was set, and return it as it is kept now. The numbers have been checked for their range."""


def function_not_found(target: Target) -> ApiError:
    """Return the refusal of an unknown function (FC 3.0 and FC 2.0 error code pages)."""
    if target.service is None:
        return ApiError(404, "FunctionNotFound", f"function '{target.function}' does not exist.")
    message = f"function '{target.function}' does not exist in service '{target.service}'"
    return ApiError(404, "FunctionNotFound", message)


def throttled(message: str = "Request was throttled: the function's concurrency is exhausted.") -> ApiError:
    """Return the refusal of one invocation too many (FC error code pages: 429 ResourceThrottled)."""
    return ApiError(429, "ResourceThrottled", message)


class TaskExistsError(ApiError):
    """The task id was used before: 409 ("Task deduplication" page), under the code that the switch says."""


def task_exists(task_id: str) -> TaskExistsError:
    """Return the refusal of a task id that was used before, as Alibaba Cloud's own FC 2.0 sample reads it."""
    return TaskExistsError(409, "StatefulAsyncInvocationAlreadyExists", f"the async task '{task_id}' already exists")


def task_not_found(task_id: str) -> ApiError:
    """Return the refusal of an unknown task id; the code as in Alibaba Cloud's own FC 2.0 sample."""
    return ApiError(404, "StatefulAsyncInvocationNotFound", f"the async task '{task_id}' does not exist")


def async_config_not_found(target: Target) -> ApiError:
    """Return the refusal where no asynchronous configuration was set (FC error code pages)."""
    owner = target.service or ""
    return ApiError(404, "AsyncConfigNotExists", f"AsyncConfig for {owner}:{target.function} does not exist.")
