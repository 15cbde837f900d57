"""Everything in this process that could talk, switched on, and what an invocation says by each channel."""

from __future__ import annotations

import http.client
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest  # noqa: TC002 - as tests import it
import urllib3

from tests.wire.leaks import everything_about
from tests.wire.wiretap import Sent, Wiretap

CHANNELS = (
    "answers",
    "exceptions",
    "standard output",
    "standard error",
    "audit lines",
    "log records",
    "warnings",
    "files written",
    "URLs",
    "headers",
    "bodies",
)
TESTS = str(Path(__file__).parents[1])
TALKATIVE = ("darabonba-core", "urllib3", "requests")  # loggers that have seen a request
_WRITING = os.O_WRONLY | os.O_RDWR
_LARGEST = 1 << 20

_opened: list[list[str]] = []  # of each eavesdropper: an audit hook cannot be taken away again


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    if _opened and event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        _opened[-1].append(str(arguments[0]))


sys.addaudithook(_note_opened)


class _Records(logging.Handler):
    """Keeps log records with everything that is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        shown = {name: value for name, value in vars(record).items() if name != "exc_info"}
        self.kept.append(f"{record.getMessage()} {shown!r}")
        if record.exc_info and record.exc_info[1]:
            self.kept.append(everything_about(record.exc_info[1]))


@dataclass(frozen=True)
class Heard:
    """What one invocation said, by channel, and what it raised."""

    said: dict[str, str]
    error: Exception | None
    sent: list[Sent]


class Eavesdropper:
    """Lets invocations happen, and hears them."""

    def __init__(self, console: pytest.CaptureFixture[str], tap: Wiretap, strangers: frozenset[str]) -> None:
        self._console = console
        self._tap = tap
        self._strangers = strangers  # key ids of who else sends: administrators, readers

    def hear(self, invoke: Callable[[], object]) -> Heard:
        """Let an invocation happen, with everything as loud as it can be."""
        self._console.readouterr()
        self._tap.taken()
        answer: object = ""
        error: Exception | None = None
        with _loud() as (records, warned, opened):
            try:
                answer = invoke()
            except Exception as raised:  # noqa: BLE001 - whatever it raises is what is to be looked at
                error = _without_frames_of_tests(raised)
        out, err = self._console.readouterr()
        sent = [each for each in self._tap.taken() if not any(map(each.carries, self._strangers))]
        said = {
            "answers": f"{answer!r}\n{answer}",
            "exceptions": "" if error is None else everything_about(error),
            "standard output": out,
            "standard error": err,
            "audit lines": "\n".join(line for line in out.splitlines() if _is_audit(line)),
            "log records": "\n".join(records.kept),
            "warnings": "\n".join(warnings.formatwarning(w.message, w.category, w.filename, w.lineno) for w in warned),
            "files written": "\n".join(f"{path}\n{_content(path)}" for path in opened),
        }
        for each in sent:
            for channel, text in each.where_no_secret_may_be().items():
                said[channel] = f"{said.get(channel, '')}{text}\n"
        return Heard({channel: said.get(channel, "") for channel in CHANNELS}, error, sent)


@contextmanager
def _loud() -> Iterator[tuple[_Records, list[warnings.WarningMessage], list[str]]]:
    """Switch on what an operator who looks for a fault would switch on, and more."""
    records, opened = _Records(), list[str]()
    root = logging.getLogger()
    level = root.level
    with ExitStack() as undo, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        undo.callback(setattr, http.client.HTTPConnection, "debuglevel", 0)
        http.client.HTTPConnection.debuglevel = 1
        os.environ["DEBUG"] = "sdk"
        undo.callback(os.environ.pop, "DEBUG", None)
        served = logging.getLogger("uvicorn")  # the cloud's own, which happens to run in this process
        undo.callback(setattr, served, "propagate", served.propagate)
        served.propagate = False
        for name in TALKATIVE:
            logger = logging.getLogger(name)
            logger.propagate = True
            logger.setLevel(logging.DEBUG)
        urllib3.add_stderr_logger()
        root.setLevel(logging.DEBUG)
        root.addHandler(records)
        undo.callback(root.setLevel, level)
        undo.callback(root.removeHandler, records)
        undo.callback(logging.getLogger("urllib3").handlers.clear)
        _opened.append(opened)
        undo.callback(_opened.pop)
        assert warned is not None
        yield records, warned, opened


def _without_frames_of_tests(error: Exception) -> Exception:
    """Leave the function's frames only: those of a test hold what the test knows."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(TESTS):
        trace = trace.tb_next
    return error.with_traceback(trace)


def _is_audit(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _content(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_LARGEST).decode("latin-1")
    except OSError:
        return ""  # it is gone already
