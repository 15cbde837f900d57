"""KMS as an administrator sees it: secrets, listings, tags, deletion, RAM resources, what is stored."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest

from tests.localcloud.api import Clock, Json
from tests.localcloud.kms.service import Kms
from tests.localcloud.state import MemoryStore
from tests.loopback.directly import ACCOUNT, REGION, Caller, Switchboard

DAY = 24 * 3600
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FIRST = {"VersionId": "v1", "SecretData": "one"}


@dataclass
class World:
    clock: Clock
    switches: Switchboard
    store: MemoryStore
    kms: Kms
    call: Caller

    def names(self, *filters: Json) -> list[str]:
        """Return the names that ListSecrets finds."""
        answer = self.call("ListSecrets", PageSize="100", **filtered(*filters))
        return [secret["SecretName"] for secret in answer["SecretList"]["Secret"]]

    def tags(self, name: str) -> dict[str, str]:
        """Return the tags of a secret."""
        listed = self.call("DescribeSecret", SecretName=name, FetchTags="true")["Tags"]["Tag"]
        return {tag["TagKey"]: tag["TagValue"] for tag in listed}


def filtered(*filters: Json) -> dict[str, str]:
    return {"Filters": json.dumps(filters)} if filters else {}


def tag_list(**tags: str) -> str:
    return json.dumps([{"TagKey": key, "TagValue": value} for key, value in tags.items()])


def world_with(
    quota: int | None = None, known_keys: list[str] | None = None, known_instances: list[str] | None = None
) -> World:
    clock, switches, store = Clock(), Switchboard(), MemoryStore()
    kms = Kms(clock, switches, store, quota=quota, known_keys=known_keys, known_instances=known_instances)
    return World(clock, switches, store, kms, Caller(kms))


@pytest.fixture
def world() -> World:
    return world_with()


@pytest.fixture
def secret(world: World) -> str:
    world.call("CreateSecret", SecretName="team/alice", **FIRST)
    return "team/alice"


# --- CreateSecret


def test_a_creation_answers_in_the_documented_shape_and_makes_its_version_current(world: World) -> None:
    assert world.call("CreateSecret", SecretName="team/alice", **FIRST) == {
        "Arn": f"acs:kms:{REGION}:{ACCOUNT}:secret/team/alice",
        "SecretName": "team/alice",
        "VersionId": "v1",
        "SecretType": "Generic",
    }
    value = world.call("GetSecretValue", SecretName="team/alice")
    assert (value["SecretData"], value["VersionStages"]) == ("one", {"VersionStage": ["ACSCurrent"]})


def test_a_name_exists_once_even_with_the_same_value(world: World, secret: str) -> None:
    assert world.call.refused("CreateSecret", SecretName=secret, **FIRST) == "409 Rejected.ResourceExist"


@pytest.mark.parametrize("missing", ["SecretName", "VersionId", "SecretData"])
def test_a_creation_without_a_needed_parameter_is_refused(world: World, missing: str) -> None:
    params = {"SecretName": "a", **FIRST, missing: ""}
    assert world.call.refused("CreateSecret", **params) == "400 MissingParameter"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SecretName", "a b"),
        ("SecretName", "a" * 193),
        ("SecretName", "acs/a"),
        ("SecretName", "a:b"),
        ("VersionId", "v" * 65),
        ("SecretData", "d" * 30_721),
        ("SecretData", "\N{SNOWMAN}" * 10_241),
        ("SecretDataType", "json"),
        ("SecretType", "Special"),
        ("EnableAutomaticRotation", "true"),
        ("Tags", "{}"),
        ("Tags", "nonsense"),
        ("Tags", "[" * 100_000),
        ("Tags", '["a"]'),
        ("Tags", tag_list(aliyunx="1")),
        ("Tags", '[{"TagKey":"acs:x"}]'),
        ("Tags", '[{"TagKey":"a b"}]'),
        ("Tags", '[{"TagValue":"a"}]'),
        ("Tags", tag_list(**{f"k{n}": "v" for n in range(21)})),
    ],
)
def test_a_creation_beyond_the_documented_limits_is_refused(world: World, name: str, value: str) -> None:
    params = {"SecretName": "a", **FIRST, name: value}
    assert world.call.refused("CreateSecret", **params) == "400 InvalidParameter"
    assert world.kms.secret_names() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("SecretName", "a/_+=.@-Z9"), ("SecretName", "a" * 192), ("VersionId", "v" * 64), ("SecretData", "d" * 30_720)],
)
def test_a_creation_at_the_documented_limits_is_taken(world: World, name: str, value: str) -> None:
    world.call("CreateSecret", **{"SecretName": "a", **FIRST, name: value})
    assert len(world.kms.secret_names()) == 1


def test_the_quota_of_secrets_holds() -> None:
    world = world_with(quota=1)
    world.call("CreateSecret", SecretName="a", **FIRST)
    assert world.call.refused("CreateSecret", SecretName="b", **FIRST) == "400 Rejected.LimitExceeded"


def test_key_and_instance_are_remembered_and_shown(world: World) -> None:
    answer = world.call("CreateSecret", SecretName="a", EncryptionKeyId="key-1", DKMSInstanceId="kst-1", **FIRST)
    described = world.call("DescribeSecret", SecretName="a")
    assert answer["DKMSInstanceId"] == "kst-1"
    assert (described["EncryptionKeyId"], described["DKMSInstanceId"]) == ("key-1", "kst-1")


def test_an_unknown_key_or_instance_is_refused_when_the_known_ones_are_given() -> None:
    world = world_with(known_keys=["key-1"], known_instances=["kst-1"])
    refused = world.call.refused("CreateSecret", SecretName="a", EncryptionKeyId="key-2", **FIRST)
    assert refused == "404 Forbidden.KeyNotFound"
    refused = world.call.refused("CreateSecret", SecretName="a", DKMSInstanceId="kst-2", **FIRST)
    assert refused == "404 Forbidden.DKMSInstanceNotFound"
    world.call("CreateSecret", SecretName="a", EncryptionKeyId="key-1", DKMSInstanceId="kst-1", **FIRST)
    world.call("CreateSecret", SecretName="b", **FIRST)


# --- DescribeSecret, UpdateSecret


def test_a_description_has_the_documented_shape_and_no_versions(world: World) -> None:
    world.call("CreateSecret", SecretName="a", Description="of alice", Tags=tag_list(team="x"), **FIRST)
    described = world.call("DescribeSecret", SecretName="a", FetchTags="true")
    assert TIME.fullmatch(described.pop("CreateTime"))
    assert TIME.fullmatch(described.pop("UpdateTime"))
    assert described == {
        "Arn": f"acs:kms:{REGION}:{ACCOUNT}:secret/a",
        "SecretName": "a",
        "SecretType": "Generic",
        "Description": "of alice",
        "Tags": {"Tag": [{"TagKey": "team", "TagValue": "x"}]},
    }


def test_tags_are_absent_unless_they_are_fetched(world: World, secret: str) -> None:
    assert "Tags" not in world.call("DescribeSecret", SecretName=secret)
    assert "Tags" not in world.call("ListSecrets")["SecretList"]["Secret"][0]
    assert world.call("ListSecrets", FetchTags="true")["SecretList"]["Secret"][0]["Tags"] == {"Tag": []}


def test_a_description_is_updated_and_moves_the_update_time(world: World, secret: str) -> None:
    before = world.call("DescribeSecret", SecretName=secret)["UpdateTime"]
    world.clock.shift(60)
    assert world.call("UpdateSecret", SecretName=secret, Description="new") == {"SecretName": secret}
    after = world.call("DescribeSecret", SecretName=secret)
    assert after["Description"] == "new"
    assert after["UpdateTime"] > before


@pytest.mark.parametrize(
    "action",
    [
        "DescribeSecret",
        "UpdateSecret",
        "DeleteSecret",
        "RestoreSecret",
        "GetSecretValue",
        "ListSecretVersionIds",
    ],
)
def test_a_secret_that_does_not_exist_is_not_found(world: World, action: str) -> None:
    assert world.call.refused(action, SecretName="none") == "404 Forbidden.ResourceNotFound"
    assert world.call.refused(action) == "400 MissingParameter"


# --- ListSecrets


def test_secrets_are_listed_by_page_numbers_in_the_documented_shape(world: World) -> None:
    world.kms.seed_secrets(25)
    first, third, beyond = (world.call("ListSecrets", PageNumber=number) for number in ("1", "3", "4"))
    assert (first["TotalCount"], first["PageNumber"], first["PageSize"]) == (25, 1, 10)
    assert [secret["SecretName"] for secret in third["SecretList"]["Secret"]] == [
        f"secret{n:06}" for n in range(20, 25)
    ]
    assert beyond["SecretList"] == {"Secret": []}
    assert set(first["SecretList"]["Secret"][0]) == {"SecretName", "SecretType", "CreateTime", "UpdateTime"}


@pytest.mark.parametrize(("name", "value"), [("PageNumber", "0"), ("PageSize", "0"), ("PageSize", "101")])
def test_a_page_outside_its_ranges_is_refused(world: World, name: str, value: str) -> None:
    assert world.call.refused("ListSecrets", **{name: value}) == "400 InvalidParameter"


@pytest.mark.parametrize(("reading", "found"), [("prefix", ["al", "alice"]), ("exact", ["al"])])
def test_a_name_filter_matches_by_prefix_or_exactly_as_the_switch_says(
    world: World, reading: str, found: list[str]
) -> None:
    world.switches.turn(name_filter=reading)
    for name in ("al", "alice", "bob"):
        world.call("CreateSecret", SecretName=name, **FIRST)
    assert world.names({"Key": "SecretName", "Values": ["al"]}) == found


def test_the_switch_of_the_name_filter_works_between_two_equal_questions(world: World) -> None:
    world.call("CreateSecret", SecretName="alice", **FIRST)
    question = {"Key": "SecretName", "Values": ["al"]}
    assert world.names(question) == ["alice"]
    world.switches.turn(name_filter="exact")
    assert world.names(question) == []


def test_values_of_one_filter_are_alternatives_and_filters_must_all_be_met(world: World) -> None:
    world.call("CreateSecret", SecretName="a", Tags=tag_list(team="x"), **FIRST)
    world.call("CreateSecret", SecretName="b", Tags=tag_list(team="y"), **FIRST)
    world.call("CreateSecret", SecretName="c", Tags=tag_list(owner="x"), Description="third", **FIRST)
    team = {"Key": "TagKey", "Values": ["team"]}
    assert world.names(team) == ["a", "b"]
    assert world.names({"Key": "TagValue", "Values": ["x", "z"]}) == ["a", "c"]
    assert world.names(team, {"Key": "TagValue", "Values": ["x"]}) == ["a"]
    assert world.names({"Key": "Description", "Values": ["third"]}) == ["c"]


def test_secrets_are_filtered_by_type_instance_and_creator(world: World) -> None:
    world.call("CreateSecret", SecretName="a", DKMSInstanceId="kst-1", **FIRST)
    world.call("CreateSecret", SecretName="b", SecretType="Rds", **FIRST)
    assert world.names({"Key": "SecretType", "Values": ["RDS"]}) == ["b"]
    assert world.names({"Key": "DKMSInstanceId", "Values": ["kst-1"]}) == ["a"]
    assert world.names({"Key": "Creator", "Values": ["rds"]}) == []


def test_a_filtered_listing_sees_what_changed_since_the_same_question(world: World, secret: str) -> None:
    question = {"Key": "TagKey", "Values": ["team"]}
    assert world.names(question) == []
    world.call("TagResource", SecretName=secret, Tags=tag_list(team="x"))
    assert world.names(question) == [secret]
    world.call("DeleteSecret", SecretName=secret, ForceDeleteWithoutRecovery="true")
    assert world.names(question) == []


def test_a_tag_filter_finds_at_most_4000(world: World) -> None:
    world.kms.seed_secrets(4001)
    for start in range(0, 4001, 50):
        ids = {f"ResourceId.{n}": f"secret{start + n - 1:06}" for n in range(1, 51) if start + n <= 4001}
        many = {"RegionId": REGION, "ResourceType": "secret", "Tag.1.Key": "team", **ids}
        world.call("TagResources", **many)
    assert world.call("ListSecrets", **filtered({"Key": "TagKey", "Values": ["team"]}))["TotalCount"] == 4000


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"Key":"SecretName"}',
        '["SecretName"]',
        '[{"Key":"Colour","Values":["a"]}]',
        '[{"Key":"SecretName"}]',
        '[{"Key":"SecretName","Values":[]}]',
        '[{"Key":"SecretName","Values":[1]}]',
        json.dumps([{"Key": "SecretName", "Values": ["a"] * 11}]),
        json.dumps([{"Key": "SecretName", "Values": ["a"]}] * 11),
    ],
)
def test_a_filter_beyond_the_documented_form_is_refused(world: World, text: str) -> None:
    assert world.call.refused("ListSecrets", Filters=text) == "400 InvalidParameter"


# --- DeleteSecret, RestoreSecret


def test_a_deletion_waits_for_the_window_and_then_happens(world: World, secret: str) -> None:
    answer = world.call("DeleteSecret", SecretName=secret, RecoveryWindowInDays="7")
    assert answer["SecretName"] == secret
    assert world.call("DescribeSecret", SecretName=secret)["PlannedDeleteTime"] == answer["PlannedDeleteTime"]
    assert world.call("ListSecrets")["SecretList"]["Secret"][0]["PlannedDeleteTime"] == answer["PlannedDeleteTime"]
    world.clock.shift(7 * DAY - 60)
    assert world.names() == [secret]
    world.clock.shift(120)
    assert world.names() == []
    world.call("CreateSecret", SecretName=secret, **FIRST)


def test_the_window_is_thirty_days_unless_said_otherwise(world: World, secret: str) -> None:
    world.call("DeleteSecret", SecretName=secret)
    world.clock.shift(30 * DAY - 60)
    assert world.names() == [secret]
    world.clock.shift(120)
    assert world.names() == []


def test_a_name_in_the_window_is_blocked_and_its_secret_cannot_be_used(world: World, secret: str) -> None:
    world.call("DeleteSecret", SecretName=secret)
    assert world.call.refused("CreateSecret", SecretName=secret, **FIRST) == "409 Rejected.ResourceInDeleteWindow"
    version = {"VersionId": "v2", "SecretData": "two"}
    assert world.call.refused("PutSecretValue", SecretName=secret, **version) == "409 Rejected.Unavailable"
    assert world.call.refused("DeleteSecret", SecretName=secret) == "409 Rejected.Unavailable"
    assert world.call.refused("TagResource", SecretName=secret, Tags=tag_list(a="1")) == "409 Rejected.Unavailable"


@pytest.mark.parametrize(
    "code", ["409 Rejected.Unavailable", "409 Rejected.ResourceInDeleteWindow", "404 Forbidden.ResourceNotFound"]
)
@pytest.mark.parametrize("action", ["GetSecretValue", "ListSecretVersionIds", "UpdateSecret"])
def test_the_code_for_a_secret_in_deletion_is_the_switch_s(world: World, secret: str, code: str, action: str) -> None:
    world.switches.turn(secret_in_deletion=code)
    world.call("DeleteSecret", SecretName=secret)
    assert world.call.refused(action, SecretName=secret) == code


def test_a_restored_secret_is_as_it_was(world: World, secret: str) -> None:
    before = world.call("DescribeSecret", SecretName=secret)
    world.call("DeleteSecret", SecretName=secret)
    assert world.call("RestoreSecret", SecretName=secret) == {"SecretName": secret}
    assert world.call("DescribeSecret", SecretName=secret) == before
    world.clock.shift(40 * DAY)
    assert world.call("GetSecretValue", SecretName=secret)["SecretData"] == "one"


def test_a_live_secret_is_not_restored(world: World, secret: str) -> None:
    assert world.call.refused("RestoreSecret", SecretName=secret) == "409 Rejected.ResourceInUse"


@pytest.mark.parametrize("waiting", [True, False])
def test_a_forced_deletion_is_final_and_frees_the_name(world: World, secret: str, waiting: bool) -> None:  # noqa: FBT001 - both cases of one rule
    if waiting:
        world.call("DeleteSecret", SecretName=secret)
    world.call("DeleteSecret", SecretName=secret, ForceDeleteWithoutRecovery="true")
    assert world.call.refused("RestoreSecret", SecretName=secret) == "404 Forbidden.ResourceNotFound"
    world.call("CreateSecret", SecretName=secret, VersionId="v1", SecretData="new")
    assert world.call("GetSecretValue", SecretName=secret)["SecretData"] == "new"


@pytest.mark.parametrize("days", ["6", "31", "x"])
def test_a_window_outside_7_to_30_days_is_refused(world: World, secret: str, days: str) -> None:
    assert world.call.refused("DeleteSecret", SecretName=secret, RecoveryWindowInDays=days) == "400 InvalidParameter"


# --- tags


def test_tags_are_added_replaced_and_removed(world: World, secret: str) -> None:
    assert world.call("TagResource", SecretName=secret, Tags=tag_list(a="1", b="2")) == {}
    world.call("TagResource", SecretName=secret, Tags=tag_list(a="3"))
    assert world.tags(secret) == {"a": "3", "b": "2"}
    assert world.call("UntagResource", SecretName=secret, TagKeys='["a","z"]') == {}
    assert world.tags(secret) == {"b": "2"}


def test_a_tag_call_names_exactly_one_resource(world: World, secret: str) -> None:
    tags = tag_list(a="1")
    assert world.call.refused("TagResource", Tags=tags) == "400 MissingParameter"
    assert world.call.refused("TagResource", SecretName=secret, KeyId="k", Tags=tags) == "400 InvalidParameter"
    assert world.call.refused("TagResource", KeyId="k", Tags=tags) == "404 Forbidden.KeyNotFound"
    assert world.call.refused("TagResource", CertificateId="c", Tags=tags) == "404 Forbidden.ResourceNotFound"
    assert world.call.refused("TagResource", SecretName=secret) == "400 MissingParameter"
    assert world.call.refused("UntagResource", SecretName=secret) == "400 MissingParameter"
    assert world.call.refused("UntagResource", SecretName=secret, TagKeys="a") == "400 InvalidParameter"


def test_a_secret_has_at_most_twenty_tags(world: World, secret: str) -> None:
    world.call("TagResource", SecretName=secret, Tags=tag_list(**{f"k{n}": "v" for n in range(20)}))
    refused = world.call.refused("TagResource", SecretName=secret, Tags=tag_list(one_more="v"))
    assert refused == "400 Rejected.LimitExceeded"
    world.call("TagResource", SecretName=secret, Tags=tag_list(k0="w"))
    assert len(world.tags(secret)) == 20


def test_many_secrets_are_tagged_listed_and_untagged_together(world: World) -> None:
    world.kms.seed_secrets(3)
    many = {
        "RegionId": REGION,
        "ResourceType": "secret",
        "ResourceId.1": "secret000000",
        "ResourceId.2": "secret000001",
    }
    world.call("TagResources", **many, **{"Tag.1.Key": "a", "Tag.1.Value": "1", "Tag.2.Key": "b", "Tag.2.Value": "2"})
    listed = world.call("ListTagResources", RegionId=REGION, ResourceType="secret")["TagResources"]["TagResource"]
    first = {"ResourceId": "secret000000", "ResourceType": "secret", "TagKey": "a", "TagValue": "1"}
    assert (listed[0], len(listed)) == (first, 4)
    world.call("UntagResources", **many, **{"TagKey.1": "a"})
    assert world.tags("secret000001") == {"b": "2"}
    world.call("UntagResources", **many, All="true")
    assert world.tags("secret000001") == {}


def test_tags_of_many_change_for_all_or_for_none(world: World) -> None:
    world.kms.seed_secrets(1)
    many = {"RegionId": REGION, "ResourceType": "secret", "ResourceId.1": "secret000000", "ResourceId.2": "none"}
    assert world.call.refused("TagResources", **many, **{"Tag.1.Key": "a"}) == "404 Forbidden.ResourceNotFound"
    assert world.tags("secret000000") == {}


def test_tagged_resources_are_listed_in_pages_and_by_tag(world: World) -> None:
    world.kms.seed_secrets(60)
    for n in range(60):
        world.call("TagResource", SecretName=f"secret{n:06}", Tags=tag_list(team="x" if n else "y"))
    asked = {"RegionId": REGION, "ResourceType": "secret"}
    first = world.call("ListTagResources", **asked)
    second = world.call("ListTagResources", **asked, NextToken=first["NextToken"])
    assert [len(page["TagResources"]["TagResource"]) for page in (first, second)] == [50, 10]
    assert "NextToken" not in second
    by_tag = world.call("ListTagResources", **asked, **{"Tag.1.Key": "team", "Tag.1.Value": "y"})
    assert [tag["ResourceId"] for tag in by_tag["TagResources"]["TagResource"]] == ["secret000000"]
    by_key = world.call("ListTagResources", **asked, **{"Tag.1.Key": "team"})
    assert len(by_key["TagResources"]["TagResource"]) == 50
    by_id = world.call("ListTagResources", **asked, **{"ResourceId.1": "secret000007"})
    assert [tag["ResourceId"] for tag in by_id["TagResources"]["TagResource"]] == ["secret000007"]


@pytest.mark.parametrize("params", [{"ResourceType": "secret"}, {"RegionId": REGION}])
def test_the_newer_tag_calls_need_region_type_and_resources(world: World, params: dict[str, str]) -> None:
    assert world.call.refused("ListTagResources", **params) == "400 MissingParameter"
    assert world.call.refused("TagResources", **params, **{"Tag.1.Key": "a"}) == "400 MissingParameter"


def test_the_newer_tag_calls_take_at_most_fifty_secrets_and_need_tags(world: World, secret: str) -> None:
    kind = {"RegionId": REGION, "ResourceType": "secret"}
    too_many = {f"ResourceId.{n}": f"s{n}" for n in range(1, 52)}
    assert world.call.refused("TagResources", **kind, **too_many, **{"Tag.1.Key": "a"}) == "400 InvalidParameter"
    one = {**kind, "ResourceId.1": secret}
    assert world.call.refused("TagResources", **one) == "400 MissingParameter"
    assert world.call.refused("UntagResources", **one) == "400 MissingParameter"
    assert world.call.refused("TagResources", **one, **{"Tag.1.Key": "acs:a"}) == "400 InvalidParameter"


# --- RAM


def test_ram_is_asked_for_the_secret_or_for_the_container_in_all_its_spellings(world: World) -> None:
    container = f"acs:kms:{REGION}:{ACCOUNT}:secret"
    assert world.call.resources("CreateSecret", SecretName="a") == [container, f"{container}/*", f"{container}/a"]
    assert world.call.resources("ListSecrets") == [container, f"{container}/*"]
    assert world.call.resources("PutSecretValue", SecretName="a") == [f"{container}/a"]
    assert world.call.resources("PutSecretValue", SecretName=f"{container}/a") == [f"{container}/a"]
    assert world.call.resources("TagResource", KeyId="k") == [f"acs:kms:{REGION}:{ACCOUNT}:key/k"]


def test_ram_is_asked_for_a_user_managed_key_too(world: World, secret: str) -> None:
    world.call("CreateSecret", SecretName="a", EncryptionKeyId="key-1", **FIRST)
    key = f"acs:kms:{REGION}:{ACCOUNT}:key/key-1"
    arn = f"acs:kms:{REGION}:{ACCOUNT}:secret/a"
    assert world.call.also("CreateSecret", SecretName="b", EncryptionKeyId="key-1") == [("kms:GenerateDataKey", key)]
    assert world.call.also("PutSecretValue", SecretName="a") == [("kms:GenerateDataKey", key)]
    assert world.call.also("PutSecretValue", SecretName=arn) == [("kms:GenerateDataKey", key)]
    assert world.call.also("GetSecretValue", SecretName="a") == [("kms:Decrypt", key)]
    assert world.call.also("DescribeSecret", SecretName="a") == []
    assert world.call.also("GetSecretValue", SecretName=secret) == []


def test_ram_is_asked_for_every_tagged_secret(world: World) -> None:
    params = {"ResourceId.1": "a", "ResourceId.2": "b"}
    container = f"acs:kms:{REGION}:{ACCOUNT}:secret"
    assert world.call.resources("TagResources", **params) == [f"{container}/a"]
    assert world.call.also("TagResources", **params) == [("kms:TagResources", f"{container}/b")]


def test_ram_can_be_asked_about_a_call_that_lacks_everything(world: World) -> None:
    for action in world.kms.actions:
        assert world.call.resources(action)
        assert world.call.also(action) == []


# --- what is stored


def test_a_restart_on_the_same_store_forgets_nothing(world: World, secret: str) -> None:
    world.call("CreateSecret", SecretName="a", EncryptionKeyId="key-1", Tags=tag_list(x="y"), **FIRST)
    world.call("PutSecretValue", SecretName=secret, VersionId="v2", SecretData="two", VersionStages='["Mine"]')
    world.call("DeleteSecret", SecretName="a")
    again = Caller(Kms(world.clock, world.switches, world.store))
    for action, name in (("DescribeSecret", "a"), ("ListSecretVersionIds", secret), ("GetSecretValue", secret)):
        assert again(action, SecretName=name) == world.call(action, SecretName=name)
    assert again("ListSecrets", FetchTags="true") == world.call("ListSecrets", FetchTags="true")
    world.clock.shift(31 * DAY)
    assert again("ListSecrets")["TotalCount"] == 1


def test_no_repr_shows_a_value(world: World, secret: str) -> None:
    versions = world.kms.versions(secret)
    assert versions[0].data == "one"
    assert "'one'" not in repr(versions)
