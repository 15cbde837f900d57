"""What an event asks of the scan: a timer's, or an object with one field, or nothing at all.

A scan has next to no parameters, and what is unknown is refused by its name: a misspelt `DryRun` must not dispatch.
"""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta

import msgspec

from shared import documents
from shared.disclosure import disclosures
from shared.documents import LONGEST_KEY, Json, NotJson, Place, kind
from shared.envelopes import TIMER
from shared.errors import EventError, MalformedEvent, PasswordInEvent, quoted
from shared.expiry import floored
from shared.instants import moment

DRY_RUN = "DryRun"
MOST_SHOWN = 8  # problems that the error about one event names
# Function Compute keeps an asynchronous event for seven days at most: a timer's time that is older is a mistake.
OLDEST = timedelta(days=7)
AHEAD = timedelta(seconds=5)  # how far the timer's clock may be ahead of ours: docs/protocol.md assumes no more

_WHOLE = Place()


class ScanRequest(msgspec.Struct, frozen=True):
    """A scan is asked for, as of an instant."""

    as_of: datetime  # a whole hour: the timer's own, so that a timer's event delivered again asks for the same scan
    dry_run: bool = False
    trigger: str = "direct"


def parse(event: bytes, *, received: datetime) -> ScanRequest | EventError:
    """Return what an event asks for, or what is wrong with it. It never raises, whatever the bytes are."""
    document = documents.read(event) if event.strip() else {}
    if leaks := [str(place) for place in disclosures(document, _WHOLE)]:
        return PasswordInEvent(
            f"There is a password in the event, at {', '.join(leaks[:MOST_SHOWN])}; it was not used."
        )
    if isinstance(document, dict) and TIMER.fits(document):
        return _timer(document, received)
    return _request(document, _WHOLE, floored(received), "direct")


def _timer(document: Json, received: datetime) -> ScanRequest | EventError:
    place, payload = _WHOLE.key(TIMER.carries), document[TIMER.carries]
    if not isinstance(payload, str):
        return _malformed(place, f"expected text, and found {kind(payload)}")
    fired = moment(document[TIMER.time])
    # A timer fires on the hour, and its event may be here before the hour is by our clock: the hour is still its own.
    in_time = fired is not None and received - OLDEST <= fired <= received + AHEAD
    as_of = fired if fired is not None and in_time else received
    inner = documents.read(payload) if payload.strip() else {}
    return _request(inner, place.text(), floored(as_of), TIMER.trigger)


def _request(document: object, place: Place, as_of: datetime, trigger: str) -> ScanRequest | EventError:
    if isinstance(document, NotJson):
        return _malformed(place, f"not JSON: {document.why}")
    if not isinstance(document, dict):
        return _malformed(place, f"expected an object, and found {kind(document)}")
    if unknown := [name for name in document if name != DRY_RUN]:
        return _malformed(place, "; ".join(map(_unknown, unknown[:MOST_SHOWN])))
    dry_run = document.get(DRY_RUN, False)
    if not isinstance(dry_run, bool):
        return _malformed(place, f"field {quoted(DRY_RUN)} must be true or false, and is {kind(dry_run)}")
    return ScanRequest(as_of, dry_run, trigger)


def _unknown(name: str) -> str:
    near = len(name) <= LONGEST_KEY and difflib.get_close_matches(name.casefold(), [DRY_RUN.casefold()], cutoff=0.6)
    advice = f"did you mean {quoted(DRY_RUN)}?" if near else f"a scan has one field, {quoted(DRY_RUN)}"
    return f"field {quoted(name)} is unknown ({advice})"


def _malformed(place: Place, what: str) -> MalformedEvent:
    return MalformedEvent(f"In {place}: {what}.")
