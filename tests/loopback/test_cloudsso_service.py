"""CloudSSO as an administrator sees it: users, listings, resets, settings, RAM resources, what is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.localcloud.api import Clock
from tests.localcloud.cloudsso.service import CloudSSO
from tests.localcloud.state import MemoryStore
from tests.loopback.directly import ACCOUNT, REGION, Caller, SlowStore, Switchboard, all_at_once

DIRECTORY = "d-00fc2p61loop"
GOOD = "Aa1$good-enough"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass
class World:
    clock: Clock
    switches: Switchboard
    store: MemoryStore
    service: CloudSSO
    call: Caller

    def again(self) -> World:
        """Start the service anew on what it stored."""
        return world_on(self.clock, self.switches, self.store)


def world_on(clock: Clock, switches: Switchboard, store: MemoryStore) -> World:
    service = CloudSSO(clock, switches, store)
    return World(clock, switches, store, service, Caller(service, DirectoryId=DIRECTORY))


@pytest.fixture
def world() -> World:
    return world_on(Clock(), Switchboard(), MemoryStore())


@pytest.fixture
def alice(world: World) -> str:
    return world.service.add_user("alice")


# --- ResetUserPassword


def test_a_supplied_password_becomes_live_and_is_not_answered(world: World, alice: str) -> None:
    assert world.call("ResetUserPassword", UserId=alice, Password=GOOD) == {}
    assert world.service.sign_in("alice", GOOD).answer == "ok"


def test_a_generated_password_is_answered_and_live(world: World, alice: str) -> None:
    answer = world.call("ResetUserPassword", UserId=alice, GenerateRandomPassword="True")
    assert list(answer) == ["NewPassword"]
    assert len(answer["NewPassword"]) == 32
    assert world.service.sign_in("alice", answer["NewPassword"]).answer == "ok"


def test_a_repeated_generated_reset_makes_another_password_and_only_that_is_valid(world: World, alice: str) -> None:
    asked = {"UserId": alice, "GenerateRandomPassword": "true"}
    first, second = (world.call("ResetUserPassword", **asked)["NewPassword"] for _ in range(2))
    assert first != second
    assert world.service.sign_in("alice", first).answer == "wrong"
    assert world.service.sign_in("alice", second).answer == "ok"


def test_a_supplied_password_is_ignored_when_one_is_generated(world: World, alice: str) -> None:
    answer = world.call("ResetUserPassword", UserId=alice, Password="weak", GenerateRandomPassword="TRUE")
    assert answer["NewPassword"] != "weak"


@pytest.mark.parametrize("spelling", ["True", "true", "TRUE", "tRuE"])
def test_booleans_are_taken_in_any_case(world: World, alice: str, spelling: str) -> None:
    world.call("ResetUserPassword", UserId=alice, Password=GOOD, RequirePasswordResetForNextLogin=spelling)
    assert world.service.sign_in("alice", GOOD).answer == "change-required"


@pytest.mark.parametrize("name", ["GenerateRandomPassword", "RequirePasswordResetForNextLogin"])
def test_a_boolean_that_is_none_is_refused(world: World, alice: str, name: str) -> None:
    params = {"UserId": alice, "Password": GOOD, name: "yes"}
    assert world.call.refused("ResetUserPassword", **params) == "400 InvalidParameter"


@pytest.mark.parametrize("name", ["DirectoryId", "UserId", "Password"])
def test_a_reset_without_a_needed_parameter_is_refused(world: World, alice: str, name: str) -> None:
    params = {"UserId": alice, "Password": GOOD, name: ""}
    assert world.call.refused("ResetUserPassword", **params) == "400 MissingParameter"


def test_an_unknown_parameter_is_ignored(world: World, alice: str) -> None:
    assert world.call("ResetUserPassword", UserId=alice, Password=GOOD, Nonsense="1") == {}


def test_another_directory_does_not_exist(world: World, alice: str) -> None:
    refused = world.call.refused("ResetUserPassword", DirectoryId="d-other", UserId=alice, Password=GOOD)
    assert refused == "404 EntityNotExists.Directory"


@pytest.mark.parametrize("user_id", ["u-none", "alice"])
def test_an_unknown_user_or_a_user_name_does_not_exist(world: World, alice: str, user_id: str) -> None:
    assert world.call.refused("ResetUserPassword", UserId=user_id, Password=GOOD) == "404 EntityNotExists.User"


@pytest.mark.parametrize(
    "code",
    ["400 OperationDenied.SSOEnabled", "409 OperationConflict.SSO", "403 Forbidden.Operation", "400 InvalidParameter"],
)
def test_a_reset_is_refused_while_sso_logon_is_enabled(world: World, alice: str, code: str) -> None:
    world.switches.turn(sso_enabled=code)
    world.call("SetExternalSAMLIdentityProvider", SSOStatus="Enabled")
    assert world.call.refused("ResetUserPassword", UserId=alice, Password=GOOD) == code
    assert world.service.resets(alice) == []


def test_a_reset_is_possible_again_after_sso_logon_is_disabled(world: World, alice: str) -> None:
    world.call("SetExternalSAMLIdentityProvider", SSOStatus="Enabled")
    world.call("SetExternalSAMLIdentityProvider", SSOStatus="Disabled")
    assert world.call("ResetUserPassword", UserId=alice, Password=GOOD) == {}


def test_a_user_who_got_another_name_is_found_by_it_and_not_by_the_old_one(world: World, alice: str) -> None:
    world.service.rename_user(alice, "alice.b")
    (found,) = world.call("ListUsers", Filter="UserName eq ALICE.B")["Users"]
    assert (found["UserId"], found["UserName"]) == (alice, "alice.b")
    assert world.call("ListUsers", Filter="UserName eq alice")["Users"] == []


def test_a_synchronized_user_is_reset_or_refused_by_the_switch(world: World, alice: str) -> None:
    world.service.synchronize_user(alice)
    refused = world.call.refused("ResetUserPassword", UserId=alice, Password=GOOD)
    assert refused == "400 OperationDenied.SynchronizedUser"
    world.switches.turn(synchronized_resettable=True)
    assert world.call("ResetUserPassword", UserId=alice, Password=GOOD) == {}


def test_a_disabled_user_is_reset_or_refused_by_the_switch(world: World, alice: str) -> None:
    world.call("UpdateUserStatus", UserId=alice, NewStatus="Disabled")
    assert world.call("ResetUserPassword", UserId=alice, Password=GOOD) == {}
    world.switches.turn(disabled_resettable=False)
    refused = world.call.refused("ResetUserPassword", UserId=alice, Password="Bb2$other")
    assert refused == "400 OperationDenied.DisabledUser"


@pytest.mark.parametrize("moves", [False, True])
def test_a_reset_moves_the_update_time_only_if_the_switch_says_so(world: World, alice: str, moves: bool) -> None:  # noqa: FBT001 - the switch itself
    world.switches.turn(reset_touches_update_time=moves)
    before = world.call("GetUser", UserId=alice)["User"]["UpdateTime"]
    world.clock.shift(60)
    world.call("ResetUserPassword", UserId=alice, Password=GOOD)
    assert (world.call("GetUser", UserId=alice)["User"]["UpdateTime"] != before) is moves


def test_applied_resets_are_remembered_with_their_times_and_refused_ones_are_not(world: World, alice: str) -> None:
    before = world.clock.now()
    world.call("ResetUserPassword", UserId=alice, Password=GOOD)
    world.call.refused("ResetUserPassword", UserId=alice, Password="weak")
    world.clock.shift(60)
    world.call("ResetUserPassword", UserId=alice, GenerateRandomPassword="True")
    first, second = world.service.resets(alice)
    assert before <= first < second <= world.clock.now()


def test_a_hook_plants_the_generated_password(world: World, alice: str) -> None:
    world.service.generate = lambda user_name: f"MARKER-{user_name}"
    answer = world.call("ResetUserPassword", UserId=alice, GenerateRandomPassword="True")
    assert answer == {"NewPassword": "MARKER-alice"}
    assert world.service.sign_in("alice", "MARKER-alice").answer == "ok"


def test_concurrent_resets_are_applied_one_after_the_other() -> None:
    world = world_on(Clock(), Switchboard(), SlowStore())
    alice = world.service.add_user("alice")

    def reset(_number: int) -> None:
        world.call("ResetUserPassword", UserId=alice, GenerateRandomPassword="True")

    all_at_once(16, reset)
    assert len(world.service.resets(alice)) == 16


# --- users


def test_a_user_is_shown_in_the_documented_shape(world: World) -> None:
    params = {"UserName": "Bob", "DisplayName": "Bob Lee", "FirstName": "Bob", "LastName": "Lee"}
    more = {"Email": "bob@example.com", "Description": "A user.", "Tags.1.Key": "team", "Tags.1.Value": "a b"}
    made = world.call("CreateUser", **params, **more)["User"]
    shown = world.call("GetUser", UserId=made["UserId"])["User"]
    assert shown == made
    times = {shown.pop("CreateTime"), shown.pop("UpdateTime")}
    assert all(TIME.fullmatch(time) for time in times)
    assert shown == {
        "UserId": "u-00q8wbq42wiltcrk0001",
        "UserName": "Bob",
        "DisplayName": "Bob Lee",
        "FirstName": "Bob",
        "LastName": "Lee",
        "Email": "bob@example.com",
        "Description": "A user.",
        "Status": "Enabled",
        "ProvisionType": "Manual",
        "Tags": [{"Key": "team", "Value": "a b"}],
    }


def test_a_synchronized_user_shows_its_external_id(world: World, alice: str) -> None:
    world.service.synchronize_user(alice, "c73-a5fdd5")
    shown = world.call("GetUser", UserId=alice)["User"]
    assert shown["ProvisionType"] == "Synchronized"
    assert shown["ExternalId"] == {"Id": "c73-a5fdd5", "Issuer": "SCIM"}


def test_a_user_name_or_an_e_mail_address_is_given_once_whatever_its_case(world: World, alice: str) -> None:
    assert world.call.refused("CreateUser", UserName="ALICE") == "409 EntityAlreadyExists.User"
    world.call("CreateUser", UserName="bob", Email="bob@example.com")
    refused = world.call.refused("CreateUser", UserName="bob2", Email="BOB@example.com")
    assert refused == "409 EntityAlreadyExists.User"


def test_a_removed_user_s_e_mail_address_is_free_again(world: World) -> None:
    made = world.call("CreateUser", UserName="bob", Email="bob@example.com")["User"]
    world.service.remove_user(made["UserId"])
    world.call("CreateUser", UserName="bob2", Email="bob@example.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UserName", "a b"),
        ("UserName", "a" * 65),
        ("Email", "e" * 129),
        ("DisplayName", "d" * 257),
        ("FirstName", "f" * 65),
        ("LastName", "l" * 65),
        ("Description", "d" * 1025),
        ("Status", "Sleeping"),
    ],
)
def test_a_field_beyond_its_documented_limits_is_refused(world: World, name: str, value: str) -> None:
    assert world.call.refused("CreateUser", **{"UserName": "bob", name: value}) == "400 InvalidParameter"
    assert world.call("ListUsers")["TotalCounts"] == 0


def test_the_quota_of_users_holds(world: World) -> None:
    service = CloudSSO(world.clock, world.switches, MemoryStore(), user_quota=2)
    call = Caller(service, DirectoryId=DIRECTORY)
    call("CreateUser", UserName="a")
    call("CreateUser", UserName="b")
    assert call.refused("CreateUser", UserName="c") == "400 LimitExceeded.User"
    assert call("GetDirectoryStatistics")["DirectoryStatistics"]["UserQuota"] == 2


def test_a_status_is_changed_and_moves_the_update_time(world: World, alice: str) -> None:
    before = world.call("GetUser", UserId=alice)["User"]["UpdateTime"]
    world.clock.shift(60)
    assert world.call("UpdateUserStatus", UserId=alice, NewStatus="Disabled") == {}
    after = world.call("GetUser", UserId=alice)["User"]
    assert after["Status"] == "Disabled"
    assert after["UpdateTime"] > before


def test_a_status_that_is_not_documented_is_refused(world: World, alice: str) -> None:
    assert world.call.refused("UpdateUserStatus", UserId=alice, NewStatus="Asleep") == "400 InvalidParameter"
    assert world.call.refused("UpdateUserStatus", UserId=alice) == "400 MissingParameter"


def test_a_deleted_user_is_gone_and_the_name_is_free_again(world: World, alice: str) -> None:
    assert world.call("DeleteUser", UserId=alice) == {}
    assert world.call.refused("GetUser", UserId=alice) == "404 EntityNotExists.User"
    assert world.call("CreateUser", UserName="alice")["User"]["UserId"] != alice


def test_a_synchronized_user_is_not_deleted_here(world: World, alice: str) -> None:
    world.service.synchronize_user(alice)
    assert world.call.refused("DeleteUser", UserId=alice) == "400 OperationDenied.SynchronizedUser"
    assert world.call("GetUser", UserId=alice)["User"]["UserName"] == "alice"


def test_a_removed_user_is_gone_and_its_id_is_not_given_again(world: World, alice: str) -> None:
    world.call("ResetUserPassword", UserId=alice, Password=GOOD)
    world.service.remove_user(alice)
    assert world.call.refused("GetUser", UserId=alice) == "404 EntityNotExists.User"
    assert world.service.sign_in("alice", GOOD).answer == "unknown-user"
    assert world.service.add_user("alice") != alice
    assert world.call("ListUsers")["TotalCounts"] == 1


def test_tags_are_added_replaced_and_removed(world: World, alice: str) -> None:
    tagged = {"ResourceType": "user", "ResourceId.1": alice}
    world.call("TagResources", **tagged, **{"Tag.1.Key": "a", "Tag.1.Value": "1", "Tag.2.Key": "b"})
    world.call("TagResources", **tagged, **{"Tag.1.Key": "a", "Tag.1.Value": "2"})
    assert world.call("GetUser", UserId=alice)["User"]["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": ""},
    ]
    world.call("UntagResources", **tagged, **{"TagKey.1": "a"})
    assert world.call("GetUser", UserId=alice)["User"]["Tags"] == [{"Key": "b", "Value": ""}]
    world.call("UntagResources", **tagged, All="true")
    assert "Tags" not in world.call("GetUser", UserId=alice)["User"]


def test_a_tag_call_needs_users_and_tags(world: World, alice: str) -> None:
    tagged = {"ResourceType": "user", "ResourceId.1": alice}
    assert world.call.refused("TagResources", **tagged) == "400 MissingParameter"
    assert world.call.refused("UntagResources", **tagged) == "400 MissingParameter"
    other = {"ResourceType": "group", "ResourceId.1": alice, "Tag.1.Key": "a"}
    assert world.call.refused("TagResources", **other) == "400 InvalidParameter"


# --- ListUsers and ListGroupMembers


def names(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [user["UserName"] for user in answer["Users"]]


def test_users_are_listed_in_pages_until_nothing_is_truncated(world: World) -> None:
    world.service.seed_users(25)
    first = world.call("ListUsers")
    assert (first["IsTruncated"], first["MaxResults"], first["TotalCounts"]) == (True, 10, 25)
    second = world.call("ListUsers", NextToken=first["NextToken"])
    third = world.call("ListUsers", NextToken=second["NextToken"])
    assert third["IsTruncated"] is False
    assert "NextToken" not in third
    assert names(first) + names(second) + names(third) == [f"user{n:06}" for n in range(25)]


def test_a_page_that_ends_with_the_last_user_is_not_truncated(world: World) -> None:
    world.service.seed_users(10)
    answer = world.call("ListUsers")
    assert answer["IsTruncated"] is False
    assert "NextToken" not in answer


def test_what_comes_and_goes_between_two_pages_neither_skips_nor_repeats(world: World) -> None:
    ids = world.service.seed_users(6)
    first = world.call("ListUsers", MaxResults="3")
    world.service.remove_user(ids[0])
    world.service.remove_user(ids[2])
    world.service.add_user("late")
    second = world.call("ListUsers", MaxResults="100", NextToken=first["NextToken"])
    assert names(second) == ["user000003", "user000004", "user000005", "late"]


@pytest.mark.parametrize("size", ["0", "101", "-1", "ten", "9" * 5000])
def test_a_page_size_outside_1_to_100_is_refused(world: World, size: str) -> None:
    assert world.call.refused("ListUsers", MaxResults=size) == "400 InvalidParameter"


@pytest.mark.parametrize("token", ["garbage", "YWZ0ZXIgeA==", "\N{SNOWMAN}"])
def test_a_token_of_somebody_else_is_refused(world: World, token: str) -> None:
    assert world.call.refused("ListUsers", NextToken=token) == "400 InvalidParameter"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("UserName eq bob", ["Bob"]),
        ("username EQ BOB", ["Bob"]),
        ("UserName sw bo", ["Bob", "bobby"]),
        ("UserName sw BOBB", ["bobby"]),
        ("UserName eq nobody", []),
        ("UserName sw nobody", []),
    ],
)
def test_the_filter_finds_by_name_or_beginning_in_any_case(world: World, question: str, found: list[str]) -> None:
    for name in ("alice", "Bob", "bobby"):
        world.service.add_user(name)
    assert names(world.call("ListUsers", Filter=question)) == found


@pytest.mark.parametrize("question", ["Email eq a", "UserName co a", "UserName eq", "bob", "UserName eqbob"])
def test_another_attribute_or_operator_is_refused(world: World, question: str) -> None:
    assert world.call.refused("ListUsers", Filter=question) == "400 InvalidParameter"


def test_users_are_listed_by_status_provision_type_and_tags_together(world: World) -> None:
    ids = {name: world.service.add_user(name, tags={"team": "a"}) for name in ("on", "off", "scim")}
    world.service.add_user("untagged")
    world.call("UpdateUserStatus", UserId=ids["off"], NewStatus="Disabled")
    world.service.synchronize_user(ids["scim"])
    team = {"Tags.1.Key": "team", "Tags.1.Value": "a"}
    assert names(world.call("ListUsers", **team)) == ["on", "off", "scim"]
    assert names(world.call("ListUsers", Status="Enabled", **team)) == ["on", "scim"]
    assert names(world.call("ListUsers", Status="Enabled", ProvisionType="Manual", **team)) == ["on"]
    assert names(world.call("ListUsers", Status="Disabled", Filter="UserName eq on")) == []
    assert names(world.call("ListUsers", **{"Tags.1.Key": "team", "Tags.1.Value": "b"})) == []


def test_a_listing_sees_what_changed_since_the_same_question(world: World, alice: str) -> None:
    assert world.call("ListUsers", Status="Enabled")["TotalCounts"] == 1
    world.call("UpdateUserStatus", UserId=alice, NewStatus="Disabled")
    assert world.call("ListUsers", Status="Enabled")["TotalCounts"] == 0


def test_a_filtered_listing_forgets_a_removed_user(world: World, alice: str) -> None:
    world.service.add_user("bob")
    assert names(world.call("ListUsers", Status="Enabled")) == ["alice", "bob"]
    world.service.remove_user(alice)
    assert names(world.call("ListUsers", Status="Enabled")) == ["bob"]


def test_the_members_of_a_group_are_listed_in_the_documented_shape(world: World, alice: str) -> None:
    group_id = world.service.create_group("staff")
    for user_id in (alice, alice, *world.service.seed_users(2)):
        world.service.add_user_to_group(user_id, group_id)
    first = world.call("ListGroupMembers", GroupId=group_id, MaxResults="2")
    assert (first["TotalCounts"], first["IsTruncated"]) == (3, True)
    member = first["GroupMembers"][0]
    assert TIME.fullmatch(member.pop("JoinTime"))
    assert member == {
        "UserId": alice,
        "UserName": "alice",
        "Status": "Enabled",
        "ProvisionType": "Manual",
        "GroupId": group_id,
    }
    second = world.call("ListGroupMembers", GroupId=group_id, MaxResults="2", NextToken=first["NextToken"])
    assert [each["UserName"] for each in second["GroupMembers"]] == ["user000001"]


def test_a_removed_user_leaves_the_groups_and_an_unknown_group_does_not_exist(world: World, alice: str) -> None:
    group_id = world.service.create_group("staff")
    world.service.add_user_to_group(alice, group_id)
    world.service.remove_user(alice)
    assert world.call("ListGroupMembers", GroupId=group_id)["GroupMembers"] == []
    assert world.call.refused("ListGroupMembers", GroupId="g-none") == "404 EntityNotExists.Group"


# --- settings


def test_the_directory_is_shown_and_listed_in_the_documented_shape(world: World) -> None:
    directory = world.call("GetDirectory")["Directory"]
    assert world.call("ListDirectories") == {"Directories": [directory], "TotalCounts": 1}
    assert TIME.fullmatch(directory.pop("CreateTime"))
    assert TIME.fullmatch(directory.pop("UpdateTime"))
    assert directory == {"DirectoryId": DIRECTORY, "DirectoryName": "loopback", "Region": "cn-shanghai"}


def test_the_service_status_reveals_the_region_of_the_directory(world: World) -> None:
    assert world.call("GetServiceStatus") == {
        "ServiceStatus": {
            "Status": "Enabled",
            "AccountId": ACCOUNT,
            "PrerequisiteCheckResult": "Success",
            "RegionsInUse": ["cn-shanghai"],
        }
    }


def test_the_statistics_count_and_have_every_documented_field(world: World, alice: str) -> None:
    world.service.create_group("staff")
    world.service.synchronize_user(alice)
    world.call("SetExternalSAMLIdentityProvider", SSOStatus="Enabled")
    assert world.call("GetDirectoryStatistics")["DirectoryStatistics"] == {
        "UserCount": 1,
        "GroupCount": 1,
        "UserQuota": 1000,
        "GroupQuota": 500,
        "AccessConfigurationQuota": 1000,
        "AccessAssignmentCount": 0,
        "SCIMServerCredentialCount": 0,
        "DirectoryId": DIRECTORY,
        "SSOEnabled": True,
        "Region": "cn-shanghai",
        "AccessConfigurationCount": 0,
        "DirectoryName": "loopback",
        "InProgressTaskCount": 0,
        "SCIMSyncEnabled": True,
        "SystemPolicyPerAccessConfigurationQuota": 20,
        "InlinePolicyPerAccessConfigurationQuota": 1,
    }


def test_the_password_policy_has_the_documented_fields_and_the_console_defaults(world: World) -> None:
    assert world.call("GetPasswordPolicy")["PasswordPolicy"] == {
        "MinPasswordLength": 8,
        "MinPasswordDifferentChars": 3,
        "PasswordNotContainUsername": True,
        "MaxPasswordAge": 90,
        "PasswordReusePrevention": 1,
        "MaxLoginAttempts": 5,
        "RequireNumbers": True,
        "RequireLowerCaseChars": True,
        "MaxPasswordLength": 32,
        "RequireUpperCaseChars": True,
        "RequireSymbols": True,
        "HardExpire": True,
    }


def test_a_policy_change_changes_what_was_given_and_nothing_else(world: World) -> None:
    before = world.call("GetPasswordPolicy")["PasswordPolicy"]
    changes = {"MinPasswordLength": "20", "PasswordNotContainUsername": "False", "MaxLoginAttempts": "0"}
    assert world.call("SetPasswordPolicy", **changes) == {}
    after = world.call("GetPasswordPolicy")["PasswordPolicy"]
    assert after == {**before, "MinPasswordLength": 20, "PasswordNotContainUsername": False, "MaxLoginAttempts": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MinPasswordLength", "7"),
        ("MinPasswordLength", "33"),
        ("MinPasswordDifferentChars", "9"),
        ("MaxPasswordAge", "0"),
        ("MaxPasswordAge", "121"),
        ("PasswordReusePrevention", "25"),
        ("MaxLoginAttempts", "33"),
    ],
)
def test_a_policy_outside_its_ranges_is_refused(world: World, name: str, value: str) -> None:
    assert world.call.refused("SetPasswordPolicy", **{name: value}) == "400 InvalidParameter"


def test_a_directory_without_an_identity_provider_says_that_sso_is_disabled(world: World) -> None:
    shown = world.call("GetExternalSAMLIdentityProvider")["SAMLIdentityProviderConfiguration"]
    assert shown == {"DirectoryId": DIRECTORY, "SSOStatus": "Disabled"}


def test_the_identity_provider_is_set_and_shown_in_the_documented_shape(world: World) -> None:
    params = {"EntityId": "http://idp", "LoginUrl": "https://idp/login", "EncodedMetadataDocument": "PD94"}
    answer = world.call("SetExternalSAMLIdentityProvider", SSOStatus="Enabled", BindingType="Post", **params)
    assert answer == world.call("GetExternalSAMLIdentityProvider")
    shown = answer["SAMLIdentityProviderConfiguration"]
    assert TIME.fullmatch(shown.pop("CreateTime"))
    assert TIME.fullmatch(shown.pop("UpdateTime"))
    fixed = {"DirectoryId": DIRECTORY, "SSOStatus": "Enabled", "BindingType": "Post"}
    assert shown == {**fixed, "WantRequestSigned": False, "CertificateIds": [], **params}


@pytest.mark.parametrize(
    "action",
    [
        "GetDirectory",
        "GetDirectoryStatistics",
        "GetPasswordPolicy",
        "SetPasswordPolicy",
        "GetExternalSAMLIdentityProvider",
        "SetExternalSAMLIdentityProvider",
        "ListUsers",
    ],
)
def test_every_call_about_a_directory_needs_the_right_one(world: World, action: str) -> None:
    assert world.call.refused(action, DirectoryId="d-other") == "404 EntityNotExists.Directory"
    assert world.call.refused(action, DirectoryId="") == "400 MissingParameter"


# --- RAM


def test_ram_is_asked_for_the_documented_resources(world: World) -> None:
    directory = f"acs:cloudsso:{REGION}:{ACCOUNT}:directory/{DIRECTORY}"
    assert world.call.resources("ResetUserPassword", UserId="u-1") == [f"{directory}/user/u-1"]
    assert world.call.resources("GetUser", UserId="u-1") == [f"{directory}/user/u-1"]
    assert world.call.resources("ListUsers") == [f"{directory}/user/*"]
    assert world.call.resources("GetPasswordPolicy") == [directory]
    assert world.call.resources("ListGroupMembers", GroupId="g-1") == [f"{directory}/group/g-1"]
    assert world.call.resources("GetServiceStatus") == ["*"]


def test_ram_is_asked_for_every_tagged_user(world: World) -> None:
    users = f"acs:cloudsso:{REGION}:{ACCOUNT}:directory/{DIRECTORY}/user"
    params = {"ResourceId.1": "u-1", "ResourceId.2": "u-2"}
    assert world.call.resources("TagResources", **params) == [f"{users}/u-1"]
    assert world.call.also("TagResources", **params) == [("cloudsso:TagResources", f"{users}/u-2")]


def test_ram_can_be_asked_about_a_call_that_lacks_everything(world: World) -> None:
    caller = Caller(world.service)
    assert all(caller.resources(action) for action in world.service.actions)


# --- what is stored


def test_a_restart_on_the_same_store_forgets_nothing(world: World, alice: str) -> None:
    group_id = world.service.create_group("staff")
    world.service.add_user_to_group(alice, group_id)
    world.call("ResetUserPassword", UserId=alice, Password=GOOD, RequirePasswordResetForNextLogin="True")
    world.call("SetPasswordPolicy", MaxPasswordAge="30")
    asked = ["ListUsers", "GetPasswordPolicy", "GetDirectory", "GetDirectoryStatistics"]
    again = world.again()
    assert [again.call(action) for action in asked] == [world.call(action) for action in asked]
    assert again.call("ListGroupMembers", GroupId=group_id) == world.call("ListGroupMembers", GroupId=group_id)
    assert again.service.resets(alice) == world.service.resets(alice)
    assert again.service.sign_in("alice", GOOD).answer == "change-required"
    assert again.service.add_user("bob") not in (alice, "")


def test_the_store_never_holds_a_password(world: World, alice: str) -> None:
    world.call("ResetUserPassword", UserId=alice, Password=GOOD)
    made = world.call("ResetUserPassword", UserId=alice, GenerateRandomPassword="True")["NewPassword"]
    stored = b"".join(
        data for kind in ("directory", "user", "group", "login") for _, data in world.store.load(f"cloudsso.{kind}")
    )
    assert b"alice" in stored
    assert GOOD.encode() not in stored
    assert made.encode() not in stored
