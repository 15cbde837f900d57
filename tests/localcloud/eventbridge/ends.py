"""How deliveries ended: what a test asks, since the functions themselves cannot know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

End = Literal["delivered", "dead-lettered", "dropped", "blocked"]


@dataclass(frozen=True)
class Ended:
    """One delivery, after its last attempt."""

    trigger: str  # "function/trigger"
    end: End
    events: tuple[str, ...]  # their ids
    failures: tuple[str, ...]  # of every attempt that failed, in order
    at: datetime


class Ends:
    """Every delivery that has ended, in order."""

    def __init__(self) -> None:
        self._ended: list[Ended] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Ended]:
        with self._lock:
            return iter(list(self._ended))

    def __len__(self) -> int:
        return len(self._ended)

    def add(self, ended: Ended) -> None:
        """Note one."""
        with self._lock:
            self._ended.append(ended)

    def of(self, trigger: str) -> list[Ended]:
        """Return those of one trigger."""
        return [ended for ended in self if ended.trigger == trigger]
