"""I1 to I5 of docs/protocol.md, as questions that can be asked of a world in which everything is known."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from shared.errors import RotatorError
from shared.model import CURRENT, ResetRequest
from shared.rotation import CLOCK_SKEW
from tests.fakes import FakeDirectory, FakeStore
from tests.protocol.delivery import ALICE, SECRET, Call, Ended


class Violated(AssertionError):
    """An invariant of docs/protocol.md does not hold."""


class Truth(NamedTuple):
    """What no worker can know: whether the current version holds the live password, and since when that is live."""

    current_is_live: bool
    live_since: datetime | None


def truth(store: FakeStore, directory: FakeDirectory) -> Truth:
    """Return what is true now."""
    live = directory.live(ALICE)
    current = store.at(SECRET, CURRENT)
    held = json.loads(current.value.reveal()).get("Password") if current else None
    return Truth(live is not None and held == live.password.reveal(), live.at if live else None)


def check_success(request: ResetRequest, known: Truth | None) -> None:
    """I1: success is only said of a current version that held the live password, set at or after `since`.

    `known` is what was true when the version was published that the success speaks of; of a password that was rotated
    already, when its versions were listed.
    """
    require(known is not None and known.current_is_live, "I1: success while current was not live")
    earliest = request.since - CLOCK_SKEW
    since = known.live_since if known else None
    require(since is not None and since >= earliest, "I1: success with a password from before the event")


def check_live_is_kept(live: str | None, held: Iterable[str]) -> None:
    """I3, staged: at every instant the live password is readable in some version that KMS holds."""
    require(live is None or any(live in value for value in held), "I3: the live password is nowhere")


def check_nothing_is_told(then: Call | Ended) -> None:
    """I4: no password or candidate is in what a delivery returns or raises, nor in a call where nothing masks it."""
    error = then.error if isinstance(then, Ended) else None
    shown = f"{then!r} {error} {error and vars(error)}"
    require("generated-" not in shown and "candidate-" not in shown, "I4: a password is told")


def check_error(error: RotatorError, sent_resets: int) -> None:
    """I5: "was not reset" is only said if this delivery sent no reset that can have taken effect."""
    claims_innocence = "was not reset" in str(error) or "Nothing was changed" in str(error)
    require(not (claims_innocence and sent_resets), f"I5: {error.reason} denies a reset")


def check_end(last: Truth, newest: datetime, *, foreign: bool = False) -> None:
    """I2: redelivery until success ends with the live password, reset since the newest request, in the current one."""
    require(foreign or last.current_is_live, "I2: in the end current is not live")
    since = last.live_since
    require(since is not None and since >= newest - CLOCK_SKEW, "I2: the live password is too old")


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise Violated unless it holds."""
    if not holds:
        raise Violated(what)
