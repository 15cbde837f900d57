"""That a request is fresh: its timestamp near the gateway's time, its nonce never seen within that window.

The gateway has two times: that of clients outside, and the cloud's own, which a test may shift and functions live by.

Source: "Common parameters" page: a timestamp is good for 15 minutes, a nonce may be used once. Codes marked "gateway"
are general knowledge of Alibaba Cloud's API gateway.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timezone

from tests.localcloud.api import ApiError

WINDOW_SECONDS = 15 * 60


class Freshness:
    """Remembers a nonce exactly as long as its timestamp would still be accepted."""

    def __init__(self, *clocks: Callable[[], float]) -> None:
        self._clocks = clocks
        self._seen: set[tuple[str, str]] = set()
        self._forget_at: list[tuple[float, tuple[str, str]]] = []  # a heap

    def __len__(self) -> int:
        return len(self._seen)

    def check_time(self, stamp: str) -> None:
        """Refuse a timestamp that is absent, unreadable, or off by more than the window."""
        if not stamp:
            message = 'The input parameter "Timestamp" that is mandatory for processing this request is not supplied.'
            raise ApiError(400, "IllegalTimestamp", message)  # KMS: common error codes
        if not self.is_near(_seconds(stamp)):
            raise ApiError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")  # gateway

    def is_near(self, seconds: float) -> bool:
        """Tell whether a time is within the window of any of the clocks."""
        return any(abs(now() - seconds) <= WINDOW_SECONDS for now in self._clocks)

    def use(self, access_key_id: str, nonce: str, stamp: str) -> None:
        """Use a nonce up, or refuse one that was used before."""
        self._forget_old()
        if not nonce:
            raise ApiError(400, "IncompleteSignature", "The signature nonce is missing.")
        if (access_key_id, nonce) in self._seen:
            raise ApiError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")  # gateway
        self._seen.add((access_key_id, nonce))
        heapq.heappush(self._forget_at, (_seconds(stamp) + WINDOW_SECONDS, (access_key_id, nonce)))

    def _forget_old(self) -> None:
        past = min(now() for now in self._clocks)
        while self._forget_at and self._forget_at[0][0] < past:
            self._seen.discard(heapq.heappop(self._forget_at)[1])


def _seconds(stamp: str) -> float:
    try:
        return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        message = "Specified time stamp or date value is not well formatted."
        raise ApiError(400, "InvalidTimeStamp.Format", message) from None  # gateway
