"""The Python runtime of one function instance: a process that serves one request at a time until it is ended.

A re-implementation of the documented contract ("Event handlers", "Context", "Lifecycle hooks" pages); what only the
public copy of the official runtime shows is marked "runtime copy". It is run as a script, with the standard library
alone; the function's own folder is all that it finds besides.

    python -S -s -B runtime.py SOCKET SHIFT_FILE RUNTIME

-B: the code is read-only, also to root, who may run this and would write byte code all the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # what this file imports lies in the repository; the function must not find that
    sys.path[0] = str(Path(__file__).resolve().parents[3])

import faulthandler
import importlib
import json
import logging
import os
import queue
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, NoReturn

from tests.localcloud.fc import cloudtime, frames
from tests.localcloud.fc.contexts import Context, context_for

KEPT = frozenset(  # runtime copy
    {
        "FC_FUNC_CODE_PATH",
        "FC_FUNCTION_MEMORY_SIZE",
        "FC_RUNTIME_VERSION",
        "FC_ACCOUNT_ID",
        "FC_FUNCTION_HANDLER",
        "FC_FUNCTION_NAME",
        "FC_SERVICE_NAME",
        "FC_VER_ID",
        "FC_QUALIFIER",
        "FC_REGION",
        "FC_INSTANCE_ID",
        "FC_SNAPSHOT_FLAG",
    }
)
INITIALIZE = "/initialize"  # x-fc-control-path
INVOKE = "/invoke"
LONGEST_RECORD = 32 * 1024  # bytes of one log record ("Limits")
_CALLERS = frozenset({__file__, importlib.__file__})
_TERMINATED = 128 + signal.SIGTERM
FROM_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


class Line(logging.Formatter):
    """One log record as a line: `2026-01-12T02:00:00.000Z <request id> [INFO] text`, in UTC."""

    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of an exception."""
        text = super().format(record)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = f"{stamp}.{int(record.msecs):03d}Z {self.request_id} [{record.levelname}] {text}"
        return line.encode()[:LONGEST_RECORD].decode(errors="ignore")


class Instance:
    """The function's module once it is loaded, and the line to the cloud."""

    def __init__(self, connection: socket.socket, shift: cloudtime.Shift, runtime: str, level: str) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[tuple[frames.Facts, bytes]] = queue.SimpleQueue()
        self._runtime = runtime
        self._sleeps = cloudtime.Sleeps(self.tell, shift)
        self._line = Line()
        cloudtime.install(shift, self._sleeps)
        _log_through(self._line, level)

    def serve(self) -> NoReturn:
        """Take requests, one after the other, for ever; when the cloud is gone, so is the process."""
        threading.Thread(target=self._listen, name="control", daemon=True).start()
        self.tell({"kind": "ready"})
        while True:
            request, payload = self._requests.get()
            answer, failed = self._served(request["headers"], payload)
            _flush()
            self.tell({"kind": "answer", "number": request["number"], "failed": failed}, answer)

    def tell(self, facts: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send the cloud a frame, in one piece."""
        with self._sending:
            self._connection.sendall(frames.packed(facts, payload))

    def _listen(self) -> None:
        arriving = frames.Frames()
        while True:
            try:
                frame = frames.received(self._connection, arriving)
            except OSError:
                frame = None
            if frame is None:
                os._exit(0)  # the cloud is gone
            facts, payload = frame
            if facts["kind"] == "wake":
                self._sleeps.wake(facts["number"])
            else:
                self._requests.put((facts, payload))

    def _served(self, headers: Mapping[str, str], event: bytes) -> tuple[bytes, bool]:
        """Serve one request; return the answer's bytes, and whether they tell of a failure."""
        self._line.request_id = headers["x-fc-request-id"]
        try:
            context = self._prepared(headers)
            if headers["x-fc-control-path"] == INITIALIZE:
                _function(headers["x-fc-function-initializer"])(context)
                return b"", False
            return _encoded(_function(headers["x-fc-function-handler"])(event, context)), False
        except Exception as error:  # noqa: BLE001 - the contract: whatever the function raises; an exit is not caught
            logging.getLogger().error("%s", _described(error))  # noqa: TRY400 - without the frames of this file
            sys.stdout.write(f"request event: {event!r}\n")  # runtime copy
            return _error_body(error), True

    def _prepared(self, headers: Mapping[str, str]) -> Context:
        if self._runtime == "python3.12":  # its context has no credentials; the environment has
            for name, header in _CREDENTIALS.items():
                if headers.get(header):
                    os.environ[name] = headers[header]
        return context_for(self._runtime, headers)


_CREDENTIALS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "x-fc-access-key-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "x-fc-access-key-secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "x-fc-security-token",
}


def _function(handler: str) -> Callable[..., object]:
    """Return what `folder/module.function` (or with dots) names, loading the module at its first use."""
    module, _, name = handler.rpartition(".")
    found: Callable[..., object] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return found


def _encoded(result: object) -> bytes:
    """Return what goes back: text and bytes as they are, anything else as JSON; what JSON cannot say is an error."""
    if isinstance(result, bytes):
        return result
    return (result if isinstance(result, str) else json.dumps(result)).encode()


def _error_body(error: Exception) -> bytes:
    """Return what the "Error handling" page of the Python runtime shows."""
    stack = [
        [f'File "{each.filename}"', f"line {each.lineno}", f"in {each.name}", each.line or ""]
        for each in _own_frames(error)
    ]
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}).encode()


def _own_frames(error: Exception) -> list[traceback.FrameSummary]:
    """Return the frames of the function: those that called it are nobody's business."""
    stack = traceback.extract_tb(error.__traceback__)
    return [
        each for each in stack if each.filename not in _CALLERS and not each.filename.startswith("<frozen importlib")
    ]


def _described(error: Exception) -> str:
    first, *rest = traceback.format_exception_only(type(error), error)
    stack = traceback.format_list(_own_frames(error))
    return "".join(["Traceback (most recent call last):\n", *stack, first, *rest]).rstrip()


def _log_through(line: Line, level: str) -> None:
    """Let everything that is logged go to the standard output, which Function Compute collects."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(line)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as Function Compute ends a function that took too long: every thread's stack goes to the log."""
    sys.stderr.write("The function is terminated. The stacks of its threads:\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    _flush()
    os._exit(_TERMINATED)


def _scrubbed() -> None:
    """Delete what the runtime deletes of the environment, before any function code could see it."""
    for name in [name for name in os.environ if name.startswith("FC_") and name not in KEPT]:
        del os.environ[name]


def _hide_the_repository() -> None:
    """Let the function find its own folder first, and nothing of this repository's."""
    sys.path[0] = os.environ["FC_FUNC_CODE_PATH"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]


def _be_a_group() -> None:
    """Have a group of its own, ended as a whole, and not by a terminal's Ctrl-C; what came before that is dropped.

    Not a session of its own: in that of the cloud, the kernel ends a stopped group whose parent has died.
    """
    os.setpgid(0, 0)
    for number in FROM_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FROM_TERMINALS)
    _listen_to_signals()


def _listen_to_signals() -> None:
    """Take every signal as Python does by itself, whatever started the cloud: nohup lets its children ignore some."""
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main(arguments: list[str]) -> NoReturn:
    """Be an instance."""
    _be_a_group()
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    shift_file = int(arguments[1])
    shift = cloudtime.Shift(shift_file)
    os.close(shift_file)
    level = os.environ.get("FC_SERVER_LOG_LEVEL", "INFO")
    sys.argv[1:] = []
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _scrubbed()
    signal.signal(signal.SIGTERM, _terminated)
    instance = Instance(connection, shift, arguments[2], level)
    _hide_the_repository()
    instance.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
