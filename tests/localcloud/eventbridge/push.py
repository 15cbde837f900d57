"""One payload on its way to one function, with all its attempts.

Sources: EventBridge "Retry policies and dead-letter queues": BACKOFF_RETRY tries again 3 times, each after a random 10
to 20 s; EXPONENTIAL_DECAY_RETRY 176 times, after 1, 2, 4 ... 512 s, for a day. Topics of SMQ have the same two. The
"EventBridge triggers" page: a synchronous invocation is waited for 5 minutes at most; with an asynchronous one the
payload counts as delivered once Function Compute has accepted it.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.localcloud.api import ApiError
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.fc.backend import Backend, Target
from tests.localcloud.timeline import Timeline

Strategy = Literal["BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"]

LONGEST_ANSWER = 300.0
_BACKOFF_RETRIES = 3
_BACKOFF_SECONDS = (10.0, 20.0)
_DECAY_RETRIES = 176
_LONGEST_DECAY = 512


def delays(strategy: Strategy, source: random.Random) -> Iterator[float]:
    """Yield the seconds before each repetition; where they end, nothing is tried again."""
    if strategy == "BACKOFF_RETRY":
        return (source.uniform(*_BACKOFF_SECONDS) for _ in range(_BACKOFF_RETRIES))
    return (float(min(2**number, _LONGEST_DECAY)) for number in range(_DECAY_RETRIES))


@dataclass(frozen=True)
class Lane:
    """How payloads come to one function: the same for each of them."""

    connections: Connections
    target: Target
    asynchronous: bool
    strategy: Strategy

    @property
    def timeline(self) -> Timeline:
        """When attempts are made."""
        return self.connections.timeline

    @property
    def backend(self) -> Backend:
        """What runs the function."""
        return self.connections.backend()


@dataclass
class Push:
    """One payload; `done` is told once how it ended: None, or why the last attempt failed."""

    lane: Lane
    payload: bytes = field(repr=False)
    done: Callable[[str | None], object] = field(repr=False)
    failures: list[str] = field(default_factory=list)
    _attempts: Iterator[int] = field(default_factory=itertools.count, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _current: int = -1

    def __post_init__(self) -> None:
        """Draw no delay before it is needed."""
        self._delays = delays(self.lane.strategy, self.lane.connections.source)

    def start(self) -> None:
        """Let the first attempt be made, by the timeline and not by the caller."""
        self.lane.timeline.after(0, self._attempt)

    def _attempt(self) -> None:
        attempt = self._current = next(self._attempts)
        if self.lane.asynchronous:
            self._end(attempt, self._hand_over())
            return
        limit = self.lane.timeline.after(LONGEST_ANSWER, lambda: self._end(attempt, "no answer within 5 minutes"))
        failure = self._invoke()
        limit.cancel()
        self._end(attempt, failure)

    def _hand_over(self) -> str | None:
        try:
            self.lane.backend.invoke_async(self.lane.target, self.payload, None)
        except ApiError as refusal:
            return refusal.code
        return None

    def _invoke(self) -> str | None:
        try:
            return self.lane.backend.invoke(self.lane.target, self.payload).error_type
        except ApiError as refusal:
            return refusal.code

    def _end(self, attempt: int, failure: str | None) -> None:
        """End an attempt once: an answer after the limit changes nothing."""
        with self._lock:
            if attempt != self._current:
                return
            self._current = -1
            delay = next(self._delays, None) if failure else None
            if failure:
                self.failures.append(failure)
        if delay is None:
            self.done(failure)
        else:
            self.lane.timeline.after(delay, self._attempt)
