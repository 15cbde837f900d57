"""Attacks with the functions' own credentials, as whoever gets to run code in an instance has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_cloudsso20210515.client import Client as CloudSsoClient
from alibabacloud_kms20160120 import models as kms
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.exceptions import ClientException

from tests.loopback import clients
from tests.wire.scanning import Scanning
from tests.wire.threats import FIRST, Attacked, threat

MALLORYS = "Mallorys-Own-01!"
PAYROLL = "payroll/database"
OTHERS = "cloudsso/d-other/alice"

KmsCall = Callable[[KmsClient, str], Any]
SsoCall = Callable[[CloudSsoClient, str, str], Any]

READS: list[KmsCall] = [
    lambda client, name: client.get_secret_value(kms.GetSecretValueRequest(secret_name=name)),
    lambda client, name: client.get_secret_value(
        kms.GetSecretValueRequest(secret_name=name, version_stage="ACSPrevious")
    ),
    lambda client, name: client.delete_secret(kms.DeleteSecretRequest(secret_name=name)),
]
WRITES: list[KmsCall] = [  # and what else only the rotator does
    lambda client, name: clients.put(client, "v2", "mine", name),
    lambda client, name: client.describe_secret(kms.DescribeSecretRequest(secret_name=name)),
    lambda client, name: client.tag_resource(kms.TagResourceRequest(secret_name=name, tags="[]")),
    lambda client, name: client.update_secret_version_stage(
        kms.UpdateSecretVersionStageRequest(secret_name=name, version_stage="ACSCurrent", move_to_version="v0")
    ),
]
FOREIGN: list[KmsCall] = [
    *READS,
    *WRITES,
    lambda client, name: client.list_secret_version_ids(kms.ListSecretVersionIdsRequest(secret_name=name)),
]
DIRECTORY: list[SsoCall] = [
    lambda client, directory, _user: client.create_user(
        sso.CreateUserRequest(directory_id=directory, user_name="mallory")
    ),
    lambda client, directory, user: client.update_user_status(
        sso.UpdateUserStatusRequest(directory_id=directory, user_id=user, new_status="Enabled")
    ),
    lambda client, directory, _user: client.set_password_policy(
        sso.SetPasswordPolicyRequest(directory_id=directory, min_password_length=8)
    ),
    lambda client, directory, _user: client.set_external_samlidentity_provider(
        sso.SetExternalSAMLIdentityProviderRequest(directory_id=directory, ssostatus="Enabled")
    ),
    lambda client, _directory, user: reset(client, "d-other", user),
]


def reset(client: CloudSsoClient, directory: str, user_id: str) -> object:
    """Reset a password to one that the attacker knows."""
    request = sso.ResetUserPasswordRequest(directory_id=directory, user_id=user_id, password=MALLORYS)
    return client.reset_user_password(request)


def status(call: Callable[..., object], *arguments: object) -> str:
    """Return the status with which a call is refused."""
    with pytest.raises(ClientException) as raised:
        call(*arguments)
    return str(raised.value.status_code)


def statuses(calls: Iterable[Callable[..., object]], *arguments: object) -> set[str]:
    """Return the statuses with which calls are refused, every one of them."""
    return {status(call, *arguments) for call in calls}


@threat(
    "Stolen credentials of the rotator",
    tried="reading a secret, of one's own users too, and deleting it",
    ends="403",
)
def test_the_rotators_role_reads_and_deletes_no_secret(attacked: Attacked, ends: str) -> None:
    deployed = attacked.deployed
    deployed.invoke({"UserName": "alice"})
    client = clients.kms(deployed.cloud, deployed.credentials)
    assert statuses(READS, client, deployed.secret_name("alice")) == {ends}
    assert deployed.current_signs_in("alice") == "ok"


@threat(
    "Stolen credentials of the rotator",
    tried="anything with a secret of somebody else's or of another directory's, and listing all",
    ends="403",
)
def test_the_rotators_role_touches_no_secret_but_its_directorys(attacked: Attacked, ends: str) -> None:
    cloud = attacked.deployed.cloud
    client = clients.kms(cloud, attacked.deployed.credentials)
    for name in (PAYROLL, OTHERS):
        clients.create_secret(clients.kms(cloud), name, "theirs", "v0")
        assert statuses(FOREIGN, client, name) == {ends}
        assert clients.current(clients.kms(cloud), name) == "theirs"
    assert status(client.list_secrets, kms.ListSecretsRequest()) == ends


@threat(
    "Stolen credentials of the rotator",
    tried="changing users, the password policy or SSO logon, or resetting in another directory",
    ends="403",
)
def test_the_rotators_role_changes_nothing_in_the_directory_but_passwords(attacked: Attacked, ends: str) -> None:
    deployed = attacked.deployed
    client = clients.cloudsso(deployed.cloud, deployed.credentials)
    alice = deployed.user_ids["alice"]
    assert statuses(DIRECTORY, client, deployed.directory_id, alice) == {ends}
    attacked.assert_nobody_was_reset()


@threat(
    "Stolen credentials of the scan",
    tried="resetting a password, and reading, writing or making a secret",
    ends="403",
)
def test_the_scans_role_resets_nobody_and_writes_nothing(attacked: Attacked, ends: str) -> None:
    deployed = attacked.deployed
    scan = Scanning(deployed.cloud)
    client = clients.kms(deployed.cloud, scan.context.credentials)
    sso_client = clients.cloudsso(deployed.cloud, scan.context.credentials)
    assert status(reset, sso_client, deployed.directory_id, deployed.user_ids["alice"]) == ends
    assert statuses(FOREIGN, client, deployed.secret_name("alice")) == {ends}
    assert status(clients.create_secret, client, deployed.secret_name("mallory")) == ends
    assert deployed.signs_in("alice", FIRST) == "ok"


def test_what_stolen_credentials_of_the_rotator_can_do_is_reset_passwords_and_make_secrets(attacked: Attacked) -> None:
    """The limit of the above: that is what the role is for, and RAM cannot tell protected users or names apart."""
    deployed = attacked.deployed
    client = clients.cloudsso(deployed.cloud, deployed.credentials)
    for name in ("alice", "root-admin"):
        reset(client, deployed.directory_id, deployed.user_ids[name])
        assert deployed.signs_in(name, MALLORYS) == "ok"
    clients.create_secret(clients.kms(deployed.cloud, deployed.credentials), "any/name")
    deployed.invoke({"UserName": "alice"})
    assert deployed.signs_in("alice", MALLORYS) == "wrong"
