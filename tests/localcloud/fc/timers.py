"""Timer triggers: fired by hand, or as the cloud's clock passes the instants at which they are due.

Source: "Timer triggers" and "Formats of event for different triggers" pages; that the invocation is asynchronous is
inferred. A timer is due for ever, so it is no work that the timeline would skip time for: it fires when time passes
over its instants, whoever lets it pass, once for each of them, and says in triggerTime which one it was.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.cron import Schedule
from tests.localcloud.fc.props import TimerConfig

_LONGEST_WAIT = (
    60.0  # real seconds: the clock tells of shifts, so this bounds nothing but a leap of the host's own clock
)


@dataclass
class _Timer:
    target: Target
    name: str
    config: TimerConfig
    instants: Iterator[datetime]
    due: datetime


class Timers:
    """The timers of one account."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._timers: dict[tuple[str, str], _Timer] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        clock.watch(self._look)

    def deploy(self, target: Target, name: str, config: TimerConfig) -> None:
        """Create a function's timer, in place of an earlier one of this name; its instants count from now."""
        instants = Schedule.parse(config.cron_expression).after(self._clock.now())
        with self._changed:
            self._timers[target.function, name] = _Timer(target, name, config, instants, next(instants))
            self._changed.notify_all()
            if self._thread is None:  # real time passes, too
                self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
                self._thread.start()

    def remove(self, target: Target, name: str) -> None:
        """Remove a function's timer, if there is one."""
        with self._changed:
            self._timers.pop((target.function, name), None)

    def fire(self, function: str, trigger: str) -> str:
        """Fire a timer now; return the request id."""
        timer = self._timers.get((function, trigger))
        if timer is None:
            raise ApiError(404, "TriggerNotFound", f"There is no timer {trigger} of function {function}.")
        if not timer.config.enable:
            raise ApiError(400, "TriggerDisabled", f"The timer {trigger} of function {function} is not enabled.")
        return self._fire(timer, self._clock.now())

    def enter(self, until: datetime) -> None:
        """Enter into the timeline whatever is due until then, each at its own instant, for time to be let pass.

        Time stands meanwhile: what was taken from the timers and is not in the timeline yet is still to come.
        """
        timeline = self._connections.timeline
        with timeline.busy():
            for timer, instant in self._pass(until):
                timeline.at(instant, partial(self._fire, timer, instant))

    def stop(self) -> None:
        """Fire nothing more."""
        with self._changed:
            self._stopping = True
            self._timers.clear()
            self._changed.notify_all()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._look()
            with self._changed:
                if self._stopping:
                    return
                due = [timer.due for timer in self._timers.values()]
                left = (min(due) - self._clock.now()).total_seconds() if due else _LONGEST_WAIT
                self._changed.wait(max(0.0, min(left, _LONGEST_WAIT)))

    def _look(self) -> None:
        """Fire what has become due. Who lets time pass may hold the timeline's lock, so ours is not held meanwhile."""
        self.enter(self._clock.now())

    def _pass(self, now: datetime) -> list[tuple[_Timer, datetime]]:
        passed: list[tuple[_Timer, datetime]] = []
        with self._changed:
            for timer in self._timers.values():
                while timer.due <= now:
                    if timer.config.enable:
                        passed.append((timer, timer.due))
                    timer.due = next(timer.instants)
        return sorted(passed, key=lambda each: each[1])

    def _fire(self, timer: _Timer, instant: datetime) -> str:
        event = {
            "triggerTime": instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "triggerName": timer.name,
            "payload": timer.config.payload,
        }
        return self._connections.backend().invoke_async(timer.target, json.dumps(event).encode(), None)
