"""What is due when, by the cloud's clock; where nobody is at work, the waiting is skipped.

Retries, time-outs, batch windows and sleeping functions are entries here. Without skipping, things happen when the
cloud's clock says so. With it, the clock is moved to the earliest entry as soon as nothing could happen before it:
nobody is busy, and every source of work that is watched says it is at rest. So a lease of 100 s costs no real time,
things keep their order, and nobody who is running sees time jump.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.localcloud.api import Clock

_LONGEST_LOOK = 0.02  # between two looks at work that does not say when it comes to rest
_SHORTEST_LOOK = 0.001
_LONGEST_WAIT = 0.5  # an entry that is far off is looked at again so often, should nobody tell of a change
_STOP_SECONDS = 30.0


class TimelineError(Exception):
    """Time did not come to what was expected of it; the message names what is pending."""


@dataclass(eq=False)
class _Hold:
    """Somebody who is busy."""

    worker: bool
    lifted: bool = False
    ended: bool = False


@dataclass(eq=False)
class Ticket:
    """Something that will be done, unless it is cancelled before."""

    due: datetime
    do: Callable[[], object]
    cancelled: bool = False
    started: bool = False

    def cancel(self) -> bool:
        """Let it not be done; tell whether that was in time."""
        self.cancelled = True
        return not self.started

    @property
    def pending(self) -> bool:
        """Tell whether it is still to be done."""
        return not (self.cancelled or self.started)


# What the code that is running holds busy. A task's thread (asyncio.to_thread) holds what the task holds.
_HELD: ContextVar[tuple[_Hold, ...]] = ContextVar("held", default=())


class Timeline:
    """Entries in the order in which they are due, each done in a thread of its own.

    The next entry starts when the one before has ended, or waits (`waiting`): two things that are due at different
    times are never in a race. What was entered first goes first where both are due at the same time.
    """

    def __init__(self, clock: Clock, *, skip: bool = True) -> None:
        self.defects: list[str] = []  # what went wrong in entries: raised by settle(), and by the cloud at its end
        self._clock = clock
        self._skip = skip
        self._entries: list[tuple[datetime, int, Ticket]] = []  # a heap
        self._entered = 0
        self._busy = 0
        self._working = 0  # entries under way that do not wait
        self._waiting = 0
        self._sources: list[Callable[[], bool]] = []
        self._workers: set[threading.Thread] = set()
        self._changes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        clock.watch(self.look)

    @property
    def skips(self) -> bool:
        """Tell whether waiting is skipped."""
        return self._skip

    def now(self) -> datetime:
        """Return the cloud's time."""
        return self._clock.now()

    def at(self, due: datetime, do: Callable[[], object]) -> Ticket:
        """Let something be done once the cloud's time is `due`. Waiting for anything else in it goes into `waiting`."""
        ticket = Ticket(due, do)
        with self._changed:
            if self._stopping:
                ticket.cancelled = True
                return ticket
            self._entered += 1
            heapq.heappush(self._entries, (due, self._entered, ticket))
            self._change()
        return ticket

    def after(self, seconds: float, do: Callable[[], object]) -> Ticket:
        """Let something be done so many seconds from now, by the cloud's time."""
        return self.at(self._clock.now() + timedelta(seconds=seconds), do)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Keep time from being skipped while inside: whoever works is busy, and so is a test that arranges things."""
        with self._holding(worker=False):
            yield

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Be busy no longer while inside, where one waits for a source of work that is itself watched."""
        lifted: list[_Hold] = []
        with self._changed:
            for hold in _HELD.get():
                if not (hold.lifted or hold.ended):
                    hold.lifted = True
                    self._count(hold, -1)
                    lifted.append(hold)
            self._waiting += 1
            self._change()
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                for hold in lifted:
                    hold.lifted = False
                    if not hold.ended:
                        self._count(hold, +1)
                self._change()

    def watch(self, quiet: Callable[[], bool]) -> None:
        """Ask this before each skip: whether a source of work is at rest. It is asked often, and must not block."""
        with self._changed:
            self._sources.append(quiet)

    def look(self) -> None:
        """Look now whether something is due: the clock was moved, or something came to rest."""
        with self._changed:
            self._change()

    def settle(self, seconds: float = 60) -> None:
        """Wait until nothing is due any more and nobody is at work; no longer than so many real seconds."""
        if any(not hold.lifted for hold in _HELD.get()):
            msg = "settle() was called by somebody who is busy: that would wait for ever"
            raise TimelineError(msg)
        give_up = time.monotonic() + seconds
        while not self._settled():
            if self.defects:
                raise TimelineError("; ".join(self.defects))
            if time.monotonic() > give_up:
                msg = f"still at work after {seconds} s: {self.pending()}"
                raise TimelineError(msg)
            with self._changed:
                self._changed.wait(_LONGEST_LOOK)
        if self.defects:
            raise TimelineError("; ".join(self.defects))

    def pending(self) -> str:
        """Say what is still to come, and who is at work."""
        with self._changed:
            now = self._clock.now()
            due = [(each.due - now, _name(each.do)) for _, _, each in sorted(self._entries[:]) if each.pending]
            counts = f"{self._busy} busy, {self._waiting} waiting, {len(due)} due"
        return ", ".join([counts, *(f"{name} in {left.total_seconds():.3f} s" for left, name in due[:20])])

    def start(self) -> None:
        """Let things happen from here on."""
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let nothing more happen; wait for what is under way."""
        with self._changed:
            self._stopping = True
            self._entries.clear()
            self._change()
        give_up = time.monotonic() + _STOP_SECONDS
        for thread in (self._thread, *self._threads()):
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, give_up - time.monotonic()))
                if thread.is_alive():
                    msg = f"{thread.name} did not end within {_STOP_SECONDS} s"
                    raise TimelineError(msg)
        self._thread = None

    def _threads(self) -> list[threading.Thread]:
        with self._changed:
            return list(self._workers)

    def _settled(self) -> bool:
        with self._changed:
            if self._busy or self._waiting or any(each.pending for _, _, each in self._entries):
                return False
            changes = self._changes
        quiet = self._at_rest()
        with self._changed:
            return quiet and changes == self._changes

    def _run(self) -> None:
        look = _SHORTEST_LOOK
        while True:
            with self._changed:
                if self._stopping:
                    return
                ticket = self._first()
                left = (ticket.due - self._clock.now()).total_seconds() if ticket else _LONGEST_WAIT
                if ticket and left <= 0 and not self._working:
                    self._begin(ticket)
                    continue
                skippable = bool(ticket and left > 0 and self._skip and not self._busy)
                changes = self._changes
                if not skippable:
                    self._changed.wait(min(left, _LONGEST_WAIT) if left > 0 else _LONGEST_WAIT)
                    continue
            if ticket and self._at_rest() and self._jump(ticket, changes):
                look = _SHORTEST_LOOK
                continue
            with self._changed:
                if changes == self._changes:
                    self._changed.wait(min(left, look))
                    look = min(2 * look, _LONGEST_LOOK)
                else:
                    look = _SHORTEST_LOOK

    def _first(self) -> Ticket | None:
        while self._entries and self._entries[0][2].cancelled:
            heapq.heappop(self._entries)
        return self._entries[0][2] if self._entries else None

    def _begin(self, ticket: Ticket) -> None:
        heapq.heappop(self._entries)
        ticket.started = True
        hold = _Hold(worker=True)
        self._count(hold, +1)
        worker = threading.Thread(target=self._work, args=(ticket, hold), name=f"due: {_name(ticket.do)}", daemon=True)
        self._workers.add(worker)
        worker.start()

    def _work(self, ticket: Ticket, hold: _Hold) -> None:
        _HELD.set((hold,))
        try:
            ticket.do()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end the test, not this thread
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.defects.append(f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}")
        finally:
            with self._changed:
                self._end(hold)
                self._workers.discard(threading.current_thread())

    def _jump(self, ticket: Ticket, changes: int) -> bool:
        """Move the clock to an entry, if nothing has changed since everything was found at rest."""
        with self._changed:
            if changes != self._changes or self._busy or self._first() is not ticket:
                return False
            left = (ticket.due - self._clock.now()).total_seconds()
            if left > 0:
                self._clock.shift(left)
            return True

    def _at_rest(self) -> bool:
        with self._changed:
            sources = list(self._sources)
        return all(quiet() for quiet in sources)

    @contextlib.contextmanager
    def _holding(self, *, worker: bool) -> Iterator[None]:
        hold = _Hold(worker)
        before = _HELD.get()
        with self._changed:
            self._count(hold, +1)
            self._change()
        _HELD.set((*before, hold))
        try:
            yield
        finally:
            _HELD.set(before)
            with self._changed:
                self._end(hold)

    def _end(self, hold: _Hold) -> None:
        hold.ended = True
        if not hold.lifted:
            self._count(hold, -1)
        self._change()

    def _count(self, hold: _Hold, step: int) -> None:
        self._busy += step
        if hold.worker:
            self._working += step

    def _change(self) -> None:
        self._changes += 1
        self._changed.notify_all()


def _name(do: Callable[[], object]) -> str:
    return str(getattr(do, "__qualname__", type(do).__qualname__))
