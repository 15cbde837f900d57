"""What of Directory's contract only the adapter can show: which calls it makes, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    DirectoryDenied,
    DirectoryUnavailable,
    PasswordRejected,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    SettingsError,
    UserNotFound,
)
from shared.model import Password, User, UserId, UserName, UserRef
from tests.contract.directories import CloudDirectoryWorld, everybody
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud

ALICE = UserRef(name=UserName("alice"))
OLD = Password("Old-Secret-01!")
CANDIDATE = Password("Candidate-Passw0rd!x1")


def reset(
    deployed: Deployment, user: User | None = None, candidate: Password | None = None, seconds: float = 2
) -> Password:
    """Reset alice, with so much time that (2 s) nothing or (20 s) something is tried again."""
    world = CloudDirectoryWorld(deployed)
    send_by = world.now() + timedelta(seconds=seconds)
    alice = user or world.directory.find(ALICE)
    return world.directory.reset(alice, candidate, must_change=False, send_by=send_by).password


def strike(deployed: Deployment, action: str, kind: str, **how: Any) -> None:  # noqa: ANN401 - a Fault's fields
    deployed.cloud.faults.arm(Fault(action, kind, **how))  # type: ignore[arg-type]


def test_find_is_one_call_and_a_reset_another(deployed: Deployment) -> None:
    world = CloudDirectoryWorld(deployed)
    alice = world.directory.find(ALICE)
    world.directory.find(UserRef(id=alice.id))
    reset(deployed, alice)
    assert deployed.actions() == ["ListUsers", "GetUser", "ResetUserPassword"]


@pytest.mark.parametrize("name", ["../d-other/alice", "a b", "{user_id}", "alice\n2026", "\uff41lice", "a" * 65])
def test_a_user_whose_name_cloudsso_does_not_document_is_not_to_be_reset(deployed: Deployment, name: str) -> None:
    user_id = UserId(deployed.cloud.cloudsso.add_user(name))
    with pytest.raises(ResetNotAllowed, match="a name that CloudSSO does not document") as raised:
        CloudDirectoryWorld(deployed).directory.find(UserRef(id=user_id))
    assert str(raised.value).isprintable()


def test_a_throttled_reset_is_sent_again_while_there_is_time(deployed: Deployment) -> None:
    strike(deployed, "ResetUserPassword", "throttle", count=2, retry_after_ms=1)
    password = reset(deployed, seconds=20)
    assert deployed.actions().count("ResetUserPassword") == 3
    assert deployed.signs_in("alice", password.reveal()) == "ok"


def test_a_throttled_reset_is_not_sent_again_where_there_is_none(deployed: Deployment) -> None:
    strike(deployed, "ResetUserPassword", "throttle", retry_after_ms=3000)
    with pytest.raises(DirectoryUnavailable, match="throttled"):
        reset(deployed, seconds=2)
    assert deployed.actions().count("ResetUserPassword") == 1


def test_nothing_is_sent_after_send_by(deployed: Deployment) -> None:
    with pytest.raises(ResetOutcomeUnknown):
        reset(deployed, seconds=-1)
    assert "ResetUserPassword" not in deployed.actions()
    assert deployed.signs_in("alice", OLD.reveal()) == "ok"


@pytest.mark.parametrize("advice", [None, 1], ids=["without advice", "with x-acs-retry-after"])
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_reset_that_may_have_happened_is_unknown_and_sent_once(
    deployed: Deployment, status: int, advice: int | None
) -> None:
    unclear = {"status": status, "code": "ServiceUnavailable", "retry_after_ms": advice, "count": 9}
    strike(deployed, "ResetUserPassword", "error", **unclear)
    with pytest.raises(ResetOutcomeUnknown):
        reset(deployed, seconds=20)
    assert deployed.actions().count("ResetUserPassword") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'"NewPassword"',
        b'{"RequestId": "1"}',
        b'{"RequestId": "1", "NewPassword": ""}',
        b'{"RequestId": "1", "NewPassword": null}',
        b'{"RequestId": "1", "NewPassword": 12345678}',
        b'{"RequestId": "1", "NewPassword": "Marker-\xff-Passw0rd!"}',
        b"[" * 100_000,
        b'{"RequestId": "1", "NewPassword": "line\\nfeed-Passw0rd!"}',
        b'{"NewPassword": "Passw0rd-that-looks-right!"}',
        b'{"RequestId": "1", "Code": "InternalFailure", "Message": "no"}',
    ],
)
def test_an_answer_that_is_none_leaves_the_outcome_unknown(deployed: Deployment, body: bytes) -> None:
    strike(deployed, "ResetUserPassword", "garbage", body=body)
    with pytest.raises(ResetOutcomeUnknown):
        reset(deployed)


def test_an_answer_that_speaks_of_an_error_acknowledges_no_candidate(deployed: Deployment) -> None:
    strike(deployed, "ResetUserPassword", "garbage", body=b'{"RequestId": "1", "Code": "InternalFailure"}')
    with pytest.raises(ResetOutcomeUnknown):
        reset(deployed, candidate=CANDIDATE)


@pytest.mark.parametrize(
    "body", [b'{"TotalCounts": 2, "Users": 1}', b'{"Users": [{"UserName": "alice"}]}', b"", b"<html>"]
)
def test_a_lookup_whose_answer_cannot_be_read_is_unavailable(deployed: Deployment, body: bytes) -> None:
    strike(deployed, "ListUsers", "garbage", body=body)
    with pytest.raises(DirectoryUnavailable):
        CloudDirectoryWorld(deployed).directory.find(ALICE)


def test_a_server_that_matches_more_than_it_should_is_not_trusted(deployed: Deployment) -> None:
    users = (
        b'{"TotalCounts": 2, "Users": [{"UserId": "u-1", "UserName": "alice2", "Status": "Enabled"}], "RequestId": "1"}'
    )
    strike(deployed, "ListUsers", "garbage", body=users)
    with pytest.raises(UserNotFound):
        CloudDirectoryWorld(deployed).directory.find(ALICE)


@pytest.mark.parametrize(("asked", "found"), [("alice", "u-2"), ("Alice", "u-1")])
def test_of_two_names_that_differ_in_case_the_exact_one_is_meant(deployed: Deployment, asked: str, found: str) -> None:
    strike(deployed, "ListUsers", "garbage", body=_two_alices())
    assert CloudDirectoryWorld(deployed).directory.find(UserRef(name=UserName(asked))).id == found


def test_of_two_names_of_which_neither_is_exact_none_is_meant(deployed: Deployment) -> None:
    strike(deployed, "ListUsers", "garbage", body=_two_alices())
    with pytest.raises(UserNotFound):
        CloudDirectoryWorld(deployed).directory.find(UserRef(name=UserName("ALICE")))


def test_a_server_that_answers_with_another_user_than_asked_is_not_trusted(deployed: Deployment) -> None:
    bob = b'{"RequestId": "1", "User": {"UserId": "u-bob", "UserName": "bob", "Status": "Enabled"}}'
    strike(deployed, "GetUser", "garbage", body=bob)
    with pytest.raises(UserNotFound):
        CloudDirectoryWorld(deployed).directory.find(UserRef(id=UserId(deployed.user_ids["alice"])))


@pytest.mark.parametrize("count", [1, 100, 101, 300])
def test_a_listing_takes_a_call_for_a_hundred_users(cloud: LocalCloud, count: int) -> None:
    deployed = Deployment(cloud)
    cloud.cloudsso.seed_users(count)
    assert len(everybody(CloudDirectoryWorld(deployed).directory)) == count
    assert deployed.actions() == ["ListUsers"] * -(-count // 100)
    assert {call.params["MaxResults"] for call in cloud.calls.matching("ListUsers")} == {"100"}


def test_a_listing_is_unharmed_by_users_who_come_and_go(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud)
    ids = cloud.cloudsso.seed_users(250)
    users = CloudDirectoryWorld(deployed).directory.users()
    seen = [user.id for user in next(users)]
    cloud.cloudsso.remove_user(ids[0])
    cloud.cloudsso.remove_user(ids[200])
    cloud.cloudsso.add_user("late")
    seen += [user.id for page in users for user in page]
    assert set(ids) - {ids[200]} <= set(seen)


PAGE = b'{"RequestId": "1", "TotalCounts": %d, "IsTruncated": %s, "NextToken": "%s", "Users": [%s]}'
USER = b'{"UserId": "u-1", "UserName": "alice", "Status": "Enabled"}'


@pytest.mark.parametrize(
    "pages",
    [
        [PAGE % (2, b"false", b"", USER)],  # fewer than it counts
        [PAGE % (2, b"true", b"", USER)],  # truncated, and no way on
        [PAGE % (9, b"true", b"t", USER), PAGE % (9, b"true", b"t", USER)],  # a page that leads to itself
        [PAGE % (9, b"true", b"a", USER), PAGE % (9, b"true", b"b", USER), PAGE % (9, b"true", b"a", USER)],
        [PAGE % (2, b"true", b"a", USER), PAGE % (2, b"false", b"", USER)],  # one user twice for two of them
        [b'{"RequestId": "1", "TotalCounts": 1, "Users": [%s]}' % USER],  # truncated or not, it does not say
        [b'{"RequestId": "1", "TotalCounts": 1, "IsTruncated": false, "Users": [{"UserId": "u-1"}]}'],
        [b'{"RequestId": "1", "IsTruncated": false}'],
        [b"{}"],
        [b"<html>"],
        [b""],
    ],
)
def test_a_listing_that_is_not_whole_raises(cloud: LocalCloud, pages: list[bytes]) -> None:
    deployed = Deployment(cloud)
    for number, page in enumerate(pages, 1):
        strike(deployed, "ListUsers", "garbage", body=page, nth=number)
    with pytest.raises(DirectoryUnavailable):
        list(CloudDirectoryWorld(deployed).directory.users())


def test_a_token_without_truncation_means_nothing(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud)
    strike(deployed, "ListUsers", "garbage", body=PAGE % (1, b"false", b"t", USER))
    assert [user.name for user in everybody(CloudDirectoryWorld(deployed).directory)] == ["alice"]


def test_a_user_who_is_shown_again_is_yielded_once(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud)
    bob = USER.replace(b"u-1", b"u-2").replace(b"alice", b"bob")
    strike(deployed, "ListUsers", "garbage", body=PAGE % (2, b"true", b"t", USER + b"," + USER))
    strike(deployed, "ListUsers", "garbage", body=PAGE % (3, b"false", b"", USER + b"," + bob), nth=2)
    assert [user.name for user in everybody(CloudDirectoryWorld(deployed).directory)] == ["alice", "bob"]


def test_another_programs_tag_without_a_value_is_no_reason_to_know_nobody(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud)
    tagged = USER.replace(b"}", b', "Tags": [{"Key": "team"}, {"Key": "password-rotation", "Value": "enabled"}]}')
    strike(deployed, "ListUsers", "garbage", body=PAGE % (1, b"false", b"", tagged))
    assert [user.opted_in for user in everybody(CloudDirectoryWorld(deployed).directory)] == [True]


@pytest.mark.parametrize("age", [b"0", b"-1", b"null", b'"90"', b"1e9", b"true"])
def test_a_policy_whose_age_makes_no_sense_is_unreadable(deployed: Deployment, age: bytes) -> None:
    policy = b'{"RequestId": "1", "PasswordPolicy": {"MaxPasswordAge": %s}}' % age
    strike(deployed, "GetPasswordPolicy", "garbage", body=policy)
    with pytest.raises(DirectoryUnavailable):
        CloudDirectoryWorld(deployed).directory.max_password_age()


@pytest.mark.parametrize("action", ["ListUsers", "GetPasswordPolicy", "GetExternalSAMLIdentityProvider"])
def test_a_wrong_directory_is_a_wrong_setting_for_whoever_scans(deployed: Deployment, action: str) -> None:
    strike(deployed, action, "error", status=404, code="EntityNotExists.Directory")
    directory = CloudDirectoryWorld(deployed).directory
    with pytest.raises(SettingsError, match="CLOUDSSO_DIRECTORY_ID"):
        (list(directory.users()), directory.max_password_age(), directory.sso_enabled())


def test_a_wrong_directory_is_a_wrong_setting(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud)
    strike(deployed, "ListUsers", "error", status=404, code="EntityNotExists.Directory")
    with pytest.raises(SettingsError, match="CLOUDSSO_DIRECTORY_ID"):
        CloudDirectoryWorld(deployed).directory.find(ALICE)


def test_a_refused_candidate_is_told_with_the_directorys_policy(deployed: Deployment) -> None:
    with pytest.raises(PasswordRejected, match="MinPasswordLength"):
        reset(deployed, candidate=Password("short"))
    assert deployed.signs_in("alice", OLD.reveal()) == "ok"


def test_a_refused_candidate_is_told_even_if_the_policy_cannot_be_read(deployed: Deployment) -> None:
    strike(deployed, "GetPasswordPolicy", "error", status=403, code="NoPermission")
    with pytest.raises(PasswordRejected, match="unknown"):
        reset(deployed, candidate=Password("short"))


def test_a_refusal_of_unknown_cause_names_the_code_and_the_request(deployed: Deployment) -> None:
    strike(deployed, "ResetUserPassword", "error", status=400, code="Surprise.Of.The.Day")
    with pytest.raises(ResetNotAllowed, match=r"400 Surprise\.Of\.The\.Day, request [0-9A-F-]{36}"):
        reset(deployed)


def test_a_refusal_is_told_even_if_its_cause_cannot_be_asked_for(deployed: Deployment) -> None:
    strike(deployed, "ResetUserPassword", "error", status=400, code="Surprise.Of.The.Day")
    strike(deployed, "GetExternalSAMLIdentityProvider", "error", status=403, code="NoPermission")
    with pytest.raises(ResetNotAllowed, match="Surprise"):
        reset(deployed)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "NoPermission"),
        (400, "Forbidden.RAM"),
        (404, "InvalidAccessKeyId.NotFound"),
        (400, "InvalidSecurityToken.Expired"),
        (400, "SignatureDoesNotMatch"),
        (401, "Anything"),
    ],
)
def test_what_speaks_of_the_caller_is_denied(deployed: Deployment, status: int, code: str) -> None:
    strike(deployed, "ResetUserPassword", "error", status=status, code=code)
    with pytest.raises(DirectoryDenied):
        reset(deployed, candidate=CANDIDATE)
    assert deployed.signs_in("alice", OLD.reveal()) == "ok"


def _two_alices() -> bytes:
    return (
        b'{"RequestId": "1", "TotalCounts": 2, "Users": [{"UserId": "u-1", "UserName": "Alice", "Status": "Enabled"},'
        b' {"UserId": "u-2", "UserName": "alice", "Status": "Enabled"}]}'
    )
