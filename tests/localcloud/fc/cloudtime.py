"""The cloud's time inside an instance: the system's clock plus the cloud's shift, installed before any function code.

Everything that tells the time of day follows the cloud, and `time.sleep` ends when the cloud's clock says so. Monotonic
clocks and the time-outs of sockets and locks stay real. Standard library only: an instance has nothing else.
"""

from __future__ import annotations

import _thread
import datetime as dt
import gc
import mmap
import os
import threading
import time
from collections.abc import Callable
from typing import Any

_real_time_ns = time.time_ns
_real_sleep = time.sleep
SHIFT_BYTES = 8
_LONGEST_SLEEP = (1 << 63) / 1e9  # seconds: what time.sleep() takes


class Shift:
    """How far the cloud's time is ahead, in microseconds, in a file that the cloud and its instances share."""

    def __init__(self, file: int, *, writable: bool = False) -> None:
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._shared = mmap.mmap(file, SHIFT_BYTES, access=access)
        self._number = memoryview(self._shared).cast("q")  # read and written in one piece

    def get(self) -> int:
        """Return the shift."""
        return self._number[0]

    def set(self, microseconds: int) -> None:
        """Change the shift for everybody who shares it."""
        self._number[0] = microseconds

    def close(self) -> None:
        """Share it no longer."""
        self._number.release()
        self._shared.close()


class Sleeps:
    """The threads of an instance that sleep until the cloud wakes them.

    The cloud is told who sleeps until when, and who is awake again: it moves its clock only while nobody runs.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], object], shift: Shift) -> None:
        self._tell = tell
        self._shift = shift
        self._sleeping: dict[int, _thread.LockType] = {}
        self._lock = threading.Lock()
        self._last = 0

    def sleep(self, seconds: float) -> None:
        """Suspend this thread for so many seconds of the cloud's time (time.sleep)."""
        if seconds < 0:
            msg = "sleep length must be non-negative"
            raise ValueError(msg)
        if seconds >= _LONGEST_SLEEP:
            msg = "timestamp too large to convert to C PyTime_t"
            raise OverflowError(msg)
        until = _real_time_ns() // 1000 + self._shift.get() + round(seconds * 1_000_000)
        if seconds == 0:
            _real_sleep(0)
            return
        woken = _thread.allocate_lock()
        woken.acquire()
        with self._lock:
            self._last += 1
            number = self._last
            self._sleeping[number] = woken
        try:
            self._tell({"kind": "asleep", "number": number, "until": until})
            woken.acquire()  # a signal's handler runs meanwhile
        finally:  # also when a handler raises
            with self._lock:
                self._sleeping.pop(number, None)
            self._tell({"kind": "awake", "number": number})

    def wake(self, number: int) -> None:
        """Wake a thread; the cloud says so."""
        with self._lock:
            woken = self._sleeping.pop(number, None)
        if woken is not None:
            woken.release()


def install(shift: Shift, sleeps: Sleeps) -> None:
    """Let this process live in the cloud's time, save for what forks from it."""
    _install_time(shift, sleeps.sleep)
    _install_datetime()
    os.register_at_fork(after_in_child=_slept_really)


def _install_time(shift: Shift, sleep: Callable[[float], None]) -> None:
    def time_ns() -> int:
        return _real_time_ns() + shift.get() * 1000

    def now() -> float:
        return time_ns() / 1_000_000_000

    real: dict[str, Callable[..., Any]] = {name: getattr(time, name) for name in ("gmtime", "localtime", "ctime")}
    real_strftime, real_asctime = time.strftime, time.asctime
    real_gettime, real_gettime_ns = time.clock_gettime, time.clock_gettime_ns

    def told(name: str) -> Callable[..., Any]:
        return lambda seconds=None: real[name](now() if seconds is None else seconds)

    def strftime(form: str, moment: Any = None) -> str:  # noqa: ANN401 - time's own signature
        return real_strftime(form, time.localtime() if moment is None else moment)

    def asctime(moment: Any = None) -> str:  # noqa: ANN401 - time's own signature
        return real_asctime(time.localtime() if moment is None else moment)

    time.time = now
    time.time_ns = time_ns
    time.sleep = sleep  # type: ignore[assignment]  # what only has __index__ is refused
    time.gmtime, time.localtime, time.ctime = told("gmtime"), told("localtime"), told("ctime")
    time.strftime = strftime
    time.asctime = asctime
    time.clock_gettime = lambda clock: now() if clock == time.CLOCK_REALTIME else real_gettime(clock)
    time.clock_gettime_ns = lambda clock: time_ns() if clock == time.CLOCK_REALTIME else real_gettime_ns(clock)


def _install_datetime() -> None:
    """Let datetime.now() and utcnow() ask the `time` module, as today() does already.

    The type itself must stay the one that C code knows (msgspec, sqlite3), so its methods are exchanged where the type
    keeps them; a subclass in its place would be another type.
    """

    def now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[dt.datetime]) -> dt.datetime:
        return cls.fromtimestamp(time.time(), dt.timezone.utc).replace(tzinfo=None)

    import ctypes  # noqa: PLC0415 - only here; function code would find it imported otherwise, but it costs a start

    (methods,) = (each for each in gc.get_referents(dt.datetime.__dict__) if isinstance(each, dict))
    methods["now"] = classmethod(now)
    methods["utcnow"] = classmethod(utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))


def _slept_really() -> None:
    time.sleep = _real_sleep
