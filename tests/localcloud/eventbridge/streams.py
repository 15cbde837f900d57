"""An event stream: from a queue to a function, in batches, and no message deleted before it is done with.

Sources: EventBridge "Event streams" and "Retry policies and dead-letter queues"; the fc3 component's documentation of
eventbridge triggers; the SDK's RunOptions and DeliveryOption. A batch leaves when it has CountBasedWindow messages, or
TimeBasedWindow seconds after its first. It fails as a whole. After the last retry, with errorsTolerance ALL, its events
go into the dead-letter queue, or are dropped where there is none; with NONE the stream blocks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.localcloud.api import Json
from tests.localcloud.eventbridge import events
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.ends import End, Ended, Ends, bury
from tests.localcloud.eventbridge.patterns import Pattern
from tests.localcloud.eventbridge.push import Lane, Push
from tests.localcloud.smq.queues import Queue, Receipt
from tests.localcloud.timeline import Ticket


@dataclass(frozen=True)
class Shape:
    """What a stream makes of messages."""

    pattern: Pattern
    origin: events.Origin
    bus: str  # what its events call the bus, and the source
    base64: bool  # IsBase64Decode
    raw: bool  # eventSchema RawData: each element is the event's data only
    array: bool  # event-streaming: an array, of one element too; event-driven: the event itself


@dataclass(frozen=True)
class Terms:
    """When a stream delivers, and what it does about failure."""

    count: int
    seconds: int
    slots: int  # batches on their way at once
    tolerant: bool  # errorsTolerance ALL
    dead_letters: str | None = None  # the queue's ARN


@dataclass
class _Batch:
    """Messages that are hidden in the queue, and the events made of those that the pattern is about."""

    receipts: list[Receipt]
    events: list[Json]


@dataclass
class _Window:
    """The batch that is being filled."""

    receipts: list[Receipt] = field(default_factory=list)
    closed: bool = False
    ticket: Ticket | None = None


class Stream:
    """One stream; it begins with what is in the queue."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a stream consists of
        self,
        name: str,
        queue: Queue,
        lane: Callable[[], Lane],
        shape: Shape,
        terms: Callable[[], Terms],
        connections: Connections,
        ends: Ends,
    ) -> None:
        self.name = name
        self.blocked: _Batch | None = None
        self._queue = queue
        self._lane = lane
        self._shape = shape
        self._terms = terms
        self._connections = connections
        self._ends = ends
        self._window = _Window()
        self._under_way = 0
        self._stopped = False
        self._lock = threading.RLock()

    def start(self) -> None:
        """Begin to deliver."""
        self._queue.watch(self._look)
        self._look()

    def stop(self) -> None:
        """Take nothing more from the queue, and give back what waits; what is under way ends as it ends."""
        with self._lock:
            self._stopped = True
            waiting, self._window = self._window.receipts, _Window()
            blocked, self.blocked = self.blocked, None
        self._release([*(blocked.receipts if blocked else ()), *waiting])

    def resume(self) -> None:
        """Go on after a failure that blocked the stream: with the batch that failed."""
        with self._lock:
            batch, self.blocked = self.blocked, None
            self._under_way += batch is not None
        if batch:
            self._push(batch)

    def _look(self) -> None:
        """Take what is visible, and deliver what is ready, as far as there are slots."""
        terms = self._terms()
        ready: list[_Batch] = []
        with self._lock:
            while self._fill(terms) and self._under_way < terms.slots:
                receipts, self._window = self._window.receipts, _Window()
                self._under_way += 1
                ready.append(self._batch(receipts))
        for batch in ready:
            if batch.events:
                self._push(batch)
            else:
                self._end(batch, "delivered", [])

    def _fill(self, terms: Terms) -> bool:
        """Fill the window; tell whether it is to be delivered."""
        if self._stopped or self.blocked:
            return False
        window = self._window
        was_empty = not window.receipts
        window.receipts += self._queue.receive(terms.count - len(window.receipts), visibility=None)
        if was_empty and window.receipts:
            window.closed = terms.seconds == 0
            window.ticket = self._connections.timeline.after(terms.seconds, lambda: self._close(window))
        if len(window.receipts) < terms.count and not (window.closed and window.receipts):
            return False
        if window.ticket:
            window.ticket.cancel()
        return True

    def _close(self, window: _Window) -> None:
        with self._lock:
            window.closed = True
        self._look()

    def _batch(self, receipts: list[Receipt]) -> _Batch:
        made = [self._event(receipt) for receipt in receipts]
        return _Batch(receipts, [event for event in made if self._shape.pattern.matches(event)])

    def _event(self, receipt: Receipt) -> Json:
        body = receipt.message.body
        if self._shape.base64:
            body = events.decoded(body, mangle=self._connections.switches().undecodable_body == "mangled")
        return events.of_message(receipt.message, self._queue.name, self._shape.bus, self._shape.origin, body)

    def _push(self, batch: _Batch) -> None:
        elements = [event["data"] if self._shape.raw else event for event in batch.events]
        document = elements if self._shape.array else elements[0]
        push = Push(self._lane(), _json(document).encode(), lambda failure: self._done(batch, push, failure))
        push.start()

    def _done(self, batch: _Batch, push: Push, failure: str | None) -> None:
        terms = self._terms()
        if failure is None:
            self._end(batch, "delivered", push.failures)
        elif not terms.tolerant:
            self._block(batch, push.failures)
        elif terms.dead_letters is None:
            self._end(batch, "dropped", push.failures)
        else:
            lost = bury(self._connections.smq, terms.dead_letters, self._dead_letters(batch))
            self._end(batch, "dropped" if lost else "dead-lettered", [*push.failures, *lost])

    def _dead_letters(self, batch: _Batch) -> Iterator[str]:
        """Yield what a dead-letter queue gets of a batch: each event for itself or all as one."""
        elements = [event["data"] if self._shape.raw else event for event in batch.events]
        whole = self._shape.array and self._connections.switches().dead_letters == "whole-batch"
        return (_json(document) for document in ([elements] if whole else elements))

    def _block(self, batch: _Batch, failures: list[str]) -> None:
        with self._lock:
            self._under_way -= 1
            stopped = self._stopped
            if not stopped:
                self.blocked = batch
        if stopped:
            self._release(batch.receipts)
        self._note(batch, "blocked", failures)

    def _end(self, batch: _Batch, end: End, failures: list[str]) -> None:
        for receipt in batch.receipts:
            self._queue.delete(receipt.handle)
        with self._lock:
            self._under_way -= 1
        if batch.events:
            self._note(batch, end, failures)
        self._look()

    def _release(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._queue.release(receipt.handle)

    def _note(self, batch: _Batch, end: End, failures: list[str]) -> None:
        ids = tuple(event["id"] for event in batch.events)
        self._ends.add(Ended(self.name, end, ids, tuple(failures), self._connections.timeline.now()))


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)
