"""All dispatches of a scan: in parallel, the most urgent first, all tried, one error at the end if any failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from shared.batch import unexpected
from shared.errors import DispatchesFailed, RotatorError, quoted
from shared.scan import Due, Fate

LONGEST = 32_000  # characters of the error: destinations of asynchronous invocations take 128 KB with event and stack
LONGEST_LIST = 6_000  # characters of it that name who was dispatched


class Result(msgspec.Struct, frozen=True):
    """What became of one dispatch."""

    due: Due
    fate: Fate
    error: RotatorError | None = None  # of one that failed


def carry_out(
    chosen: Sequence[Due],
    dispatch: Callable[[Due], bool],
    max_parallel: int,
    *,
    in_time: Callable[[], bool],
    tell: Callable[[Result], None] = lambda _result: None,
) -> tuple[Result, ...]:
    """Return what became of every dispatch, in their order; at most `max_parallel` are under way at once.

    None is begun that is not `in_time`. `tell` is given each as soon as it is known, from whichever thread.
    """

    def result(due: Due) -> Result:
        known = _result(dispatch, due) if in_time() else Result(due, Fate.DEFERRED)
        tell(known)
        return known

    with ThreadPoolExecutor(max_parallel, thread_name_prefix="dispatch") as pool:
        return tuple(pool.map(result, chosen))


def raise_failures(results: Iterable[Result]) -> None:
    """Raise once if any dispatch failed, with who was dispatched, who was not, and why."""
    results = tuple(results)
    failures = [(result.due, result.error) for result in results if result.error is not None]
    if not failures:
        return
    told = " | ".join(f"user {quoted(due.user_name)}: {error.reason}: {error}" for due, error in failures)
    handed_on = (result.due for result in results if result.fate in (Fate.DISPATCHED, Fate.ALREADY_DISPATCHED))
    done = ", ".join(quoted(due.user_name) for due in handed_on) or "none"
    message = (
        f"{len(failures)} of {len(results)} dispatches failed. {_cut(told, LONGEST)} "
        f"Dispatched, now or before: {_cut(done, LONGEST_LIST)}."
    )
    failed = DispatchesFailed(message)
    failed.retryable = any(error.retryable for _, error in failures)
    raise failed


def _result(dispatch: Callable[[Due], bool], due: Due) -> Result:
    try:
        return Result(due, Fate.DISPATCHED if dispatch(due) else Fate.ALREADY_DISPATCHED)
    except RotatorError as error:
        failed = error
    except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
        failed = unexpected(error)
    failed.__context__ = failed.__cause__ = None
    return Result(due, Fate.FAILED, failed.with_traceback(None))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… (the audit lines have the rest)"
