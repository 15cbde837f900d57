"""One instance of a function: a process of its own, and the cloud's end of the line to it.

It serves one request at a time and is frozen in between ("Lifecycle hooks" page). It may be killed at any moment; then
the request that it served has failed, and the next one is served by another.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.localcloud.fc import processes, runtime
from tests.localcloud.fc.frames import Facts, Frames, packed
from tests.localcloud.timeline import Ticket, Timeline

TERMINATION_SECONDS = 2.0  # real ones, from SIGTERM to SIGKILL; how many the real service grants is not documented
START_SECONDS = 60.0  # real ones: an interpreter that takes longer than this to start does not start
_LOOK_SECONDS = 0.1
_REAP_SECONDS = 30.0
_QUIET_SECONDS = 0.25  # where the system does not say what threads do: rest is so long without a word from them
_CHUNK = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class InstanceLostError(Exception):
    """An instance was killed before it could serve."""


class InstanceDefectError(Exception):
    """An instance could not be started; the message has its last words."""


@dataclass(frozen=True)
class Ending:
    """What became of one request."""

    payload: bytes = field(repr=False)
    failed: bool
    log: bytes = field(repr=False)
    seconds: float  # of the cloud's time
    megabytes: int
    alive: bool  # the instance can take another request


@dataclass
class _Sleep:
    """A thread that sleeps: since the instance is at work, an entry of the timeline wakes it."""

    until: datetime
    ticket: Ticket | None = None


@dataclass
class _Request:
    """The request being served."""

    number: int
    began: datetime
    log_from: int
    timeout: float
    answer: tuple[bool, bytes] | None = None
    terminated: float | None = None  # when, by the real clock: it took too long


@dataclass(frozen=True)
class Launch:
    """What a new instance is given."""

    function: str
    runtime: str
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    shift_file: int  # the cloud's time, shared


class Instance:
    """A process that runs a function's code."""

    def __init__(self, launch: Launch, timeline: Timeline) -> None:
        self.id = f"c-{secrets.token_hex(16)}"
        self.function = launch.function
        self.served = 0
        self._timeline = timeline
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        self._frames = Frames()
        self._sleeps: dict[int, _Sleep] = {}
        self._waking: set[int] = set()
        self._request: _Request | None = None
        self._requests = 0
        self._ready = False
        self._last_word = time.monotonic()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._line, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = self._spawned(launch, theirs.fileno())
            except BaseException:
                self._line.close()
                self._log.close()
                raise
        self._line.setblocking(False)  # noqa: FBT003 - socket's own signature

    @property
    def pid(self) -> int:
        """The process id, which is that of its group too."""
        return self._process.pid

    @property
    def at_work(self) -> bool:
        """Tell whether it serves a request."""
        return self._request is not None

    @property
    def alive(self) -> bool:
        """Tell whether the process lives."""
        with self._lock:
            return not processes.has_ended(self._process)

    def start(self) -> None:
        """Wait until the runtime is there; the function's code is not loaded yet."""
        give_up = time.monotonic() + START_SECONDS
        with self._timeline.busy():
            while not self._ready:
                if not self._listen() or time.monotonic() > give_up:
                    if self._was_killed():
                        raise InstanceLostError
                    words = self._written(0).decode(errors="replace")[-500:]
                    msg = f"an instance of {self.function} did not start: {words}"
                    raise InstanceDefectError(msg)

    def serve(self, headers: Mapping[str, str], payload: bytes, timeout: float) -> Ending:
        """Let the function serve a request; wait for the end of it, whatever that is. Called by one who is busy."""
        now = self._timeline.now()
        with self._lock:
            self._requests += 1
            request = _Request(self._requests, now, self._log_size(), timeout)
            self._request = request
            self._thaw()
        limit = self._timeline.after(timeout, lambda: self._take_too_long(request))
        told = {**headers, "x-fc-instance-id": self.id}
        try:
            self._send({"kind": "request", "number": request.number, "headers": told}, payload)
            with self._timeline.waiting():
                ending = self._ended(request)
        finally:
            limit.cancel()
            with self._lock:
                self._freeze()
                self._request = None
        self.served += 1
        return ending

    def _was_killed(self) -> bool:
        with self._lock:
            processes.end(self._process, _REAP_SECONDS)
            return self._process.returncode == -signal.SIGKILL

    def kill(self) -> None:
        """Kill the process as `kill -9` does, at whatever it is doing."""
        with self._lock:
            processes.send_signal(self._process, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process and whatever it started, and give everything back."""
        with self._lock:
            self._forget_sleeps()
            processes.end(self._process, _REAP_SECONDS)
            self._line.close()
            self._log.close()

    def rest(self) -> Hashable | None:
        """Return None while it is at work; while it waits for time to pass, something that changes when it has worked.

        It waits when a thread of it sleeps, none runs, and it has said nothing that was not heard yet.
        """
        with self._lock:
            request = self._request
            if request is None:
                return "frozen" if self._ready else None
            if request.answer or request.terminated or self._waking or not self._sleeps or self._unheard():
                return None
            if processes.OBSERVABLE:
                return processes.at_rest(self.pid)
            return "quiet" if time.monotonic() - self._last_word > _QUIET_SECONDS else None

    def _spawned(self, launch: Launch, line: int) -> subprocess.Popen[bytes]:
        given = [str(line), str(launch.shift_file), launch.runtime]
        with processes.deaf_to_terminals():
            return subprocess.Popen(  # noqa: S603 - this interpreter, and this repository's runtime
                [sys.executable, "-S", "-s", "-B", runtime.__file__, *given],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                cwd=launch.folder,
                env={**launch.environment, "FC_INSTANCE_ID": self.id},
                pass_fds=(line, launch.shift_file),
            )

    def _ended(self, request: _Request) -> Ending:
        """Hear the instance until it has answered or is gone."""
        while self._listen():
            if request.answer is not None:
                failed, payload = request.answer
                return self._ending(request, payload, failed=failed, alive=True)
            if request.terminated is not None and time.monotonic() - request.terminated > TERMINATION_SECONDS:
                self.kill()
        if request.answer is not None:  # it answered, and was killed before it could be frozen
            failed, payload = request.answer
            return self._ending(request, payload, failed=failed, alive=False)
        megabytes = processes.peak_megabytes(self.pid)
        seconds = (self._timeline.now() - request.began).total_seconds()
        if request.terminated is None:
            facts = f"(duration: {round(seconds * 1000)}ms, maxMemoryUsage: {megabytes}MB)"
            message = f"Process exited unexpectedly before completing request {facts}"
        else:
            message = f"Function time out after {request.timeout:g} seconds"
        return self._ending(request, packed_error(message), failed=True, alive=False)

    def _ending(self, request: _Request, payload: bytes, *, failed: bool, alive: bool) -> Ending:
        seconds = (self._timeline.now() - request.began).total_seconds()
        log = self._written(request.log_from)
        return Ending(payload, failed, log, seconds, processes.peak_megabytes(self.pid), alive)

    def _listen(self) -> bool:
        """Hear what the instance has to say, waiting a moment for it; False: it is gone, and all was heard."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            ended = processes.has_ended(self._process)
            selector.select(0 if ended else _LOOK_SECONDS)
        with self._lock:
            try:
                data = self._line.recv(_CHUNK)
            except BlockingIOError:
                return not ended
            except OSError:
                return False
            if not data:
                return False
            self._last_word = time.monotonic()
            try:
                self._frames.feed(data)
                while (frame := self._frames.take()) is not None:
                    self._hear(*frame)
            except (ValueError, TypeError, KeyError, OverflowError):  # not the runtime's words: code found its line
                processes.send_signal(self._process, signal.SIGKILL)
                return False
            return True

    def _hear(self, facts: Facts, payload: bytes) -> None:
        kind, number = facts["kind"], facts.get("number", 0)
        if kind == "ready":
            self._ready = True
        elif kind == "asleep":
            self._sleeps[number] = _Sleep(_EPOCH + timedelta(microseconds=facts["until"]))
            self._watch_sleep(number)
        elif kind == "awake":
            self._waking.discard(number)
            self._forget_sleep(number)
        elif kind == "answer":
            self._hear_answer(number, (facts["failed"], payload))

    def _hear_answer(self, number: int, answer: tuple[bool, bytes]) -> None:
        """Take an answer to the request being served; any other is from a forked child, or to a request long over."""
        request = self._request
        if request is None or request.number != number or request.answer is not None:
            return
        if request.terminated is None:
            request.answer = answer
        else:  # too late; but it has nothing left to clean up
            self.kill()

    def _send(self, facts: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send a frame; one who is gone need not be told."""
        left = memoryview(packed(facts, payload))
        give_up = time.monotonic() + START_SECONDS
        with self._sending, contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_WRITE)
            while left and time.monotonic() < give_up and not processes.has_ended(self._process):
                if selector.select(_LOOK_SECONDS):
                    with contextlib.suppress(BlockingIOError):
                        left = left[self._line.send(left) :]

    def _take_too_long(self, request: _Request) -> None:
        with self._lock:
            if self._request is request and request.answer is None:  # it may have ended just now, and another begun
                request.terminated = time.monotonic()
                processes.send_signal(self._process, signal.SIGTERM)

    def _wake(self, number: int) -> None:
        with self._lock:
            if self._request is None or number not in self._sleeps:
                return
            self._waking.add(number)
        self._send({"kind": "wake", "number": number})

    def _thaw(self) -> None:
        processes.send_group_signal(self._process, signal.SIGCONT)
        for number in self._sleeps:
            self._watch_sleep(number)

    def _freeze(self) -> None:
        """Stop the process and its children: nothing goes on in the background, nor does it hold time up."""
        processes.send_group_signal(self._process, signal.SIGSTOP)
        for sleep in self._sleeps.values():
            if sleep.ticket is not None:
                sleep.ticket.cancel()

    def _watch_sleep(self, number: int) -> None:
        sleep = self._sleeps[number]
        sleep.ticket = self._timeline.at(sleep.until, lambda: self._wake(number))

    def _forget_sleep(self, number: int) -> None:
        sleep = self._sleeps.pop(number, None)
        if sleep is not None and sleep.ticket is not None:
            sleep.ticket.cancel()

    def _forget_sleeps(self) -> None:
        for number in list(self._sleeps):
            self._forget_sleep(number)

    def _unheard(self) -> bool:
        """Tell whether the instance has said something that was not received yet."""
        waiting = fcntl.ioctl(self._line, termios.FIONREAD, struct.pack("i", 0))
        return bool(struct.unpack("i", waiting)[0])

    def _log_size(self) -> int:
        return os.fstat(self._log.fileno()).st_size

    def _written(self, start: int) -> bytes:
        """Return what the instance has written since its log had this size."""
        with self._lock:
            return os.pread(self._log.fileno(), max(0, self._log_size() - start), start)


def packed_error(message: str) -> bytes:
    """Return the error body of a request that has no exception to tell of."""
    return json.dumps({"errorMessage": message}).encode()
