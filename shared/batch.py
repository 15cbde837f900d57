"""All requests of one invocation: different users in parallel, all tried, one error at the end if any failed."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec

from shared.errors import EventError, RotationsFailed, RotatorError, UnexpectedFailure, quoted
from shared.model import Outcome, RequestId, ResetRequest, SecretName, User, VersionId
from shared.ports import Clock

LONGEST = 32_000  # characters of a batch's error: queues and destinations take 128 KB with the event and the stack


class Course(msgspec.Struct):
    """How a request fared, whatever became of it: what took how long, and what is known of whom it was about."""

    took: timedelta = timedelta()
    waited: timedelta = timedelta()  # of that: for another's lease to end, or before something was sent again
    user: User | None = None
    secret: SecretName | None = None
    version: VersionId | None = None  # the last that was tried to be written: KMS may have refused it
    reset_request_id: RequestId | None = None  # of the last reset that CloudSSO acknowledged


class Journal(threading.local):
    """The course of the request that a thread is carrying out. It is the Clock by which that request goes."""

    def __init__(self, clock: Clock) -> None:  # called anew in every thread
        self._clock = clock
        self.course = Course()

    def now(self) -> datetime:
        """See Clock."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        began = self.now()
        self._clock.sleep(seconds)
        self.course.waited += self.now() - began


class Done(msgspec.Struct, frozen=True):
    """A request that was carried out, or needed nothing."""

    request: ResetRequest
    outcome: Outcome
    course: Course = msgspec.field(default_factory=Course)


class Failed(msgspec.Struct, frozen=True):
    """A request that was not."""

    request: ResetRequest
    error: RotatorError
    course: Course = msgspec.field(default_factory=Course)


Result = Done | Failed


def carry_out(
    requests: Sequence[ResetRequest],
    rotate: Callable[[ResetRequest], Outcome],
    max_parallel: int,
    journal: Journal,
    tell: Callable[[Result], None] = lambda _result: None,
) -> tuple[Result, ...]:
    """Return what became of every request, in their order; at most `max_parallel` are under way at once.

    `journal` is the clock of `rotate`. `tell` is given each result as soon as it is known: an invocation that is cut
    off has told what it did.
    """

    def result(request: ResetRequest) -> Result:
        known = _result(rotate, request, journal)
        tell(known)
        return known

    if len(requests) == 1:
        return (result(requests[0]),)
    with ThreadPoolExecutor(max_parallel, thread_name_prefix="rotate") as pool:
        under_way = [pool.submit(result, request) for request in requests]
    return tuple(one.result() for one in under_way)  # which raises what `tell` did, now that all were tried


def raise_failures(results: Iterable[Result], problems: Sequence[EventError]) -> None:
    """Raise once if anything failed, since raising is the only way that a trigger or a queue sees it."""
    results = tuple(results)
    failures = [f"{_asked(result.request)}: {_line(result.error)}" for result in results if isinstance(result, Failed)]
    failures += [_line(problem) for problem in problems]
    if not failures:
        return
    total = len(results) + len(problems)
    errors = [*problems, *(_in_full(result) for result in results if isinstance(result, Failed))]
    if total == 1:
        raise errors[0]  # its own type is what a workflow branches on
    told = " | ".join(failures)
    if len(told) > LONGEST:
        told = f"{told[:LONGEST]}… (the audit lines have the rest)"
    message = f"{len(failures)} of {total} requests failed, the others were carried out. {told}"
    failed = RotationsFailed(message)
    failed.retryable = any(error.retryable for error in errors)
    raise failed


def _result(rotate: Callable[[ResetRequest], Outcome], request: ResetRequest, journal: Journal) -> Result:
    began, course = journal.now(), Course()
    journal.course = course
    try:
        outcome = rotate(request)
    except RotatorError as error:
        failed = error
    except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
        failed = unexpected(error)
    else:
        course.took = journal.now() - began
        return Done(request, outcome, course)
    course.took = journal.now() - began
    failed.__context__ = failed.__cause__ = None
    return Failed(request, failed.with_traceback(None), course)  # frames hold the password that was being rotated


def unexpected(error: Exception) -> UnexpectedFailure:
    """Return all that may be told of a bug: its type and place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return UnexpectedFailure(f"{type(error).__name__} in {place.name}, line {place.lineno}.")


def _asked(request: ResetRequest) -> str:
    return f"user {quoted(request.user)}, reason {request.reason.value}"


def _in_full(result: Failed) -> RotatorError:
    """Return the error with what was asked for: whoever is told of it may have no event and no log at hand."""
    return result.error.asked(f"Asked for: {_asked(result.request)}.")


def _line(error: RotatorError) -> str:
    return f"{error.reason}: {error}"
