"""Ways in which a process can keep a text, for the search for survivors to find; a script that says what was found."""

from __future__ import annotations

import contextvars
import functools
import io
import json
import logging.handlers
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from tests.wire.survivors import survivors

_kept: Any = None
_variable: contextvars.ContextVar[str] = contextvars.ContextVar("kept")
_local = threading.local()


@dataclass
class Holder:
    password: str


class Password:
    """Made to hold one, whatever it holds: it is known by its name."""

    __module__ = "shared.model"


def marked() -> str:
    """Make a marked text that is no constant of any code."""
    digits = secrets.token_hex(8)
    return f"Mk{digits[:7]}!?{digits[7:]}"


def keep(value: Any) -> Callable[[], None]:  # noqa: ANN401 - anything can be kept
    """Keep a value in a module; return what forgets it."""
    globals()["_kept"] = value
    return lambda: globals().update(_kept=None)


def in_thread_local() -> Callable[[], None]:
    _local.value = marked()
    return lambda: delattr(_local, "value")


def in_context_variable() -> Callable[[], None]:
    token = _variable.set(marked())
    return lambda: _variable.reset(token)


def in_closure() -> Callable[[], None]:
    text = marked()
    return keep(lambda: text)


def in_cache() -> Callable[[], None]:
    cached = functools.lru_cache(str)
    cached(marked())
    return keep(cached)


def in_traceback() -> Callable[[], None]:
    try:
        _raise(marked())
    except ValueError as error:
        return keep(error)


def _raise(password: str) -> NoReturn:
    raise ValueError("no" if password else "")


def in_generator() -> Callable[[], None]:
    def waiting(text: str) -> Iterator[int]:
        yield len(text)
        yield len(text)

    started = waiting(marked())
    next(started)
    return keep(started)


def in_frame_of_a_thread() -> Callable[[], None]:
    go_on, begun = threading.Event(), threading.Event()

    def hold(text: str) -> None:
        begun.set()
        go_on.wait()
        len(text)

    thread = threading.Thread(target=hold, args=(marked(),))
    thread.start()
    begun.wait()

    def forget() -> None:
        go_on.set()
        thread.join()

    return forget


def in_log_records() -> Callable[[], None]:
    handler = logging.handlers.MemoryHandler(10)
    handler.emit(logging.LogRecord("x", 10, "x", 1, "it was %s", (marked(),), None))
    return keep(handler)


def in_last_exception() -> Callable[[], None]:
    sys.last_value = ValueError("no")
    return lambda: delattr(sys, "last_value")


WAYS: dict[str, Callable[[], Callable[[], None]]] = {
    "nothing": lambda: keep(None),
    "a module": lambda: keep(marked()),
    "a tuple in a tuple": lambda: keep((1, (2, marked()))),
    "a dictionary in a dictionary": lambda: keep({"a": {"b": marked()}}),
    "a key": lambda: keep({marked(): 1}),
    "a dataclass": lambda: keep(Holder(marked())),
    "bytes": lambda: keep([marked().encode()]),
    "a bytearray": lambda: keep([bytearray(marked().encode())]),
    "a memoryview": lambda: keep([memoryview(marked().encode())]),
    "a buffer": lambda: keep(io.BytesIO(marked().encode())),
    "a text buffer": lambda: keep(io.StringIO(marked())),
    "JSON within a text": lambda: keep([json.dumps({"Password": marked()})]),
    "a partial": lambda: keep(functools.partial(print, marked())),
    "a thread's own": in_thread_local,
    "a context variable": in_context_variable,
    "a closure": in_closure,
    "a cache": in_cache,
    "a traceback": in_traceback,
    "a generator": in_generator,
    "a thread's frame": in_frame_of_a_thread,
    "a log record": in_log_records,
    "an object made to hold one": lambda: keep(Password()),
    "the last exception": in_last_exception,
}


@contextmanager
def kept(way: str) -> Iterator[None]:
    """Keep a marked text for a while."""
    forget = WAYS[way]()
    try:
        yield
    finally:
        forget()


def main() -> None:
    """Say what is found of each way, and what is found once everything is forgotten."""
    told: dict[str, list[str]] = {}
    for way in WAYS:
        with kept(way):
            told[way] = survivors()
    print(json.dumps({**told, "nothing any more": survivors()}))  # noqa: T201 - a script's answer


if __name__ == "__main__":
    main()
