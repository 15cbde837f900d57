"""Which instances there are: warm ones are used again, new ones are started up to the limits.

Sources: "Limits" page (300 instances of an account in a region), "Error handling" page (429 beyond them); an instance
of a built-in runtime serves one request at a time, so as many requests run at once as there are instances.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Protocol

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import throttled
from tests.localcloud.fc.instance import Instance

INSTANCES = 300
_CLOSE_SECONDS = 30.0


class Kind(Protocol):
    """What has instances: one deployment of one function."""

    @property
    def limit(self) -> int | None:
        """The most instances at once, if there is such a limit."""

    def spawn(self) -> Instance:
        """Start the process of one more."""


class Pool:
    """The instances of all functions."""

    def __init__(self) -> None:
        self.limit = INSTANCES
        self._changed = threading.Condition()
        self._idle: dict[Kind, list[Instance]] = {}
        self._at_work: dict[Instance, Kind] = {}
        self._starting: Counter[Kind] = Counter()
        self._cold_starts: Counter[Kind] = Counter()
        self._closed = False

    def take(self, kind: Kind) -> Instance:
        """Return an instance for one request, the one that was used last, or a new one; 429 if there may be no more."""
        while True:
            with self._changed:
                if self._closed:
                    raise ApiError(503, "ServiceUnavailable", "The service is about to stop.")
                idle = self._idle.get(kind, [])
                if not idle:
                    self._check_limits(kind)
                    self._starting[kind] += 1
                    break
                instance = idle.pop()
                self._at_work[instance] = kind
            if instance.alive:
                return instance
            self.drop(instance)
        return self._started(kind)

    def give_back(self, instance: Instance) -> None:
        """Keep an instance for the next request."""
        with self._changed:
            kind = self._at_work.pop(instance)
            keep = not self._closed and kind in self._idle and instance.alive
            if keep:
                self._idle[kind].append(instance)
            self._changed.notify_all()
        if not keep:
            instance.end()

    def drop(self, instance: Instance) -> None:
        """End an instance that can serve no more requests."""
        instance.end()
        with self._changed:
            del self._at_work[instance]
            self._changed.notify_all()

    def open(self, kind: Kind) -> None:
        """Let a kind have instances."""
        with self._changed:
            self._idle[kind] = []

    def retire(self, kind: Kind) -> None:
        """End what is idle of a kind; what is at work ends when it is given back."""
        with self._changed:
            idle = self._idle.pop(kind, [])
        for instance in idle:
            instance.end()

    def close(self) -> None:
        """Kill every instance and wait until nobody holds one any more."""
        with self._changed:
            self._closed = True
            kinds = list(self._idle)
        for kind in kinds:
            self.retire(kind)
        give_up = time.monotonic() + _CLOSE_SECONDS
        while True:
            with self._changed:
                left = list(self._at_work)
                if not left and not +self._starting:
                    return
            for instance in left:
                instance.kill()
            with self._changed:
                self._changed.wait(0.05)
            if time.monotonic() > give_up:
                msg = f"{len(left)} instances were not given back within {_CLOSE_SECONDS} s"
                raise RuntimeError(msg)

    def instances(self, kind: Kind | None = None) -> list[Instance]:
        """Return the instances of a kind (of all, if None): those at work first."""
        with self._changed:
            at_work = [instance for instance, its in self._at_work.items() if kind in (None, its)]
            idle = [instance for its, some in self._idle.items() if kind in (None, its) for instance in some]
            return at_work + idle

    def at_work(self) -> list[Instance]:
        """Return the instances that somebody holds."""
        with self._changed:
            return list(self._at_work)

    def cold_starts(self, kind: Kind) -> int:
        """Return how many instances were started so far."""
        with self._changed:
            return self._cold_starts[kind]

    def _check_limits(self, kind: Kind) -> None:
        """Refuse one instance too many."""
        of_kind = self._starting[kind] + sum(its is kind for its in self._at_work.values())
        if kind.limit is not None and of_kind >= kind.limit:
            raise throttled("Reserve resource exhausted: the function's reserved concurrency is in use.")
        idle = sum(len(some) for some in self._idle.values())
        if sum(self._starting.values()) + len(self._at_work) + idle < self.limit:
            return
        if not self._evicted():
            raise throttled("Resource exhausted: the account has as many instances as it may have.")

    def _evicted(self) -> bool:
        """Make room by ending an instance that idles for another function; tell whether there was one."""
        for some in self._idle.values():
            if some:
                some.pop(0).end()
                return True
        return False

    def _started(self, kind: Kind) -> Instance:
        try:
            spawned = kind.spawn()
        except BaseException:
            self._count_started(kind, None)
            raise
        self._count_started(kind, spawned)
        try:
            spawned.start()
        except BaseException:
            self.drop(spawned)
            raise
        return spawned

    def _count_started(self, kind: Kind, spawned: Instance | None) -> None:
        with self._changed:
            self._starting[kind] -= 1
            if spawned is not None:
                self._cold_starts[kind] += 1
                self._at_work[spawned] = kind
            self._changed.notify_all()
