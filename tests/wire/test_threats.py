"""What was tried, end to end: through the queue, into processes; and the table of all threats."""

from __future__ import annotations

import json

from tests.evidence.plugin import Evidence
from tests.installation import Installation
from tests.localcloud.server import LocalCloud
from tests.wire import (
    test_threats_events,
    test_threats_load,
    test_threats_names,
    test_threats_role,
    test_threats_rules,
    test_threats_status,
)
from tests.wire.threats import FIRST, THREATS

PARTS = (
    test_threats_events,
    test_threats_names,
    test_threats_rules,
    test_threats_load,
    test_threats_role,
    test_threats_status,
)


def test_what_is_tried_through_the_queue_ends_in_the_dead_letters_and_resets_nobody() -> None:
    timer = {"triggerTime": "2026-01-15T08:00:00Z", "triggerName": "daily", "payload": '{"UserName": "alice"}'}
    with LocalCloud(skip_waiting=True) as cloud:
        installed = Installation(cloud, PROTECTED_USERS="root-*")
        installed.add_user("alice", FIRST)
        attacks: list[object] = [
            {**installed.sample("http.json"), "body": '{"UserName": "alice"}'},
            timer,
            {"UserName": "alice", "DirectoryId": "d-other"},
            {"UserName": "../d-other/alice"},
            {"UserName": "alice\n{}"},
            {"UserName": "alice", "Note": json.dumps({"Password": "Marker-1"})},
            [0] * 5_000,
        ]
        with cloud.timeline.busy():  # one batch
            for attack in attacks:
                installed.send(attack)
        installed.settle()
        kept = [json.loads(letter)["data"]["messageBody"] for letter in installed.dead_letters()]
        assert sorted(kept) == sorted(map(json.dumps, attacks))
        assert installed.resets() == []
        assert installed.signs_in("alice", FIRST) == "ok"
        lines = list(installed.audit())
        told = [line["Error"] for line in lines]
        assert told.count("password-in-event") == 4  # delivered once, and three times more
        assert told.count("malformed-event") == 4 * (len(attacks) - 1)
        assert "Marker-1" not in json.dumps(lines)  # Function Compute logs the failed event itself: it is disclosed


def test_the_threats_are_published(evidence: Evidence) -> None:
    order = [part.__name__.rpartition(".")[2] for part in PARTS]
    rows = [
        (one.name, one.tried, f"`{one.ends}`", f"`{one.test}`")
        for one in sorted(THREATS, key=lambda one: order.index(one.part))
    ]
    evidence.publish("threats", evidence.table(["Threat", "What is tried", "Ends as", "Test"], rows))
