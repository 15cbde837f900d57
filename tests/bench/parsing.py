"""Reading an event, without carrying it out: how many queue messages a second, and how much more than decoding JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timezone

from shared import alerts, events
from shared.model import DirectoryId
from tests.bench.results import Parsing
from tests.bench.samples import ratios, spread
from tests.installation import EVENTS, ROOT

MESSAGES = 10_000
_RECEIVED = datetime(2026, 2, 1, 12, tzinfo=timezone.utc)


def measure(rounds: int, tell: Callable[[str], object]) -> Parsing:
    """Read the same batch in every round, and decode it with the standard library."""
    event = batch(MESSAGES)
    rules = alerts.Rules.load((ROOT / "functions" / "reset_password" / "rules.json").read_bytes())
    directory_id = DirectoryId("d-00fc2p61example")

    def parsed() -> int:
        found = events.parse(event, received=_RECEIVED, directory_id=directory_id, rules=rules)
        return len(found.requests)

    reading, decoding = list[float](), list[float]()
    for number in range(rounds):
        tell(f"reading {MESSAGES:,} messages, round {number + 1} of {rounds}")
        reading.append(_cpu_of(parsed, MESSAGES))
        decoding.append(_cpu_of(lambda: len(json.loads(event)), MESSAGES))
    return Parsing(MESSAGES, spread([MESSAGES / each for each in reading]), ratios(reading, decoding))


def batch(messages: int) -> bytes:
    """Return a queue's batch in which every message asks for another user."""
    first = json.loads((EVENTS / "queue-batch.json").read_bytes())[0]
    return json.dumps(
        [
            {**first, "data": {**first["data"], "messageBody": json.dumps({"UserName": f"user{number:06}"})}}
            for number in range(messages)
        ]
    ).encode()


def _cpu_of(do: Callable[[], int], expected: int) -> float:
    before = time.process_time()
    found = do()
    spent = time.process_time() - before
    if found != expected:
        msg = f"{found} of {expected} messages were read"
        raise AssertionError(msg)
    return spent
