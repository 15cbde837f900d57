"""What of SecretStore's contract only the adapter can show: the calls it makes, and the answers it does not trust."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from alibabacloud_kms20160120 import models as kms

from shared.errors import (
    RotatorError,
    SecretInDeletion,
    SecretNotFound,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    VersionConflict,
)
from shared.model import SecretName, SecretValue, VersionId
from tests.contract.stores import CloudStoreWorld
from tests.deployment import Deployment
from tests.fakes import user
from tests.localcloud.gateway.faults import Fault

FIRST, SECOND = VersionId("v-1"), VersionId("v-2")
VALUE = SecretValue("{}")
WHEN = {"CreateTime": "2026-01-01T00:00:00Z"}


@pytest.fixture
def world(deployed: Deployment) -> CloudStoreWorld:
    """Return a store with one secret of one version."""
    made = CloudStoreWorld(deployed)
    made.store.create(alice(made), FIRST, VALUE, user("alice"), send_by=made.now() + timedelta(seconds=2))
    deployed.cloud.calls.clear()
    return made


def alice(world: CloudStoreWorld) -> SecretName:
    return world.secret("alice")


def put(world: CloudStoreWorld, seconds: float = 2) -> None:
    send_by = world.now() + timedelta(seconds=seconds)
    world.store.put(alice(world), SECOND, VALUE, stage=None, send_by=send_by)


def answer(world: CloudStoreWorld, action: str, body: object) -> None:
    """Let the next call of an action be answered with a body of our own."""
    world._deployed.cloud.faults.arm(Fault(action, "garbage", body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    "body",
    [
        {"RequestId": "1", "SecretName": "s", "VersionId": "v-1"},  # another version's acknowledgement
        {"RequestId": "1", "SecretName": "s"},
        {"SecretName": "s", "VersionId": "v-2"},
        {"Code": "InternalFailure", "RequestId": "1"},
        {},
        [],
        None,
    ],
)
def test_a_put_is_acknowledged_by_its_own_version_only(world: CloudStoreWorld, body: object) -> None:
    answer(world, "PutSecretValue", body)
    with pytest.raises(SecretStoreUnavailable):
        put(world)
    put(world)  # the same again finds it there


@pytest.mark.parametrize(
    "body",
    [
        {"TotalCount": 2, "VersionIds": {"VersionId": [{"VersionId": "v-1", **WHEN}]}},  # not all of them
        {"TotalCount": 0, "VersionIds": {"VersionId": [{"VersionId": "v-1", **WHEN}]}},
        {"TotalCount": 1, "VersionIds": {"VersionId": [{"VersionId": "v-1", "CreateTime": "2026-01-01T00:00:00"}]}},
        {"TotalCount": 1, "VersionIds": {"VersionId": [{"VersionId": "v-1"}]}},
        {"VersionIds": {"VersionId": []}},
        {"Code": "Forbidden.ResourceNotFound", "RequestId": "1"},
        {},
        [],
        None,
    ],
)
def test_a_listing_that_is_not_whole_is_none_at_all(world: CloudStoreWorld, body: object) -> None:
    answer(world, "ListSecretVersionIds", body)
    with pytest.raises(SecretStoreUnavailable):
        world.store.versions(alice(world))


def test_each_method_is_one_call(world: CloudStoreWorld, deployed: Deployment) -> None:
    world.store.versions(alice(world))
    put(world)
    world.store.tag(alice(world), {"Note": "x"})
    world.store.tags(alice(world))
    assert deployed.actions() == ["ListSecretVersionIds", "PutSecretValue", "TagResource", "DescribeSecret"]


def test_a_write_is_sent_again_while_there_is_time_and_not_after(world: CloudStoreWorld, deployed: Deployment) -> None:
    deployed.cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=1, count=2))
    with pytest.raises(SecretStoreUnavailable):
        put(world, seconds=2)
    put(world, seconds=20)
    assert deployed.actions() == ["PutSecretValue"] * 3


def test_nothing_is_sent_after_send_by(world: CloudStoreWorld, deployed: Deployment) -> None:
    with pytest.raises(SecretStoreUnavailable):
        put(world, seconds=-1)
    assert deployed.actions() == []
    assert world.value(alice(world), SECOND) is None


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "Forbidden.ResourceNotFound", SecretNotFound),
        (409, "Rejected.ResourceInDeleteWindow", SecretInDeletion),
        (409, "Rejected.Unavailable", SecretInDeletion),
        (403, "Forbidden.NoPermission", SecretStoreDenied),
        (404, "Forbidden.KeyNotFound", SecretStoreDenied),
        (409, "Rejected.Disabled", SecretStoreDenied),
        (400, "InvalidSecurityToken.Expired", SecretStoreDenied),
        (400, "Rejected.LimitExceeded", SecretRefused),
        (409, "Rejected.ResourceExist", VersionConflict),
        (400, "Surprise.Of.The.Day", VersionConflict),
        (500, "InternalFailure", SecretStoreUnavailable),
        (429, "Rejected.Throttling", SecretStoreUnavailable),
    ],
)
def test_a_refused_put_is_told_by_what_its_code_means_with_code_and_request(
    world: CloudStoreWorld, deployed: Deployment, status: int, code: str, error: type[RotatorError]
) -> None:
    deployed.cloud.faults.arm(Fault("PutSecretValue", "error", status=status, code=code))
    with pytest.raises(error, match=rf"{status} {code}, request [0-9A-F-]{{36}}"):
        put(world)
    assert world.value(alice(world), SECOND) is None


def test_a_refused_creation_of_unknown_cause_is_no_conflict_of_versions(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    deployed.cloud.faults.arm(Fault("CreateSecret", "error", status=400, code="Surprise.Of.The.Day"))
    with pytest.raises(SecretRefused, match="Surprise"):
        world.store.create(alice(world), FIRST, VALUE, user("alice"), send_by=world.now() + timedelta(seconds=2))
    assert world.store.versions(alice(world)) is None


# ---------------------------------------------------------------------------------------------------------- managed


def seed(deployed: Deployment, count: int, prefix: str = "seeded") -> None:
    deployed.cloud.kms.seed_secrets(count, prefix, tags=lambda _position: tagged(deployed))


def tagged(deployed: Deployment) -> dict[str, str]:
    return {"ManagedBy": "cloudsso-rotator", "DirectoryId": deployed.directory_id}


def drop(deployed: Deployment, name: str) -> None:
    """Delete a secret for good, as an administrator may at any moment."""
    request = kms.DeleteSecretRequest(secret_name=name, force_delete_without_recovery="true")
    deployed._kms.delete_secret(request)


def seen(world: CloudStoreWorld, after_a_page: Callable[[], None] = lambda: None) -> list[str]:
    """Return the names that a listing yields, with something happening once its first page was read."""
    listing = world.store.managed(world.directory_id)
    names = [one.secret for one in next(listing)]
    after_a_page()
    return [*names, *(one.secret for page in listing for one in page)]


@pytest.mark.parametrize("count", [1, 100, 101, 300])
def test_a_listing_takes_a_call_for_a_hundred_secrets_with_their_tags(deployed: Deployment, count: int) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, count)
    deployed.cloud.calls.clear()
    assert len(seen(world)) == count
    assert deployed.actions() == ["ListSecrets"] * -(-count // 100)
    asked = {(call.params["FetchTags"], call.params["PageSize"]) for call in deployed.cloud.calls.matching()}
    assert asked == {("true", "100")}
    assert not any("Filters" in call.params for call in deployed.cloud.calls.matching())


def test_more_secrets_are_listed_than_a_filter_by_tag_would_return(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, 4100)
    assert len(set(seen(world))) == 4100


def test_a_listing_that_a_deletion_shifted_is_repeated_so_that_nobody_is_missed(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, 250)
    names = seen(world, lambda: drop(deployed, "seeded000005"))
    assert len(names) > 250
    assert set(names) >= {f"seeded{number:06}" for number in range(250)}


def test_a_listing_that_grows_meanwhile_is_whole(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, 250)
    deployed.cloud.calls.clear()
    assert set(seen(world, lambda: seed(deployed, 60, "late"))) >= {f"seeded{number:06}" for number in range(250)}
    assert deployed.actions() == ["ListSecrets"] * 4


def test_a_listing_that_never_comes_to_rest_is_given_up(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, 250)
    deployed.cloud.calls.clear()
    victims = iter(range(250))
    deployed.cloud.faults.after("ListSecrets", lambda: drop(deployed, f"seeded{next(victims):06}"), count=9)
    with pytest.raises(SecretStoreUnavailable, match="changed while it was read"):
        seen(world)
    assert deployed.actions().count("ListSecrets") == 2 * 3  # the second page of each told it


def listed(*names: str, total: int, page: int = 1, tags: list[dict[str, str]] | None = None) -> bytes:
    """Return an answer of ListSecrets."""
    secrets = [{"SecretName": name, "Tags": {"Tag": tags or []}} for name in names]
    return json.dumps({"TotalCount": total, "PageNumber": page, "SecretList": {"Secret": secrets}}).encode()


@pytest.mark.parametrize("body", [b'{"RequestId": "\xff", "SecretName": "s", "VersionId": "v"}', b"[" * 100_000])
def test_an_acknowledgement_that_cannot_be_read_is_none(
    world: CloudStoreWorld, deployed: Deployment, body: bytes
) -> None:
    deployed.cloud.faults.arm(Fault("PutSecretValue", "garbage", body=body))
    with pytest.raises(SecretStoreUnavailable, match="cannot be read") as raised:
        put(world)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_one_page_shown_for_another_does_not_stand_for_the_secrets_that_were_not_shown(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    same = [f"seeded{number:06}" for number in range(100)]
    for nth in range(1, 9):
        body = listed(*same, total=200, page=2 - nth % 2)
        deployed.cloud.faults.arm(Fault("ListSecrets", "garbage", body=body, nth=nth))
    with pytest.raises(SecretStoreUnavailable):
        seen(world)


def test_a_count_that_is_too_small_does_not_end_a_listing_before_its_last_page(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    seed(deployed, 250)
    tags = [{"TagKey": key, "TagValue": value} for key, value in tagged(deployed).items()]
    names = [f"seeded{number:06}" for number in range(100)]
    deployed.cloud.faults.arm(Fault("ListSecrets", "garbage", body=listed(*names, total=40, tags=tags)))
    assert len(seen(world)) == 250


def test_another_programs_tag_without_a_value_ends_no_listing(deployed: Deployment) -> None:
    world = CloudStoreWorld(deployed)
    tags = [{"TagKey": key, "TagValue": value} for key, value in tagged(deployed).items()]
    body = listed("ours", total=1, tags=[{"TagKey": "team"}, *tags])
    deployed.cloud.faults.arm(Fault("ListSecrets", "garbage", body=body))
    assert seen(world) == ["ours"]


@pytest.mark.parametrize(
    "body",
    [
        {"TotalCount": 2, "PageNumber": 1, "SecretList": {"Secret": [{"SecretName": "s"}]}},  # not all of them
        {"TotalCount": 1, "PageNumber": 2, "SecretList": {"Secret": [{"SecretName": "s"}]}},  # another page
        {"TotalCount": 1, "PageNumber": 1, "SecretList": {"Secret": [{"CreateTime": "x"}]}},
        {"TotalCount": 1, "PageNumber": 1},
        {"PageNumber": 1, "SecretList": {"Secret": []}},
        {},
        [],
        None,
    ],
)
def test_a_list_of_secrets_that_is_not_whole_is_none_at_all(deployed: Deployment, body: object) -> None:
    world = CloudStoreWorld(deployed)
    deployed.cloud.faults.arm(Fault("ListSecrets", "garbage", body=json.dumps(body).encode(), count=9))
    with pytest.raises(SecretStoreUnavailable):
        list(world.store.managed(world.directory_id))
