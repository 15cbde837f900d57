"""What each part of an event asks for: opening envelopes, and telling requests from alerts.

What an envelope carries is opened until nothing is wrapped around it. What is left is told apart like this:

* Without a CloudEvent around it, it is a request if it can only be meant as one, even a misspelt one; else whatever the
  rules make of it. So a typo in a request is an error, and never an alert that happens to match.
* A CloudEvent says by its `type` what it is, so a rule that knows it comes first. But if its `data` is a complete
  request, that is carried out as it says (`DryRun` included), and the rule only lends its name and its reason; a rule
  that ignores the event is obeyed.

A part that carries a password is read no further. Nothing is passed over in silence: every part ends as a request, as
ignored by a rule that is named, or as a problem. Problems are values: one bad message does not hide the good ones
around it, and an error that was never raised has no frames that hold the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from msgspec.structs import replace

from shared import documents, request
from shared.alerts import Alert, Match, Noise, Rules
from shared.disclosure import disclosures
from shared.documents import Json, NotJson, kind
from shared.envelopes import CLOUD_EVENT, DEAD_LETTERS, DEEPEST, Context, Envelope, recognise
from shared.errors import EventError, MalformedEvent, PasswordInEvent, UnsupportedEvent, quoted
from shared.model import Origin, ResetRequest

BATCH = "Requests"  # a workflow's batch: {"Requests": [request, ...]}
MOST_SHOWN = 8  # keys, rules or passwords that the errors about one part name
MOST_IN_MESSAGE = 1_000  # things that one message may ask for; the 64 KB of a queue's have room for thirty thousand


class Ignored(msgspec.Struct, frozen=True):
    """A part of an event that a rule says to ignore."""

    where: str
    rule: str
    origin: Origin


Finding = ResetRequest | Ignored | EventError


class Reader(msgspec.Struct, frozen=True):
    """Reads the parts of an event, from the outermost in."""

    rules: Rules

    def value(self, value: object, context: Context) -> Iterator[Finding]:
        """Yield what any JSON value asks for."""
        context = replace(context, depth=context.depth + 1)
        if context.depth > DEEPEST or context.dead_letters > DEAD_LETTERS:
            yield _malformed(
                context, f"there are more than {DEAD_LETTERS} dead letters, or {DEEPEST} layers, around this"
            )
        elif isinstance(value, NotJson):
            yield _malformed(context, f"not JSON: {value.why}")
        elif isinstance(value, str):
            yield from self.value(documents.read(value), replace(context, place=context.place.text()))
        elif isinstance(value, list):
            yield from self.messages(value, context)
        elif isinstance(value, dict):
            yield from self.document(value, context)
        else:
            yield _malformed(context, f"expected an object or a list, and found {kind(value)}")

    def messages(self, values: list[object], context: Context) -> Iterator[Finding]:
        """Yield what each message of a list asks for: an event stream's batch, or a list of requests."""
        if not values:
            yield _malformed(context, "the list is empty and asks for nothing")
        for index, value in enumerate(values):
            inner = replace(context, place=context.place.item(index))
            yield from at_most(MOST_IN_MESSAGE, self.value(value, inner), value, inner)

    def document(self, document: Json, context: Context) -> Iterator[Finding]:
        """Yield what an object asks for."""
        envelope = recognise(document)
        if envelope is CLOUD_EVENT:
            yield from self.cloud_event(document, context)
        elif envelope and envelope.carries:
            yield from self.opened(envelope, document, context)
        elif BATCH in document:
            yield from self.batch(document, context)
        else:
            yield from self.bare(document, context.into(envelope, document) if envelope else context)

    def opened(self, envelope: Envelope, document: Json, context: Context) -> Iterator[Finding]:
        """Yield what the text asks for that an envelope carries."""
        problems = _leaks(_without(document, envelope.carries), context)
        if objection := envelope.objection(document, context.within):
            problems.append(_malformed(context, objection))
        yield from problems or self.value(document[envelope.carries], context.into(envelope, document))

    def batch(self, document: Json, context: Context) -> Iterator[Finding]:
        """Yield the requests of a workflow's batch."""
        requests, rest = document[BATCH], _without(document, BATCH)
        if rest:
            also = _malformed(context, f"field {quoted(BATCH)} stands alone, and here are also {_listed(rest)}")
            yield from _leaks(rest, context) or [also]
        elif isinstance(requests, list):
            yield from self.messages(requests, replace(context, place=context.place.key(BATCH)))
        else:
            yield _malformed(context, f"field {quoted(BATCH)} must be a list, and is {kind(requests)}")

    def bare(self, document: Json, context: Context) -> Iterator[Finding]:
        """Yield what a document asks for that nothing is wrapped around."""
        if leaks := _leaks(document, context):
            yield from leaks
        elif request.is_meant(document):
            yield from _requested(document, context)
        elif match := self.rules.match(document):
            yield from _recognised(match, document, context)
        elif request.is_close(document):
            yield from _requested(document, context)
        else:
            yield self.unsupported(document, context)

    def cloud_event(self, event: Json, context: Context) -> Iterator[Finding]:
        """Yield what a CloudEvent asks for: what its data asks for, or what its alert is about."""
        data, inner = _data(event, context.into(CLOUD_EVENT, event))
        if leaks := _leaks(_without(event, CLOUD_EVENT.carries), context):
            yield from leaks
        elif isinstance(data, dict) and _is_wrapped(data):
            yield from self.value(data, inner)
        elif match := self.rules.match({**event, CLOUD_EVENT.carries: data}):
            yield from _leaks(data, inner) or _announced(match, data, inner, replace(inner, place=context.place))
        elif isinstance(data, list):
            yield from self.value(data, inner)
        else:
            yield from _leaks(data, inner) or self.custom(event, data, inner, replace(inner, place=context.place))

    def custom(self, event: Json, data: object, inner: Context, around: Context) -> Iterator[Finding]:
        """Yield what the data of a CloudEvent asks for that no rule recognises."""
        document = data if isinstance(data, dict) else {}
        if request.is_meant(document) or request.is_close(document):
            yield from _requested(document, inner)
        else:
            yield self.unsupported(event, around)

    def unsupported(self, document: Json, context: Context) -> UnsupportedEvent:
        """Return what can be said of a document that nothing recognises."""
        stumbling = self.rules.stumbling(document)
        aside = f" Rules that could not be applied: {_listed(stumbling)}." if stumbling else ""
        happened = f"In {context.place}: no request, and no alert that a rule knows; it has {_traits(document)}."
        return UnsupportedEvent(happened + aside)


def at_most(most: int, findings: Iterable[Finding], part: object, context: Context) -> list[Finding]:
    """Return what a part asks for; if that is more than anybody means, its passwords or one problem instead.

    Each finding costs an audit line and a kilobyte of memory, and its sender two characters: `[0,0,0,0, ...`. But a
    password among them is disclosed, and has to be told.
    """
    found = list(islice(findings, most + 1))
    if len(found) <= most:
        return found
    return [*(_leaks(part, context) or [_malformed(context, f"it asks for more than {most:,} things at once")])]


def _announced(match: Match, data: object, inner: Context, around: Context) -> Iterator[Finding]:
    if isinstance(data, dict) and request.is_complete(data) and not isinstance(match, Noise):
        origin = replace(inner.origin, rule=match.rule)
        yield from _requested(data, replace(inner, reason=match.reason, origin=origin))
    else:
        yield from _recognised(match, data if isinstance(data, dict) else {}, around)


def _recognised(match: Match, said: Json, context: Context) -> Iterator[Finding]:
    """Yield what a rule makes of an alert that says so much of itself."""
    origin = replace(context.origin, rule=match.rule)
    if isinstance(match, Noise):
        yield Ignored(str(context.place), match.rule, origin)
    elif isinstance(match, Alert):
        asked = ResetRequest(match.user, context.since(match.since), match.reason, origins=(origin,))
        yield from _read(request.restricted(asked, said, context), context)
    else:
        happened = f"In {context.place}: alert rule {quoted(match.rule)} recognises this, but {match.why}."
        cure = "Correct the rule in functions/reset_password/rules.json, or the sender."
        yield MalformedEvent(happened, cure=cure)


def _requested(document: Json, context: Context) -> Iterator[Finding]:
    yield from _read(request.read(document, context), context)


def _read(read: ResetRequest | tuple[str, ...], context: Context) -> Iterator[Finding]:
    if isinstance(read, ResetRequest):
        yield read
    else:
        yield from (_malformed(context, complaint) for complaint in read)


def _leaks(document: object, context: Context) -> list[EventError]:
    places = islice(disclosures(document, context.place), MOST_SHOWN)
    return [PasswordInEvent(f"There is a password in the event, at {place}; it was not used.") for place in places]


def _data(event: Json, context: Context) -> tuple[object, Context]:
    """Return a CloudEvent's data: JSON, or text that is JSON (EventBridge's rules can transform it to either)."""
    data = event.get(CLOUD_EVENT.carries)
    read = documents.read(data) if isinstance(data, str) else None
    if isinstance(read, dict | list):
        return read, replace(context, place=context.place.text())
    return data, context


def _is_wrapped(data: Json) -> bool:
    envelope = recognise(data)
    return BATCH in data or (envelope is not None and envelope.carries != "")


def _without(document: Json, key: str) -> Json:
    return {name: value for name, value in document.items() if name != key}


def _malformed(context: Context, what: str) -> MalformedEvent:
    return MalformedEvent(f"In {context.place}: {what}.")


def _traits(document: Json) -> str:
    """Describe a document by its keys, and by what events say of their kind."""
    kinds = [(key, document.get(key)) for key in ("type", "source", "eventName", "name", "product")]
    said = "".join(f", {key} {quoted(value)}" for key, value in kinds if isinstance(value, str))
    return f"the keys {_listed(document)}{said}" if document else "no keys"


def _listed(names: Iterable[str]) -> str:
    shown = [quoted(name) for name in islice(names, MOST_SHOWN + 1)]
    return ", ".join(shown[:MOST_SHOWN]) + (", …" if len(shown) > MOST_SHOWN else "")
