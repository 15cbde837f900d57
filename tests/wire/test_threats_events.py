"""Attacks by events: forged, aimed elsewhere, repeated, from another time, or with a password hidden in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.wire.leaks import assert_absent
from tests.wire.threats import Attacked, threat

MARKER = "Marker-Passw0rd!x9"
ALICE = {"UserName": "alice"}


@threat(
    "Forged trigger",
    tried="a message in the queue that is an HTTP trigger's event, to be logged as one",
    ends="malformed-event",
)
def test_an_http_event_in_the_queue_is_a_forgery(attacked: Attacked, ends: str) -> None:
    http = json.loads(attacked.deployed.sample("http.json"))
    forged = {**http, "body": json.dumps(ALICE)}
    assert attacked.ends(attacked.queue(forged)) == ends
    assert attacked.ends(attacked.alert(**forged)) == ends
    assert '"Trigger": "http"' not in attacked.said


@threat(
    "Forged trigger",
    tried="a message in the queue that is a timer's event, to pass for scheduled",
    ends="malformed-event",
)
def test_a_timers_event_in_the_queue_is_a_forgery(attacked: Attacked, ends: str) -> None:
    forged = {"triggerTime": "2026-01-15T08:00:00Z", "triggerName": "daily", "payload": json.dumps(ALICE)}
    assert attacked.ends(attacked.queue(forged)) == ends
    assert attacked.ends(attacked.queue([forged])) == ends


@threat(
    "Forged failure",
    tried="a dead letter that says that its invocation succeeded, or does not say how it ended",
    ends="malformed-event",
)
def test_a_dead_letter_that_did_not_fail_is_a_forgery(attacked: Attacked, ends: str) -> None:
    letter = json.loads(attacked.deployed.sample("dead-letter.json"))
    for condition in ("", None, ["UnhandledInvocationError"]):
        forged = {**letter, "requestContext": {**letter["requestContext"], "condition": condition}}
        assert attacked.ends(attacked.queue(forged)) == ends


@threat("Another directory", tried="a request that names another `DirectoryId`", ends="malformed-event")
def test_a_request_about_another_directory_is_refused(attacked: Attacked, ends: str) -> None:
    own = attacked.deployed.directory_id
    for other in ("d-other", "", own.upper(), f" {own}", f"{own}\u0000"):
        assert attacked.ends({**ALICE, "DirectoryId": other}) == ends


@threat(
    "Another directory",
    tried="a security alert about somebody of the same name in another directory",
    ends="malformed-event",
)
def test_an_alert_about_another_directory_is_refused(attacked: Attacked, ends: str) -> None:
    assert attacked.ends(attacked.alert(UserName="alice", Severity="high", DirectoryId="d-other")) == ends


@threat("Another directory", tried="the id of another directory's user", ends="user-not-found")
def test_the_id_of_another_directorys_user_is_nobodys_here(attacked: Attacked, ends: str) -> None:
    assert attacked.ends({"UserId": "u-00otherdirectory0001"}) == ends


@threat(
    "A dry run made real",
    tried="a security alert with `DryRun` and with fields of its own, which a rule recognises",
    ends="would-rotate",
)
def test_an_alert_that_says_it_is_a_dry_run_rotates_nothing(attacked: Attacked, ends: str) -> None:
    event = attacked.alert(UserName="alice", Severity="high", DryRun=True)
    assert attacked.deployed.outcome(event)["Outcome"] == ends
    assert "ResetUserPassword" not in attacked.deployed.actions()
    assert "PutSecretValue" not in attacked.deployed.actions()


@threat(
    "A suppressed alert",
    tried="the id of a CloudEvent used before, with other content, to pass for a repetition",
    ends="rotated",
)
def test_an_event_id_that_was_used_before_suppresses_nothing(attacked: Attacked, ends: str) -> None:
    attacked.deployed.add_user("bob")
    decoy, genuine = attacked.alert(UserName="bob"), attacked.alert(UserName="alice")
    assert decoy["id"] == genuine["id"]
    assert [attacked.ends(event) for event in (decoy, genuine)] == [ends, ends]


@threat(
    "Another time",
    tried="`RotatedSince` in the future, where no rotation could ever satisfy it",
    ends="malformed-event",
)
def test_a_rotation_since_the_future_is_refused(attacked: Attacked, ends: str) -> None:
    for moment in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2100-01-01T00:00:00Z"):
        assert attacked.ends({**ALICE, "RotatedSince": moment}) == ends


@threat("Another time", tried="`RotatedSince` in the year 1, again and again", ends="already-rotated")
def test_a_rotation_since_long_ago_is_satisfied_by_any(attacked: Attacked, ends: str) -> None:
    long_ago = {**ALICE, "RotatedSince": "0001-01-01T00:00:00Z"}
    assert attacked.ends(long_ago) == "rotated"
    password = attacked.deployed.secret("alice")["Password"]
    for _ in range(2):
        assert attacked.deployed.outcome(long_ago)["Outcome"] == ends
    assert attacked.deployed.signs_in("alice", password) == "ok"


@threat(
    "Another time",
    tried="`RotatedSince` before the year 1, or as a number; `NaN` or `Infinity` anywhere",
    ends="malformed-event",
)
def test_a_rotation_since_no_time_at_all_is_refused(attacked: Attacked, ends: str) -> None:
    for moment in ("0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", 1, 1e308, "", None):
        assert attacked.ends({**ALICE, "RotatedSince": moment}) == ends
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        assert attacked.ends(b'{"UserName": "alice", "RotatedSince": %s}' % number.encode()) == ends
        alert = json.dumps(attacked.alert(UserName="alice", Score="?")).replace('"?"', number)
        assert attacked.ends(alert.encode()) == ends


def in_json(value: object) -> object:
    return json.dumps(value)


def in_base64(value: object) -> object:
    return base64.b64encode(json.dumps(value).encode()).decode()


def in_base64_of_urls(value: object) -> object:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


LAYERS: list[list[Callable[[object], object]]] = [
    [in_json, in_base64, in_json],
    [in_base64, in_base64, in_json],
    [in_json, in_json, in_base64_of_urls],
]


@threat(
    "Hidden password",
    tried="a `Password` in JSON in base64 in JSON and the like, in a request, an alert and a message",
    ends="password-in-event",
)
@pytest.mark.parametrize("layers", LAYERS, ids=lambda layers: " in ".join(layer.__name__[3:] for layer in layers))
def test_a_password_in_layers_is_found_and_never_said(
    attacked: Attacked, ends: str, layers: list[Callable[[object], object]]
) -> None:
    hidden: object = {"deep": [{"Password": MARKER}]}
    for layer in layers:
        hidden = layer(hidden)
    request = {**ALICE, "Note": hidden}
    for event in (request, attacked.alert(**request), attacked.queue(request), attacked.queue(in_base64(request))):
        assert attacked.ends(event) == ends
    assert_absent({MARKER}, attacked.said, "what was said")


@threat(
    "Hidden password",
    tried="a `Password` whose key is in full width, has invisible characters or other signs in it",
    ends="password-in-event",
)
def test_a_password_under_a_disguised_key_is_found_and_never_said(attacked: Attacked, ends: str) -> None:
    for key in ("\uff30assword", "Pass\u200bword", "Pass\u00adword", "New.Password", "new password", "'Password'"):
        assert attacked.ends(attacked.alert(UserName="alice", Details={key: MARKER})) == ends
    assert_absent({MARKER}, attacked.said, "what was said")
