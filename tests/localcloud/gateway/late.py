"""Calls whose connection is gone and whose effect is yet to come."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LateCalls:
    """Effects that wait; each happens once, whether released by hand or by its own timer."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, effect: Callable[[], object]) -> Callable[[], None]:
        """Let an effect wait; the function returned releases it alone."""
        with self._lock:
            self._waiting.append(effect)
        return lambda: self._release(effect)

    def release(self) -> int:
        """Let every waiting effect happen, in order of arrival; return how many there were."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for effect in waiting:
            effect()
        return len(waiting)

    def _release(self, effect: Callable[[], object]) -> None:
        with self._lock:
            if effect not in self._waiting:
                return
            self._waiting.remove(effect)
        effect()
