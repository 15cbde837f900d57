"""Faults on demand: which call they strike, and what they are. What each one does to a call is in effects.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "throttle",  # not applied; the service's throttling code, with x-acs-retry-after if retry_after_ms is given
    "error",  # not applied; any status and code
    "latency",  # applied at once, answered `seconds` after it came
    "drop-before",  # not applied; the connection is dropped without an answer
    "drop-after",  # applied; the connection is dropped without an answer
    "late",  # dropped without an answer; applied at release_late(), or after `seconds` if they are given
    "cut",  # applied; the connection is dropped after `keep` bytes of the answer's body (half of it by default)
    "garbage",  # applied; answered with `body`, or with the first `keep` bytes of the real one, under `status` (200)
    "refuse-garbage",  # not applied; `body` (an HTML page) under `status` (502)
    "hang",  # applied or not, as `applied` says; no answer until the client or the cloud gives up
    "redirect",  # not applied; `status` (307) to `location`
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Hook = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """What shall happen, to the nth up to the nth+count-1 call of an action, counted from when it is armed."""

    action: str  # "*" for every action
    kind: Kind
    nth: int = 1
    count: int = 1
    seconds: float = 0.0
    status: int | None = None
    code: str | None = None
    message: str = "A fault was asked for."
    retry_after_ms: int | None = None
    body: bytes | None = None
    keep: int | None = None
    content_type: str | None = None
    location: str | None = None
    applied: bool = True
    where: Mapping[str, str] = field(default_factory=dict)  # only calls with these parameters are counted and struck

    def __post_init__(self) -> None:
        for holds, problem in _rules(self):
            if not holds:
                msg = f"fault {self.kind!r} on {self.action!r}: {problem}"
                raise ValueError(msg)


def _rules(fault: Fault) -> list[tuple[bool, str]]:
    return [
        (fault.kind in KINDS, f"kind is one of {', '.join(KINDS)}"),
        (fault.nth >= 1 and fault.count >= 1, "nth and count start at 1"),
        (fault.seconds >= 0, "seconds are not negative"),
        (fault.kind != "error" or bool(fault.status and fault.code), "an error needs status and code"),
        (fault.kind != "redirect" or bool(fault.location), "a redirect needs a location"),
        (fault.kind != "garbage" or (fault.body is None) != (fault.keep is None), "garbage needs either body or keep"),
    ]


@dataclass(eq=False)
class Armed:
    """A fault or hook that waits for its calls; `struck` says how often it has fired."""

    action: str
    nth: int
    count: int
    where: Mapping[str, str]
    fault: Fault | None = None
    before: Hook | None = None
    after: Hook | None = None
    seen: int = 0
    struck: int = 0

    def strikes(self, action: str, params: Mapping[str, str]) -> bool:
        """Count a call, and tell whether this is one to strike."""
        if self.action not in ("*", action) or any(params.get(name) != value for name, value in self.where.items()):
            return False
        self.seen += 1
        hit = self.nth <= self.seen < self.nth + self.count
        self.struck += hit
        return hit


@dataclass(frozen=True)
class Strike:
    """What strikes one call: at most one fault, the one armed first, and any number of hooks."""

    fault: Fault | None
    before: list[Hook]
    after: list[Hook]


class Faults:
    """What is armed. Only calls with a good signature are counted: authentication comes first."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> Armed:
        """Arm a fault; it starts to count calls now."""
        return self._add(Armed(fault.action, fault.nth, fault.count, fault.where, fault=fault))

    def before(
        self, action: str, hook: Hook, *, nth: int = 1, count: int = 1, where: Mapping[str, str] | None = None
    ) -> Armed:
        """Call `hook` before the action is applied; it runs in a thread of its own and may call the cloud itself."""
        return self._add(Armed(action, nth, count, where or {}, before=hook))

    def after(
        self, action: str, hook: Hook, *, nth: int = 1, count: int = 1, where: Mapping[str, str] | None = None
    ) -> Armed:
        """Call `hook` after the action was applied and before its answer leaves; otherwise as `before`."""
        return self._add(Armed(action, nth, count, where or {}, after=hook))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def take(self, action: str, params: Mapping[str, str]) -> Strike:
        """Count a call against everything armed, and return what strikes it."""
        with self._lock:
            struck = [armed for armed in self._armed if armed.strikes(action, params)]
        return Strike(
            fault=next((armed.fault for armed in struck if armed.fault), None),
            before=[armed.before for armed in struck if armed.before],
            after=[armed.after for armed in struck if armed.after],
        )

    def _add(self, armed: Armed) -> Armed:
        with self._lock:
            self._armed.append(armed)
        return armed
