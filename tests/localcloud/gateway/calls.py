"""The log of what was called, for tests that count calls; it never holds a secret value."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.localcloud.gateway.wire import HttpRequest

_SECRET = frozenset({"password", "secretdata", "signature", "securitytoken", "oldpassword", "newpassword"})
_REDACTED = "***"


def redacted(params: Mapping[str, str]) -> dict[str, str]:
    """Copy parameters with every secret value replaced; names are compared in any case."""
    return {name: _REDACTED if name.lower() in _SECRET else value for name, value in params.items()}


@dataclass
class CallRecord:
    """One call: what came in, and what became of it so far."""

    request_id: str
    version: str
    action: str
    params: dict[str, str]
    in_url: tuple[str, ...] = ()  # the names of those that travelled in the URL
    role: str | None = None  # None: the signature was not accepted (yet)
    fault: str | None = None  # the kind of fault that struck
    applied: bool = False  # the service did it
    status: int | None = None  # None: no answer left (yet)
    code: str | None = None  # the error code of the answer, if it is one


class Calls:
    """Every API call since the start or the last clear(), in order of arrival."""

    def __init__(self) -> None:
        self._records: list[CallRecord] = []
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[CallRecord]:
        with self._changed:
            return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def open(self, request: HttpRequest, request_id: str) -> CallRecord:
        """Log a call that has arrived."""
        in_url = tuple(name for name, _ in request.query)
        return self.add(CallRecord(request_id, request.version, request.action, redacted(request.params), in_url))

    def add(self, record: CallRecord) -> CallRecord:
        """Log a call that has arrived, of an API that names its actions otherwise."""
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()
        return record

    def update(self, record: CallRecord, **facts: object) -> None:
        """Note what became of a call."""
        with self._changed:
            for name, value in facts.items():
                setattr(record, name, value)
            self._changed.notify_all()

    def matching(self, action: str | None = None, **facts: object) -> list[CallRecord]:
        """Return the calls of an action (of any, if None) whose fields have these values."""
        with self._changed:
            return [record for record in self._records if _matches(record, action, facts)]

    def count(self, action: str | None = None, **facts: object) -> int:
        """Count the calls that `matching` returns."""
        return len(self.matching(action, **facts))

    def actions(self) -> list[str]:
        """Return the names of the actions called, in order: the shape of a conversation."""
        return [record.action for record in self]

    def wait_for(self, action: str | None = None, *, n: int = 1, seconds: float = 5.0, **facts: object) -> bool:
        """Wait until `n` calls match; tell whether they did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count(action, **facts) >= n, timeout=seconds)

    def clear(self) -> None:
        """Forget every call so far."""
        with self._changed:
            self._records.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return the log as plain values."""
        return [asdict(record) for record in self]


def _matches(record: CallRecord, action: str | None, facts: Mapping[str, Any]) -> bool:
    return action in (None, record.action) and all(getattr(record, name) == value for name, value in facts.items())
