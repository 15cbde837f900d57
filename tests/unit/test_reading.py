"""What an event's sender is told of it: which part, what is wrong with it, and how much of it is shown."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from shared import events
from shared.alerts import Rules
from shared.envelopes import DEEPEST, Context
from shared.errors import EventError, MalformedEvent, PasswordInEvent, UnsupportedEvent
from shared.events import MOST_IN_EVENT, Parsed
from shared.model import DirectoryId
from shared.reading import MOST_IN_MESSAGE, MOST_SHOWN, at_most

ROOT = Path(__file__).parents[2]
SHIPPED = Rules.load((ROOT / "functions/reset_password/rules.json").read_bytes())
RECEIVED = datetime(2026, 2, 1, 12, tzinfo=timezone.utc)
ALICE = {"UserName": "alice"}
ALWAYS_ALICE = Rules.load(b'{"Rules": [{"Name": "any", "When": "@", "UserName": "\'alice\'"}]}')
NOTHING_KNOWN = "In the event: no request, and no alert that a rule knows; it has "


def parse(event: object, rules: Rules = SHIPPED) -> Parsed:
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    return events.parse(data, received=RECEIVED, directory_id=DirectoryId("d-1"), rules=rules)


def problem(event: object, rules: Rules = SHIPPED) -> EventError:
    (found,) = parse(event, rules).problems
    return found


def cloud_event(data: object, kind: str = "acme:Test") -> dict[str, object]:
    return {"id": "1", "source": "acme", "specversion": "1.0", "type": kind, "data": data}


def queue(body: object) -> dict[str, str]:
    return {"requestId": "r", "messageId": "m", "messageBody": json.dumps(body)}


# ------------------------------------------------------------------------------------------------ layers


def test_a_request_in_the_deepest_layer_is_read_and_one_deeper_is_not() -> None:
    inside = json.dumps(ALICE).encode()
    deep = DEEPEST - 1  # lists, around the layer that is the request
    assert len(parse(b"[" * deep + inside + b"]" * deep).requests) == 1
    assert parse(b"[" * (deep + 1) + inside + b"]" * (deep + 1)).requests == ()


def test_a_password_in_one_message_of_an_envelope_hides_no_other() -> None:
    parsed = parse(queue([ALICE, {"UserName": "bob", "Password": "x"}]))
    assert [str(request.user) for request in parsed.requests] == ["alice"]
    (found,) = parsed.problems
    assert "at messageBody, message 2, Password;" in found.happened


def test_an_alert_that_nothing_is_wrapped_around_has_the_time_and_the_source_that_it_states() -> None:
    alarm = json.loads((ROOT / "events/cloudmonitor-alert.json").read_bytes())
    (request,) = parse(alarm, ALWAYS_ALICE).requests
    assert (request.since < RECEIVED, request.origins[0].source) == (True, alarm["product"])


@pytest.mark.parametrize("data", ["DryRun, please", ["DryRun"], None, 7])
def test_an_alert_whose_data_is_no_object_asks_for_what_its_rule_says(data: object) -> None:
    (request,) = parse(cloud_event(data), ALWAYS_ALICE).requests
    assert (str(request.user), request.dry_run) == ("alice", False)


def test_a_problem_in_text_inside_a_cloud_event_says_that_it_is_inside_that_text() -> None:
    assert problem(cloud_event(json.dumps({**ALICE, "DryRun": 1}))).happened.startswith("In data: field 'DryRun'")
    assert problem(cloud_event({"Requests": 1})).happened.startswith("In data: field 'Requests'")
    assert problem(cloud_event(json.dumps({"a": {"Password": "x"}}))).happened.startswith(
        "There is a password in the event, at data, a.Password;"
    )


# ------------------------------------------------------------------------------------------------ words


def test_a_batch_that_does_not_stand_alone_or_is_no_list_says_so() -> None:
    both = problem({"Requests": [ALICE], "DryRun": True, "Force": True}).happened
    assert both == "In the event: field 'Requests' stands alone, and here are also 'DryRun', 'Force'."
    assert problem({"Requests": "x"}).happened == "In the event: field 'Requests' must be a list, and is text."


def test_data_that_names_a_user_among_much_else_is_a_request_with_unknown_fields() -> None:
    found = parse(cloud_event({**ALICE, "a": 1, "b": 2, "c": 3})).problems
    assert [each.happened.split(" (")[0] for each in found] == [
        f"In data: field '{name}' is unknown" for name in ("a", "b", "c")
    ]


def test_an_ignored_part_is_told_with_its_place() -> None:
    noise = json.loads((ROOT / "events/cloudmonitor-noise.json").read_bytes())
    assert [(each.where, each.rule) for each in parse([noise, noise]).ignored] == [
        ("message 1", "managed-rotation-succeeded"),
        ("message 2", "managed-rotation-succeeded"),
    ]


def test_a_rule_that_does_not_find_its_user_is_told_with_what_to_correct() -> None:
    found = problem(cloud_event({}, "security:Alert:Leak"))
    assert isinstance(found, MalformedEvent)
    assert found.happened.startswith("In the event: alert rule 'security-alert' recognises this, but its UserName")
    assert found.cure == "Correct the rule in functions/reset_password/rules.json, or the sender."


@pytest.mark.parametrize("field", ["type", "source", "eventName", "name", "product"])
def test_an_unknown_event_is_described_by_what_events_say_of_their_kind(field: str) -> None:
    assert problem({field: "Acme"}).happened == f"{NOTHING_KNOWN}the keys '{field}', {field} 'Acme'."


def test_an_empty_object_has_no_keys_to_be_described_by() -> None:
    assert problem({}).happened == f"{NOTHING_KNOWN}no keys."


# ------------------------------------------------------------------------------------------------ how much is shown


@pytest.mark.parametrize(("keys", "more"), [(MOST_SHOWN, ""), (MOST_SHOWN + 1, ", …"), (MOST_SHOWN + 2, ", …")])
def test_no_more_than_eight_keys_are_shown_and_more_are_hinted_at(keys: int, more: str) -> None:
    names = [f"k{number}" for number in range(keys)]
    shown = ", ".join(f"'{name}'" for name in names[:MOST_SHOWN])
    assert problem(dict.fromkeys(names, 1)).happened == f"{NOTHING_KNOWN}the keys {shown}{more}."


def test_of_more_than_anybody_means_no_more_is_read_than_tells_that_it_is_more() -> None:
    parts = iter(range(100))
    findings = (UnsupportedEvent(f"part {part}") for part in parts)
    (found,) = at_most(3, findings, [], Context(RECEIVED, DirectoryId("d-1")))
    assert isinstance(found, MalformedEvent)
    assert next(parts) == 4


@pytest.mark.parametrize("place", [0, MOST_IN_MESSAGE + 5])
def test_a_password_is_told_of_though_a_message_asks_for_more_than_anybody_means(place: int) -> None:
    message: list[object] = [ALICE] * (MOST_IN_MESSAGE + 6)
    message[place] = {**ALICE, "Password": "x"}
    told = f"message 1, message {place + 1}, Password"
    for event, where in (([message], told), ([json.dumps(message)], told)):
        found = problem(event)
        assert isinstance(found, PasswordInEvent)
        assert found.happened == f"There is a password in the event, at {where}; it was not used."


def test_a_password_is_told_of_though_an_event_asks_for_more_than_anybody_means() -> None:
    found = problem([*[ALICE] * MOST_IN_EVENT, {"Password": "x"}])
    assert isinstance(found, PasswordInEvent)
    assert found.happened.startswith(f"There is a password in the event, at message {MOST_IN_EVENT + 1}, Password;")


def test_no_more_than_eight_passwords_are_told_of() -> None:
    assert len(parse([{"Password": "x"} for _ in range(20)]).problems) == 20
    assert len(parse({"many": [{"Password": "x"} for _ in range(20)]}).problems) == MOST_SHOWN
