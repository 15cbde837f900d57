from __future__ import annotations

import contextlib
from typing import Any

import pytest
from alibabacloud_cloudsso20210515 import models as sso_models
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException

from tests.localcloud.api import ApiError
from tests.localcloud.ram.policy import Policy, PolicyRefusedError, judge
from tests.localcloud.ram.service import Decision, Key, Ram
from tests.localcloud.server import ACCOUNT_ID, LocalCloud
from tests.loopback import clients

SECRET = "acs:kms:cn-hangzhou:1510000000000001:secret/team/alice"


def statement(
    effect: str = "Allow", action: object = "kms:GetSecretValue", resource: object = SECRET
) -> dict[str, Any]:
    """Return a statement, as a policy document spells it."""
    return {"Effect": effect, "Action": action, "Resource": resource}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "1", "Statement": list(statements)}


def verdict(*statements: dict[str, Any], action: str = "kms:GetSecretValue", resource: str = SECRET) -> str:
    """Return what RAM says under these statements."""
    return judge([Policy.parse(document(*statements))], action, resource)


def test_what_a_statement_names_is_allowed() -> None:
    assert verdict(statement()) == "allow"


def test_what_no_statement_allows_is_denied() -> None:
    assert verdict(statement(action="kms:PutSecretValue")) == "implicit-deny"
    assert verdict(statement(resource=SECRET + "x")) == "implicit-deny"


def test_a_deny_beats_an_allow_wherever_it_stands() -> None:
    deny = statement("Deny", "kms:*", "*")
    assert verdict(statement(), deny) == "explicit-deny"
    assert verdict(deny, statement()) == "explicit-deny"


def test_a_deny_in_one_policy_beats_an_allow_in_another() -> None:
    policies = [Policy.parse(document(statement())), Policy.parse(document(statement("Deny", "*", "*")))]
    assert judge(policies, "kms:GetSecretValue", SECRET) == "explicit-deny"


def test_lists_of_actions_and_resources_mean_any_of_them() -> None:
    listed = statement(action=["kms:ListSecrets", "kms:GetSecretValue"], resource=["acs:kms:*:*:key/*", SECRET])
    assert verdict(listed) == "allow"


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "acs:kms:*:*:secret/team/*",
        "acs:kms:cn-hangzhou:*:secret/*",
        "acs:kms:*:1510000000000001:secret/team/alic?",
        "ACS:kms:*:*:secret/team/alice",
    ],
)
def test_wildcards_and_the_case_of_the_scheme_do_not_matter(pattern: str) -> None:
    assert verdict(statement(resource=pattern)) == "allow"


@pytest.mark.parametrize(
    "pattern",
    [
        "acs:kms:*:*:secret/Team/alice",
        "acs:kms:*:*:secret/team/alice?",
        "acs:kms:cn-beijing:*:secret/*",
        "acs:kms:*:*:secret/team/[a]lice",
    ],
)
def test_resources_are_compared_in_case_and_brackets_mean_themselves(pattern: str) -> None:
    assert verdict(statement(resource=pattern)) == "implicit-deny"


def test_actions_are_compared_in_any_case_and_with_wildcards() -> None:
    assert verdict(statement(action="KMS:get*")) == "allow"
    assert verdict(statement(action="kms:GetSecretValu?")) == "allow"


def test_a_star_in_the_resource_asked_for_is_not_a_wildcard() -> None:
    assert verdict(statement(resource="acs:x/user/u-1"), resource="acs:x/user/*") == "implicit-deny"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"Version": "2", "Statement": [statement()]}, "Version is '2'"),
        ({"Version": "1"}, "Statement is not a list"),
        ({"Version": "1", "Statement": []}, "Statement is not a list"),
        ({"Version": "1", "Statement": ["x"]}, "statement 1 is not an object"),
        (document(statement(), statement("allow")), "statement 2: Effect is 'allow'"),
        (document(statement(action=[])), "statement 1: Action"),
        (document(statement(resource=7)), "statement 1: Resource"),
        (document({**statement(), "NotAction": "kms:*"}), "statement 1 has NotAction"),
        (document({**statement(), "Principal": {"RAM": ["*"]}}), "statement 1 has Principal"),
        (
            document({**statement(), "Condition": {"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}}),
            "Condition (IpAddress)",
        ),
        ({**document(statement()), "Id": "x"}, "the document has Id"),
    ],
)
def test_a_policy_that_cannot_be_judged_is_refused_loudly(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyRefusedError) as caught:
        Policy.parse(bad)
    assert said in str(caught.value)


def test_an_empty_condition_is_none() -> None:
    assert verdict({**statement(), "Condition": {}}) == "allow"


def key_for(ram: Ram, *statements: dict[str, Any]) -> Key:
    """Return the key of a role with these statements."""
    found = ram.find(ram.issue(ram.role("r", ACCOUNT_ID, document(*statements))).access_key_id)
    assert found is not None
    return found


def test_any_of_several_spellings_is_enough() -> None:
    ram = Ram()
    ram.authorize(key_for(ram, statement()), "kms", "GetSecretValue", ["acs:kms:other", SECRET])
    assert ram.decisions == [Decision("r", "kms:GetSecretValue", SECRET, "allow")]


@pytest.mark.parametrize(("reading", "asked"), [(0, "acs:kms:other"), (1, SECRET), (2, SECRET)])
def test_under_a_reading_one_spelling_is_the_only_one_and_the_last_stands_in(reading: int, asked: str) -> None:
    ram = Ram()
    ram.reading = reading
    with contextlib.suppress(ApiError):
        ram.authorize(key_for(ram, statement()), "kms", "GetSecretValue", ["acs:kms:other", SECRET])
    (decision,) = ram.decisions
    assert (decision.resource, decision.allowed) == (asked, asked == SECRET)


def test_a_deny_of_one_spelling_is_a_deny() -> None:
    ram = Ram()
    key = key_for(ram, statement(resource="*"), statement("Deny"))
    with pytest.raises(ApiError):
        ram.authorize(key, "kms", "GetSecretValue", ["acs:kms:other", SECRET])
    assert [made.verdict for made in ram.decisions] == ["explicit-deny"]


def test_every_further_permission_is_needed_too() -> None:
    ram = Ram()
    with pytest.raises(ApiError) as caught:
        ram.authorize(key_for(ram, statement()), "kms", "GetSecretValue", [SECRET], [("kms:Decrypt", "acs:kms:key")])
    assert caught.value.extra["AccessDeniedDetail"]["AuthAction"] == "kms:Decrypt"


def test_a_key_shows_its_public_part_only() -> None:
    issued = Ram().issue(Ram.role("r", "1"), expires_in=60)
    assert issued.security_token
    assert issued.access_key_id in repr(issued)
    assert issued.access_key_secret not in repr(issued)
    assert issued.security_token not in repr(issued)


def test_a_revoked_key_is_unknown() -> None:
    ram = Ram()
    issued = ram.issue(ram.role("r", "1"))
    ram.revoke(issued.access_key_id)
    assert ram.find(issued.access_key_id) is None


def test_kms_says_what_the_role_may_not(cloud: LocalCloud) -> None:
    reader = cloud.role("reader", document(statement(resource="acs:kms:*:*:secret/*")))
    with pytest.raises(ClientException) as caught:
        clients.create_secret(clients.kms(cloud, reader))
    assert (caught.value.status_code, caught.value.code) == (403, "Forbidden.NoPermission")
    assert caught.value.access_denied_detail == {
        "AuthAction": "kms:CreateSecret",
        "AuthPrincipalType": "AssumedRoleUser",
        "AuthPrincipalOwnerId": ACCOUNT_ID,
        "AuthPrincipalDisplayName": "reader",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "NoPermissionType": "ImplicitDeny",
    }


def test_cloudsso_says_what_the_role_may_not(cloud: LocalCloud) -> None:
    anything_but = document(statement(action="*", resource="*"), statement("Deny", "cloudsso:ListUsers", "*"))
    with pytest.raises(ClientException) as caught:
        clients.cloudsso(cloud, cloud.role("limited", anything_but)).list_users(
            sso_models.ListUsersRequest(directory_id=cloud.cloudsso.directory_id)
        )
    assert (caught.value.status_code, caught.value.code) == (403, "NoPermission")
    assert caught.value.access_denied_detail["NoPermissionType"] == "ExplicitDeny"


def test_a_denied_call_changes_nothing(cloud: LocalCloud) -> None:
    with pytest.raises(ClientException):
        clients.create_secret(clients.kms(cloud, cloud.role("reader", document(statement()))))
    assert cloud.calls.count("CreateSecret", role="reader", applied=False, status=403) == 1
    assert clients.kms(cloud).list_secrets(kms_models.ListSecretsRequest()).body.total_count == 0


def test_what_a_role_used_can_be_held_against_what_it_was_granted(cloud: LocalCloud) -> None:
    clients.create_secret(clients.kms(cloud), "team/alice")
    granted = statement(action=["kms:GetSecretValue", "kms:PutSecretValue"])
    assert clients.current(clients.kms(cloud, cloud.role("reader", document(granted))), "team/alice") == "first"
    assert cloud.ram.used("reader") == {("kms:GetSecretValue", SECRET)}
