"""What an event asks of rotation_status: a page of the picture, one user, or the doctor; as JSON, or as a web page.

A JSON object with known fields, a timer's event that carries one, or a GET through the HTTP trigger. What is unknown is
refused by its name: who misspells `State` must not take everybody for the answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from shared import documents
from shared.disclosure import disclosures
from shared.documents import LONGEST_KEY, Json, NotJson, Place, at, kind
from shared.envelopes import HTTP, TIMER
from shared.errors import EventError, MalformedEvent, PasswordInEvent, UnsupportedEvent, quoted
from shared.status import State

PER_PAGE = 100  # users of a JSON answer
ROWS = 50  # of a web page
LONGEST_SEARCH = 64  # characters: of a user name
MOST_PAGES = 1_000_000
MOST_SHOWN = 8  # problems that the error about one event names

_FIELDS = {"Doctor": "doctor", "UserName": "user_name", "State": "state", "Search": "search", "Page": "page"}
_PARAMETERS = {"state": "state", "q": "search", "page": "page"}  # of the HTTP trigger, besides these:
_HOW = ("view", "format", "fresh")
_PARTS = ("state", "search", "page")  # what picks some out of all who are shown
_WHOLE = Place()


class StatusRequest(msgspec.Struct, frozen=True):
    """What somebody wants to see."""

    doctor: bool = False
    user_name: str | None = None  # only this user
    state: State | None = None  # only users in this state
    search: str = ""  # only users whose name contains this, in any case
    page: int = 1
    html: bool = False  # as a web page
    fresh: bool = True  # read anew, whatever was read a moment ago
    trigger: str = "direct"

    @property
    def per_page(self) -> int:
        """Return how many users make up a page."""
        return ROWS if self.html else PER_PAGE


def is_http(event: bytes) -> bool:
    """Tell whether an event comes from the HTTP trigger, so that whatever is answered is shown by a browser."""
    document = documents.read(event) if event.strip() else {}
    return isinstance(document, dict) and HTTP.fits(document)


def parse(event: bytes) -> StatusRequest | EventError:
    """Return what an event asks for, or what is wrong with it. It never raises, whatever the bytes are."""
    document = documents.read(event) if event.strip() else {}
    if leaks := [str(place) for place in disclosures(document, _WHOLE)]:
        return PasswordInEvent(
            f"There is a password in the event, at {', '.join(leaks[:MOST_SHOWN])}; it was not used."
        )
    if isinstance(document, dict) and HTTP.fits(document):
        return _http(document)
    if isinstance(document, dict) and TIMER.fits(document):
        payload = document[TIMER.carries]
        if not isinstance(payload, str):
            return _malformed(_WHOLE.key(TIMER.carries), f"expected text, and found {kind(payload)}")
        inner = documents.read(payload) if payload.strip() else {}
        return _request(inner, _WHOLE.key(TIMER.carries).text(), TIMER.trigger)
    return _request(document, _WHOLE, "direct")


def _request(document: object, place: Place, trigger: str) -> StatusRequest | EventError:
    if isinstance(document, NotJson):
        return _malformed(place, f"not JSON: {document.why}")
    if not isinstance(document, dict):
        return _malformed(place, f"expected an object, and found {kind(document)}")
    return _read(document, place, _FIELDS, {"trigger": trigger})


def _http(document: Json) -> StatusRequest | EventError:
    method, path = at(document, "requestContext.http.method"), document.get("rawPath")
    if method not in ("GET", "HEAD"):
        message = "The HTTP method is neither GET nor HEAD; this page can only be looked at."
        return UnsupportedEvent(message, cure="Rotations are asked of reset_password.")
    if path not in ("/", "", None):
        return UnsupportedEvent(f"There is no page {quoted(path)}; the only one is /.", cure="Open /.")
    if document.get("body"):  # who sends one wants something done
        message = "The request has a body, and nothing is done here; what is asked for is in the query."
        return UnsupportedEvent(message, cure="Rotations are asked of reset_password.")
    place, given = _WHOLE.key("queryParameters"), document.get("queryParameters") or {}
    if not isinstance(given, dict):
        return _malformed(place, f"expected an object, and found {kind(given)}")
    asked = {name: value for name, value in given.items() if value != ""}  # as a form sends what was left empty
    view, form = asked.pop("view", "status"), asked.pop("format", "html")
    fresh = asked.pop("fresh", None) is not None
    if view not in ("status", "doctor") or form not in ("html", "json"):
        return _malformed(place, "view must be status or doctor, and format html or json")
    page = asked.get("page")
    if isinstance(page, str) and page.isascii() and page.isdigit() and len(page) <= len(str(MOST_PAGES)):
        asked["page"] = int(page)
    more = {"doctor": view == "doctor", "html": form == "html", "fresh": fresh or form == "json"}
    return _read(asked, place, _PARAMETERS, {"trigger": HTTP.trigger, **more}, _HOW)


def _read(
    document: Mapping[str, object],
    place: Place,
    known: Mapping[str, str],
    more: Mapping[str, Any],
    besides: Sequence[str] = (),
) -> StatusRequest | EventError:
    wrong = list(islice(_complaints(document, known, besides), MOST_SHOWN))  # a search for what is near takes its time
    if wrong:
        return _malformed(place, "; ".join(wrong))
    values: dict[str, Any] = {known[name]: value for name, value in document.items()}
    if {**more, **values}.get("doctor") and (parts := [name for name in document if known[name] in _PARTS]):
        return _malformed(place, f"the doctor looks at everybody: {', '.join(map(quoted, parts))} goes without it")
    if "state" in values:
        values["state"] = State(values["state"])
    return StatusRequest(**values, **more)


def _complaints(document: Mapping[str, object], known: Mapping[str, str], besides: Sequence[str]) -> Iterator[str]:
    for name, value in document.items():
        if name not in known:
            yield f"field {quoted(name)} is unknown ({_advice(name, (*besides, *known))})"
        elif problem := _CHECKS[known[name]](value):
            yield f"field {quoted(name)} {problem}"


def _a_flag(value: object) -> str:
    return "" if isinstance(value, bool) else f"must be true or false, and is {kind(value)}"


def _a_name(value: object) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_SEARCH
    return "" if fits else f"must be text of 1 to {LONGEST_SEARCH} characters"


def _a_state(value: object) -> str:
    states = [state.value for state in State]
    return "" if value in states else f"must be one of {', '.join(states)}"


def _a_page(value: object) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_PAGES
    return "" if fits else f"must be a whole number from 1 to {MOST_PAGES}"


_CHECKS = {"doctor": _a_flag, "user_name": _a_name, "state": _a_state, "search": _a_name, "page": _a_page}


def _advice(name: str, known: Sequence[str]) -> str:
    folded = {each.casefold(): each for each in known}
    near = len(name) <= LONGEST_KEY and difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"did you mean {quoted(folded[near[0]])}?" if near else f"known are {', '.join(known)}"


def _malformed(place: Place, what: str) -> MalformedEvent:
    return MalformedEvent(
        f"In {place}: {what}.", unchanged="Nothing was read.", cure="docs/reference.md has what may be asked for."
    )
