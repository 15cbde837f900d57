"""What the operating system says of a process: whether it has ended, and whether all of its threads are at rest."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

from tests.localcloud.fc.runtime import FROM_TERMINALS

PROC = Path("/proc")
OBSERVABLE = (PROC / "self" / "task").is_dir()

_ASLEEP = "S"
_FACTS = ("State:", "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")

Rest = frozenset[tuple[str, ...]]


def at_rest(pid: int) -> Rest | None:
    """Return how often each thread has been scheduled so far, or None if one of them runs, or is about to.

    Whoever asks twice and is told the same knows that none has run in between. A thread whose wait is over is no longer
    asleep in the kernel's eyes, long before it gets to run.
    """
    threads: set[tuple[str, ...]] = set()
    try:
        for thread in os.listdir(PROC / str(pid) / "task"):  # noqa: PTH208 - called often; no paths are wanted
            state, *switches = _facts((PROC / str(pid) / "task" / thread / "status").read_text(encoding="ascii"))
            if state != _ASLEEP:
                return None
            threads.add((thread, *switches))
    except (OSError, ValueError):
        return None  # a thread or the process has just ended
    return frozenset(threads)


def _facts(status: str) -> list[str]:
    found = [line.split()[1] for line in status.splitlines() if line.startswith(_FACTS)]
    if not found:
        msg = "no state"
        raise ValueError(msg)
    return found


def peak_megabytes(pid: int) -> int:
    """Return the most memory that a process has had, 0 if nobody says."""
    try:
        lines = (PROC / str(pid) / "status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


def has_ended(process: Popen[bytes]) -> bool:
    """Tell whether a process has ended. It is not reaped: until then its number is nobody else's."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def send_signal(process: Popen[bytes], number: signal.Signals) -> None:
    """Send a process that was not reaped yet a signal."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def send_group_signal(process: Popen[bytes], number: signal.Signals) -> None:
    """Send a process that was not reaped yet, and its children, a signal."""
    send_signal(process, number)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no group: it ended before it made one
            os.killpg(process.pid, number)


def end(process: Popen[bytes], seconds: float) -> None:
    """Kill a process and its group, whatever state they are in, and reap it."""
    send_group_signal(process, signal.SIGKILL)
    process.wait(seconds)


@contextlib.contextmanager
def deaf_to_terminals() -> Iterator[None]:
    """Let a process that is started here not hear a terminal's Ctrl-C and the like, before it has its own group."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
