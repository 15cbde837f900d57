"""A rule of the event bus: every event that its pattern is about goes to its function.

Sources: EventBridge "Event rules"; the fc3 component's documentation: the trigger of eventSourceType Default is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.localcloud.api import Json
from tests.localcloud.eventbridge.ends import End, Ended, Ends, bury
from tests.localcloud.eventbridge.patterns import Pattern
from tests.localcloud.eventbridge.push import Lane, Push
from tests.localcloud.smq.service import Smq


@dataclass(frozen=True)
class Rule:
    """One rule."""

    name: str
    pattern: Pattern
    lane: Callable[[], Lane]  # under the readings in force
    raw: bool  # eventSchema RawData: the function gets the event's data only
    dead_letters: Callable[[], str | None]  # the queue's ARN, where the run options of a rule count
    smq: Smq = field(repr=False)
    ends: Ends = field(repr=False)

    def offer(self, event: Json) -> None:
        """Deliver an event if the rule is about it."""
        if self.pattern.matches(event):
            text = json.dumps(event.get("data") if self.raw else event, ensure_ascii=False)
            push = Push(self.lane(), text.encode(), lambda failure: self._done(event["id"], text, push, failure))
            push.start()

    def _done(self, event_id: str, text: str, push: Push, failure: str | None) -> None:
        end: End = "delivered"
        dead_letters = self.dead_letters() if failure else None
        lost = bury(self.smq, dead_letters, [text]) if dead_letters else []
        if failure:
            end = "dead-lettered" if dead_letters and not lost else "dropped"
        self.ends.add(Ended(self.name, end, (event_id,), (*push.failures, *lost), push.lane.timeline.now()))
