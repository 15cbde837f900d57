"""The function's policy is enough, and what it lacks is told by name."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest

from shared.errors import DirectoryDenied, RotatorError, SecretStoreDenied, TooManyAttempts
from tests.deployment import Deployment, policy
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches

REQUEST = {"UserName": "alice"}


def without(action: str, directory_id: str) -> dict[str, Any]:
    """Return the function's policy without one action."""
    document = copy.deepcopy(policy(directory_id))
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [each for each in actions if each != action]
    document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
    return document


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("cloudsso:ListUsers", DirectoryDenied),
        ("kms:ListSecretVersionIds", SecretStoreDenied),
        ("kms:CreateSecret", SecretStoreDenied),
        ("cloudsso:ResetUserPassword", DirectoryDenied),
    ],
)
def test_a_missing_permission_is_told_and_nothing_is_called_a_success(
    deployed: Deployment, action: str, error: type[RotatorError]
) -> None:
    deployed.become(without(action, deployed.directory_id))
    with pytest.raises(error) as raised:
        deployed.invoke(REQUEST)
    assert "policy.json" in str(raised.value)
    assert deployed.signs_in("alice", "Old-Secret-01!") == "ok"


def test_without_the_right_to_publish_it_is_told_that_the_password_is_lost_and_why(deployed: Deployment) -> None:
    deployed.become(without("kms:PutSecretValue", deployed.directory_id))
    with pytest.raises(SecretStoreDenied, match=r"policy\.json") as raised:
        deployed.invoke(REQUEST)
    assert "the live password is lost and the user cannot log on" in str(raised.value)
    deployed.become(policy(deployed.directory_id))
    deployed.later(120)
    deployed.invoke(REQUEST)
    assert deployed.current_signs_in("alice") == "ok"


def test_without_get_user_ids_cannot_be_looked_up(deployed: Deployment) -> None:
    deployed.become(without("cloudsso:GetUser", deployed.directory_id))
    with pytest.raises(DirectoryDenied):
        deployed.invoke({"UserId": deployed.user_ids["alice"]})


def test_without_tag_resource_a_rotation_succeeds_but_says_that_it_is_not_indexed(deployed: Deployment) -> None:
    deployed.become(without("kms:TagResource", deployed.directory_id))
    assert deployed.outcome(REQUEST)["Indexed"] is False


def test_the_function_cannot_read_a_secret_or_touch_another_directorys(deployed: Deployment) -> None:
    granted = str(policy(deployed.directory_id))
    assert "GetSecretValue" not in granted
    assert "'*'" not in granted


def use_everything(deployed: Deployment) -> None:
    """Go through every path that calls something: by id, a stage that sticks, refusals that are explained."""
    cloud = deployed.cloud
    cloud.switches = Switches(stage_can_be_taken=False)
    user_id = deployed.add_user("alice", "Old-Secret-01!")
    for _ in range(3):
        deployed.invoke({"UserId": user_id})
        deployed.later(3600)
    deployed.invoke({"UserName": "alice"})
    deployed.later(3600)
    cloud.faults.arm(Fault("ResetUserPassword", "error", status=400, code="InvalidParameter.Password", count=9))
    for _ in range(6):
        with contextlib.suppress(RotatorError):
            deployed.invoke({"UserName": "alice"})
        deployed.later(120)
    with pytest.raises(TooManyAttempts, match="r5-c6:password-rejected"):
        deployed.invoke({"UserName": "alice"})


def test_every_action_of_the_policy_is_used(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, PASSWORD_SOURCE="staged", KMS_KEY_ID="key-1")
    use_everything(deployed)
    granted = {
        action
        for statement in policy(deployed.directory_id)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    used = {one.action for one in cloud.ram.decisions if one.role == "reset-password" and one.allowed}
    assert used == granted


def test_a_denied_reset_burns_a_claim_but_not_the_password(deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "error", status=403, code="NoPermission"))
    with pytest.raises(DirectoryDenied):
        deployed.invoke(REQUEST)
    assert deployed.tags("alice")["Attempt1"] == "r1-c1:directory-denied"
    assert deployed.signs_in("alice", "Old-Secret-01!") == "ok"
    deployed.later(120)
    assert deployed.outcome(REQUEST)["Attempt"] == 2
