"""What an instance has cost so far, asked of the kernel from outside: the instance takes no part in it.

An instance is stopped as soon as it has answered, so what is read then is what it cost until the answer.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.localcloud.fc.instance import Instance


class GaugeError(Exception):
    """This system does not say what a process costs."""


@dataclass(frozen=True)
class Reading:
    """What a process has used since it was started."""

    cpu: float  # seconds, of the kernel's too, of all its threads, those that have ended included
    peak: float  # MiB of resident memory


def read(instance: Instance) -> Reading:
    """Read an instance that has answered."""
    return Reading(cpu_seconds(instance.pid), peak_mebibytes(instance.pid))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process by its POSIX clock: to the nanosecond, where /proc counts hundredths."""
    clock = ctypes.c_int()
    find = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
    error = find(pid, ctypes.byref(clock)) if find else errno.ENOSYS
    if error:
        msg = f"the system has no CPU clock of process {pid} ({os.strerror(error)}); `make bench` needs Linux"
        raise GaugeError(msg)
    return time.clock_gettime(clock.value)


def peak_mebibytes(pid: int) -> float:
    """Return the most memory that a process has had at once."""
    for line in Path("/proc", str(pid), "status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    msg = f"/proc does not say how much memory process {pid} has had; `make bench` needs Linux"
    raise GaugeError(msg)
