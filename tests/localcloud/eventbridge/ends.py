"""How deliveries ended: what a test asks, since the functions themselves cannot know."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tests.localcloud.api import ApiError
from tests.localcloud.smq.service import Smq

End = Literal["delivered", "dead-lettered", "dropped", "blocked"]


def bury(smq: Smq, dead_letters: str, texts: Iterable[str]) -> list[str]:
    """Send what was not delivered to a dead-letter queue; return why it is not there now, where it is not.

    What SMQ does not take (an envelope makes a message of 64 KB larger than that) is lost; a guess, as no page says.
    """
    return [refusal for refusal in (_sent(smq, dead_letters, text) for text in texts) if refusal]


def _sent(smq: Smq, dead_letters: str, text: str) -> str | None:
    try:
        smq.send(dead_letters, text)
    except ApiError as refusal:
        return f"dead-letter queue: {refusal.code}"
    return None


@dataclass(frozen=True)
class Ended:
    """One delivery, after its last attempt."""

    trigger: str  # "function/trigger"
    end: End
    events: tuple[str, ...]  # their ids
    failures: tuple[str, ...]  # of every attempt that failed, in order, and of the way to the dead-letter queue
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
