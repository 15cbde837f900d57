"""How much work an event is, in calls of functions: the same in every run, whatever else the machine does."""

from __future__ import annotations

import cProfile
import json
import pstats
from pathlib import Path

import pytest

from shared import alerts, events
from shared.model import DirectoryId
from tests.fakes import NOON

ROOT = Path(__file__).parents[2]
RULES = alerts.Rules.load((ROOT / "functions" / "reset_password" / "rules.json").read_bytes())
FEW, MANY = 20, 120
MOST = {"queue-batch.json": 1000, "security-alert.json": 1250}  # a quarter more than a message takes


def calls(sample: str, messages: int) -> int:
    """Return how many calls it takes to read a batch of so many messages like the sample."""
    message = json.loads((ROOT / "events" / sample).read_bytes())
    message = message[0] if isinstance(message, list) else message
    event = json.dumps([{**message, "id": f"c2g71017-{number:06}"} for number in range(messages)]).encode()
    profile = cProfile.Profile()
    profile.enable()
    found = events.parse(event, received=NOON, directory_id=DirectoryId("d-00fc2p61example"), rules=RULES)
    profile.disable()
    assert found.requests
    assert found.problems == ()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]  # pstats's own attribute, not typed


@pytest.mark.parametrize("sample", MOST)
def test_a_message_takes_so_much_work_whether_few_come_with_it_or_many(sample: str) -> None:
    few, many = calls(sample, FEW), calls(sample, MANY)
    assert (many - few) / (MANY - FEW) == pytest.approx(few / FEW, rel=0.2)
    assert (many - few) / (MANY - FEW) < MOST[sample]
