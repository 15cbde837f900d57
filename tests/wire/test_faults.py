"""What the rotator makes of single faults: how often it asks again, what it waits for, where it does not go.

Every fault on every call, through what is deployed, is test_matrix.py's.
"""

from __future__ import annotations

import darabonba.core
import pytest
import requests

from shared.errors import DirectoryUnavailable, RotatorError
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud

REQUEST = {"UserName": "alice", "Reason": "manual"}
DELIVERIES = 4


def deliver_until_done(deployed: Deployment) -> None:
    """Deliver the event as a queue would."""
    deliveries = 1
    while not succeeds(deployed):
        assert deliveries < DELIVERIES
        deliveries += 1
        deployed.later(120)


def succeeds(deployed: Deployment) -> bool:
    try:
        deployed.invoke(REQUEST)
    except RotatorError:
        return False
    return True


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("action", ["ListUsers", "CreateSecret", "ResetUserPassword"])
def test_redirects_are_not_followed(deployed: Deployment, action: str, status: int) -> None:
    with LocalCloud() as elsewhere:
        location = f"http://{elsewhere.endpoint}/"
        deployed.cloud.faults.arm(Fault(action, "redirect", status=status, location=location))
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


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"Code": "InternalFailure", "RequestId": "1"}'])
def test_a_dry_run_does_not_take_an_unreadable_answer_for_the_absence_of_sso(deployed: Deployment, body: bytes) -> None:
    deployed.cloud.faults.arm(Fault("GetExternalSAMLIdentityProvider", "garbage", body=body))
    with pytest.raises(DirectoryUnavailable):
        deployed.invoke({**REQUEST, "DryRun": True})
