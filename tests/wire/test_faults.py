"""Every call of a rotation, struck by every fault: the portal accepts what KMS holds, and nothing has leaked."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import darabonba.core
import pytest
import requests

from shared import openapi
from shared.errors import DirectoryUnavailable, RotatorError
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent, everything_about

REQUEST = {"UserName": "alice", "Reason": "manual"}
DELIVERIES = 4
# Which of a later rotation's calls is struck: the action, and its how-many-th call.
CALLS = {
    "lookup": ("ListUsers", 1),
    "list": ("ListSecretVersionIds", 1),
    "claim": ("PutSecretValue", 1),
    "reset": ("ResetUserPassword", 1),
    "publish": ("PutSecretValue", 2),
    "tag": ("TagResource", 1),
}
HTML = b"<html><body>502 Bad Gateway</body></html>"
FAULTS: dict[str, dict[str, object]] = {
    "throttled": {"kind": "throttle"},
    "throttled with advice": {"kind": "throttle", "retry_after_ms": 50},
    "throttled for long": {"kind": "throttle", "count": 8},
    "400 of unknown code": {"kind": "error", "status": 400, "code": "Surprise.Of.The.Day"},
    "500": {"kind": "error", "status": 500, "code": "InternalFailure"},
    "503 for long": {"kind": "error", "status": 503, "code": "ServiceUnavailableTemporary", "count": 4},
    "dropped before": {"kind": "drop-before"},
    "dropped after": {"kind": "drop-after"},
    "dropped after, for long": {"kind": "drop-after", "count": 4},
    "late": {"kind": "late"},
    "cut off": {"kind": "cut"},
    "empty 200": {"kind": "garbage", "body": b""},
    "empty object": {"kind": "garbage", "body": b"{}"},
    "list": {"kind": "garbage", "body": b"[]"},
    "null": {"kind": "garbage", "body": b"null"},
    "error-shaped 200": {"kind": "garbage", "body": b'{"Code": "InternalFailure", "Message": "no", "RequestId": "1"}'},
    "half an answer": {"kind": "garbage", "keep": 70},
    "HTML with 200": {"kind": "garbage", "body": HTML, "content_type": "text/html"},
    "HTML with 502": {"kind": "refuse-garbage", "body": HTML},
}


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch on everything that talks."""
    monkeypatch.setenv("DEBUG", "sdk")
    root = logging.getLogger()
    level, handler = root.level, logging.StreamHandler()
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield
    root.removeHandler(handler)
    root.setLevel(level)


def deliver_until_done(deployed: Deployment) -> tuple[int, list[str]]:
    """Deliver the event as a queue would; return how often it took, and all that its failures could show."""
    shown: list[str] = []
    for delivery in range(1, DELIVERIES + 1):
        try:
            deployed.invoke(REQUEST)
        except RotatorError as error:
            shown.append(everything_about(error))
        else:
            return delivery, shown
        deployed.later(120)
    message = "it was delivered often enough: " + shown[-1]
    raise AssertionError(message)


@pytest.mark.usefixtures("loud")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("source", ["cloudsso", "staged"])
def test_no_fault_loses_or_leaks_a_password(
    cloud: LocalCloud, capfd: pytest.CaptureFixture[str], source: str, call: str, fault: str
) -> None:
    deployed = Deployment(cloud, PASSWORD_SOURCE=source)
    deployed.add_user("alice", "Old-Secret-01!")
    deployed.invoke(REQUEST)
    deployed.later(3600)
    capfd.readouterr()
    action, nth = CALLS[call]
    armed = cloud.faults.arm(Fault(action, nth=nth, **FAULTS[fault]))  # type: ignore[arg-type]
    _, shown = deliver_until_done(deployed)
    deployed.later(1)

    assert armed.struck
    assert deployed.current_signs_in("alice") == "ok"
    out, err = capfd.readouterr()
    credentials = {deployed.credentials.access_key_secret, deployed.credentials.security_token or "?"}
    secrets = deployed.passwords_of("alice") | credentials
    assert len(secrets) >= 4
    assert_absent(secrets, out + err, "the output")
    assert_absent(secrets, "\n".join(shown), "an error")


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_is_never_answered_is_given_up_and_recovered(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, call: str, *, applied: bool
) -> None:
    monkeypatch.setattr(openapi, "READ_TIMEOUT", openapi.READ_TIMEOUT / 50)
    deployed.invoke(REQUEST)
    deployed.later(3600)
    action, nth = CALLS[call]
    armed = deployed.cloud.faults.arm(Fault(action, "hang", nth=nth, applied=applied))
    deliver_until_done(deployed)
    assert armed.struck
    assert deployed.current_signs_in("alice") == "ok"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_redirects_are_not_followed(deployed: Deployment, call: str, status: int) -> None:
    deployed.invoke(REQUEST)
    deployed.later(3600)
    action, nth = CALLS[call]
    with LocalCloud() as elsewhere:
        location = f"http://{elsewhere.endpoint}/"
        deployed.cloud.faults.arm(Fault(action, "redirect", nth=nth, status=status, location=location, count=3))
        deliver_until_done(deployed)
        assert len(elsewhere.calls) == 0
    assert deployed.current_signs_in("alice") == "ok"


def test_a_session_that_other_code_opened_before_does_not_follow_redirects_either(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(darabonba.core, "Session", requests.Session)
        darabonba.core.DaraCore._sessions.clear()
        deployed.add_user("bob")  # by an ordinary client: the session for this endpoint is an ordinary one now
    with LocalCloud() as elsewhere:
        location = f"http://{elsewhere.endpoint}/"
        deployed.cloud.faults.arm(Fault("ResetUserPassword", "redirect", status=307, location=location))
        deliver_until_done(deployed)
        assert len(elsewhere.calls) == 0


def test_a_throttled_reset_is_sent_again_at_once_and_under_the_same_claim(deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "throttle", retry_after_ms=20))
    assert deployed.outcome(REQUEST)["Attempt"] == 1
    assert deployed.actions().count("ResetUserPassword") == 2


@pytest.mark.parametrize("status", [500, 503])
def test_a_reset_that_was_carried_out_and_answered_as_throttled_is_not_sent_again(
    deployed: Deployment, status: int
) -> None:
    body = b'{"Code": "Throttling.Backend", "Message": "busy", "RequestId": "1"}'
    fault = Fault("ResetUserPassword", "garbage", status=status, body=body, content_type="application/json")
    deployed.cloud.faults.arm(fault)
    assert deployed.outcome(REQUEST)["Attempt"] == 2
    assert deployed.current_signs_in("alice") == "ok"


def test_a_reset_that_was_refused_for_an_unclear_cause_is_not_sent_again_even_on_advice(deployed: Deployment) -> None:
    unclear = Fault("ResetUserPassword", "error", status=503, code="ServiceUnavailable", retry_after_ms=20)
    deployed.cloud.faults.arm(unclear)
    assert deployed.outcome(REQUEST)["Attempt"] == 2


def test_a_lost_reset_is_not_sent_again_under_the_same_claim(deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "drop-after"))
    outcome = deployed.outcome(REQUEST)
    assert outcome["Attempt"] == 2
    resets = deployed.cloud.cloudsso.resets(deployed.user_ids["alice"])
    assert (resets[-1] - resets[-2]).total_seconds() >= 99


def test_the_first_rotation_survives_every_fault_of_create_secret(deployed: Deployment) -> None:
    for number, fault in enumerate(("drop-before", "drop-after", "late", "cut")):
        deployed.add_user(f"user{number}")
        deployed.cloud.faults.arm(Fault("CreateSecret", fault))  # type: ignore[arg-type]
        deployed.outcome({"UserName": f"user{number}"})
        assert deployed.current_signs_in(f"user{number}") == "ok"


def test_advice_to_come_back_in_a_million_years_is_bounded(deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "throttle", retry_after_ms=10**20))
    assert deployed.outcome(REQUEST)["Attempt"] == 2


def test_advice_to_come_back_at_once_is_not_followed_without_end(deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "throttle", retry_after_ms=1, count=10_000))
    with pytest.raises(DirectoryUnavailable):
        deployed.invoke(REQUEST)
    claims = deployed.actions().count("PutSecretValue") + deployed.actions().count("CreateSecret")
    assert deployed.actions().count("ResetUserPassword") <= 45 * claims


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"Users": null}', b'{"Code": "InternalFailure", "RequestId": "1"}'])
def test_an_unreadable_list_of_users_is_not_taken_for_an_empty_one(deployed: Deployment, body: bytes) -> None:
    deployed.cloud.faults.arm(Fault("ListUsers", "garbage", body=body))
    with pytest.raises(DirectoryUnavailable):
        deployed.invoke(REQUEST)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null"])
def test_a_dry_run_does_not_take_an_unreadable_answer_for_the_absence_of_sso(deployed: Deployment, body: bytes) -> None:
    deployed.cloud.faults.arm(Fault("GetExternalSAMLIdentityProvider", "garbage", body=body))
    with pytest.raises(DirectoryUnavailable):
        deployed.invoke({**REQUEST, "DryRun": True})
