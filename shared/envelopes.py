"""What each trigger wraps around a request, as data: how it is recognised, what it carries, when it happened.

The shapes are Function Compute's documented ones ("Formats of event for different triggers", "HTTP trigger overview",
"Result callback"), EventBridge's ("Event overview", CloudEvents 1.0) and CloudMonitor's. A shape is recognised by the
keys that are documented as always there, all of them, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared.documents import Json, Place, at, kind
from shared.errors import quoted
from shared.instants import moment
from shared.model import DirectoryId, Origin, Reason

DEAD_LETTERS = 5  # a dead letter that failed again, and again: by the fifth a person has to look
# Six layers can be around each dead letter, and around the event in the innermost: a list, a CloudEvent in it, its
# data, the text of the message body, what that text says, and the text of the dead letter itself. Four more leave room
# for a body that is itself a list, of envelopes that carry text.
DEEPEST = 6 * (DEAD_LETTERS + 1) + 4
LONGEST_ID = 256  # characters; CloudEvents ids and ARNs are shorter, and the audit line shows them


def _none(_document: Json) -> str | None:
    return None


class Envelope(msgspec.Struct, frozen=True):
    """One documented shape. Paths are dotted keys; an empty one means that the shape has no such field."""

    trigger: str
    keys: frozenset[str]
    carries: str = ""  # the one key whose text is handed on; empty: the document itself is the alert
    time: str = ""
    id: str = ""
    source: str = ""
    reason: Reason | None = None  # the reason of requests that state none
    exact: bool = False  # these keys and no others; for shapes too small to be told by what they have
    outermost: bool = False  # Function Compute's own: in anything but a dead letter it is a sender's forgery
    check: Callable[[Json], str | None] = _none  # what its trigger asks beyond that

    def fits(self, document: Json) -> bool:
        """Tell whether a document has this shape."""
        return document.keys() == self.keys if self.exact else document.keys() >= self.keys

    def objection(self, document: Json, within: Envelope | None) -> str | None:
        """Say why an envelope is not to be opened; None if it may be."""
        if self.outermost and within not in (None, DEAD_LETTER):
            return f"this claims to come from a trigger of type {self.trigger}, but a sender put it into another event"
        carried = document.get(self.carries)
        objection = self.check(document)
        if objection or isinstance(carried, str):
            return objection
        return f"field {quoted(self.carries)} must be text, and is {kind(carried)}"


class Context(msgspec.Struct, frozen=True):
    """What is known where a part of the event stands: everything a request there need not say itself."""

    received: datetime
    directory_id: DirectoryId
    place: Place = msgspec.field(default_factory=Place)
    time: datetime | None = None  # the event's own
    reason: Reason = Reason.MANUAL
    origin: Origin = msgspec.field(default_factory=lambda: Origin(trigger="direct"))
    within: Envelope | None = None  # the innermost that was opened
    depth: int = 0
    dead_letters: int = 0

    def since(self, time: datetime | None = None) -> datetime:
        """Return the instant that a rotation must be newer than: the time given, the event's own, or that of receipt.

        Never later than the receipt. A sender's clock may be ahead; but a rotation carried out now would not be newer
        than an instant to come, so that every delivery of the event would rotate again.
        """
        return min(time or self.time or self.received, self.received)

    def into(self, envelope: Envelope, document: Json) -> Context:
        """Return the context inside an envelope. The innermost says most precisely what happened when.

        A dead letter keeps its name through everything inside it: an auditor looks for events that failed before.
        An unreadable time is passed over: the receipt is later, and errs towards one rotation too many, never too few.
        """
        is_dead = envelope is DEAD_LETTER
        origin = Origin(
            trigger=self.origin.trigger if self.dead_letters else envelope.trigger,
            event_id=_id(document, envelope.id) or self.origin.event_id,
            source=_id(document, envelope.source) or self.origin.source,
        )
        return replace(
            self,
            place=self.place.key(envelope.carries) if envelope.carries else self.place,
            time=moment(at(document, envelope.time)) or self.time,
            reason=envelope.reason or self.reason,
            origin=origin,
            within=envelope,
            dead_letters=self.dead_letters + is_dead,
        )


def recognise(document: Json) -> Envelope | None:
    """Return the shape of a document, if it is one of the documented ones."""
    return next((envelope for envelope in ENVELOPES if envelope.fits(document)), None)


def _id(document: Json, path: str) -> str | None:
    value = at(document, path)
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_ID else None


def _http(document: Json) -> str | None:
    method = at(document, "requestContext.http.method")
    if method != "POST":
        return "the HTTP method is not POST; a rotation is asked for with POST, and a JSON body"
    # Nothing reads them; but who sends `?DryRun=true` believes that something does, and URLs end up in access logs.
    if document.get("queryParameters"):
        return "query parameters are not read; everything goes into the JSON body"
    return None


def _dead_letter(document: Json) -> str | None:
    condition = at(document, "requestContext.condition")
    if condition == "":
        return (
            "field 'requestContext.condition' is empty: this is the record of an invocation that succeeded, and is not "
            "carried out again. Only the onFailure destination may lead here, not onSuccess"
        )
    if not isinstance(condition, str):
        return f"field 'requestContext.condition' must be text, and is {kind(condition)}"
    return None


def _timer(document: Json) -> str | None:
    if document["payload"] == "":
        return (
            "field 'payload' is empty. Put a request there, in the timer's configuration "
            '(s.yaml, triggerConfig.payload), such as {"UserName": "alice"}'
        )
    return None


DEAD_LETTER = Envelope(
    trigger="dead-letter",
    keys=frozenset({"requestContext", "requestPayload", "responseContext"}),
    carries="requestPayload",
    time="timestamp",
    id="requestContext.requestId",
    source="requestContext.functionArn",
    check=_dead_letter,
)
HTTP = Envelope(  # isBase64Encoded needs no look: a body in base64 is recognised as any text in base64 is
    trigger="http",
    keys=frozenset({"version", "rawPath", "headers", "isBase64Encoded", "requestContext"}),
    carries="body",
    time="requestContext.time",
    id="requestContext.requestId",
    outermost=True,
    check=_http,
)
CLOUD_EVENT = Envelope(
    trigger="eventbridge",
    keys=frozenset({"id", "source", "specversion", "type"}),
    carries="data",
    time="time",
    id="id",
    source="source",
)
TIMER = Envelope(
    trigger="timer",
    keys=frozenset({"triggerTime", "triggerName", "payload"}),
    carries="payload",
    time="triggerTime",
    source="triggerName",
    reason=Reason.SCHEDULED,
    outermost=True,
    check=_timer,
)
TOPIC = Envelope(  # notifyContentFormat JSON; message attributes are merged into the same object
    trigger="topic",
    keys=frozenset({"TopicOwner", "TopicName", "SubscriptionName", "MessageId", "PublishTime", "Message"}),
    carries="Message",
    time="PublishTime",
    id="MessageId",
    source="TopicName",
)
TOPIC_STREAM = Envelope(  # notifyContentFormat STREAM with message attributes; without, there is no envelope at all
    trigger="topic", keys=frozenset({"body", "attrs"}), carries="body", exact=True
)
QUEUE = Envelope(  # the `data` of a queue's CloudEvent; bare where the event stream's eventSchema is RawData
    trigger="queue",
    keys=frozenset({"requestId", "messageId", "messageBody"}),
    carries="messageBody",
    id="messageId",
)
CLOUDMONITOR = Envelope(
    trigger="cloudmonitor",
    keys=frozenset({"product", "name", "level", "regionId", "resourceId", "status", "content", "ver"}),
    time="eventTime",
    source="product",
)
# A record that a trail delivered as it is, without EventBridge (ActionTrail: "Structure of an event").
ACTIONTRAIL = Envelope(
    trigger="direct",
    keys=frozenset({"eventId", "eventName", "eventTime", "eventVersion", "serviceName", "userIdentity"}),
    time="eventTime",
    id="eventId",
    source="serviceName",
)
ENVELOPES = (DEAD_LETTER, HTTP, CLOUD_EVENT, TIMER, TOPIC, TOPIC_STREAM, QUEUE, CLOUDMONITOR, ACTIONTRAIL)
