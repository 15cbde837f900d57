"""KMS as a rotator sees it: write-once versions, stages, the purge, under every reading of what is not documented."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.localcloud.api import ApiError, Clock, Json
from tests.localcloud.kms.service import Kms
from tests.localcloud.kms.versions import Version, Versions
from tests.localcloud.state import MemoryStore
from tests.loopback.directly import ACCOUNT, REGION, Caller, SlowStore, Switchboard, all_at_once

NOT_FOUND = "404 Forbidden.ResourceNotFound"
INVALID = "400 InvalidParameter"


class Secret:
    """One secret, `s`, whose first version `v1` is current."""

    def __init__(self, secret_type: str = "Generic", store: MemoryStore | None = None) -> None:
        self.clock = Clock()
        self.switches = Switchboard()
        self.kms = Kms(self.clock, self.switches, store or MemoryStore())
        self.call = Caller(self.kms, SecretName="s")
        self.call("CreateSecret", VersionId="v1", SecretData="data of v1", SecretType=secret_type)

    def put(self, version_id: str, *stages: str, data: str | None = None) -> Json:
        return self.call("PutSecretValue", **put_params(version_id, *stages, data=data))

    def refused(self, version_id: str, *stages: str, data: str | None = None) -> str:
        return self.call.refused("PutSecretValue", **put_params(version_id, *stages, data=data))

    def move(self, stage: str, **versions: str) -> Json:
        return self.call("UpdateSecretVersionStage", VersionStage=stage, **versions)

    def move_refused(self, stage: str, **versions: str) -> str:
        return self.call.refused("UpdateSecretVersionStage", VersionStage=stage, **versions)

    @property
    def ids(self) -> list[str]:
        """The ids of all versions, as listed."""
        listed = self.call("ListSecretVersionIds", IncludeDeprecated="true")
        return [version["VersionId"] for version in listed["VersionIds"]["VersionId"]]

    @property
    def stages(self) -> dict[str, str]:
        """Which version carries which stage, as listed."""
        listed = self.call("ListSecretVersionIds")["VersionIds"]["VersionId"]
        return {stage: each["VersionId"] for each in listed for stage in each["VersionStages"]["VersionStage"]}


def put_params(version_id: str, *stages: str, data: str | None = None) -> dict[str, str]:
    value = f"data of {version_id}" if data is None else data
    params = {"VersionId": version_id, "SecretData": value}
    return {**params, "VersionStages": json.dumps(stages)} if stages else params


@pytest.fixture
def secret() -> Secret:
    return Secret()


# --- PutSecretValue


def test_a_put_without_stages_becomes_current_and_the_old_one_previous(secret: Secret) -> None:
    assert secret.put("v2") == {"SecretName": "s", "VersionId": "v2", "VersionStages": {"VersionStage": ["ACSCurrent"]}}
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1"}
    secret.put("v3")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": "v2"}


def test_a_put_with_a_custom_stage_leaves_current_and_previous_alone(secret: Secret) -> None:
    secret.put("v2")
    assert secret.put("v3", "Rotating")["VersionStages"] == {"VersionStage": ["Rotating"]}
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1", "Rotating": "v3"}


def test_a_custom_stage_stays_when_a_later_version_becomes_current(secret: Secret) -> None:
    secret.put("v2", "ACSCurrent", "Mine")
    secret.put("v3")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": "v2", "Mine": "v2"}


@pytest.mark.parametrize(("follows", "previous"), [(True, "v2"), (False, "v1")])
def test_previous_follows_an_explicit_current_only_if_the_switch_says_so(
    secret: Secret,
    follows: bool,  # noqa: FBT001 - the switch itself
    previous: str,
) -> None:
    secret.put("v2")
    secret.switches.turn(previous_follows=follows)
    secret.put("v3", "ACSCurrent")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": previous}


def test_previous_always_follows_a_put_without_stages(secret: Secret) -> None:
    secret.switches.turn(previous_follows=False)
    secret.put("v2")
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1"}


def test_a_put_that_names_both_built_in_stages_gets_both(secret: Secret) -> None:
    secret.put("v2", "ACSPrevious", "ACSCurrent")
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v2"}


def test_a_stage_named_twice_counts_once(secret: Secret) -> None:
    assert secret.put("v2", "Mine", "Mine")["VersionStages"] == {"VersionStage": ["Mine"]}


def test_a_put_of_the_same_id_with_the_same_data_succeeds_and_changes_nothing(secret: Secret) -> None:
    secret.put("v2", "Mine")
    before = secret.call("DescribeSecret")
    secret.clock.shift(60)
    assert secret.put("v1")["VersionStages"] == {"VersionStage": ["ACSCurrent"]}
    assert secret.put("v2", "Other")["VersionStages"] == {"VersionStage": ["Mine"]}
    assert secret.stages == {"ACSCurrent": "v1", "Mine": "v2"}
    assert secret.call("DescribeSecret") == before


def test_a_repeated_put_moves_its_stages_if_the_switch_says_so(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.switches.turn(repeated_put_moves_stages=True)
    assert secret.put("v2", "Other")["VersionStages"] == {"VersionStage": ["Mine", "Other"]}
    secret.put("v2")
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1", "Mine": "v2", "Other": "v2"}


@pytest.mark.parametrize(
    "code",
    [
        "409 Rejected.ResourceExist",
        "400 Rejected.DuplicateVersionId",
        "400 InvalidParameter",
        "403 Forbidden.Conflict",
    ],
)
def test_a_put_of_the_same_id_with_other_data_is_refused(secret: Secret, code: str) -> None:
    secret.switches.turn(put_other_data=code)
    assert secret.refused("v1", data="other") == code
    assert secret.call("GetSecretValue", VersionId="v1")["SecretData"] == "data of v1"
    assert secret.ids == ["v1"]


@pytest.mark.parametrize("counts", [False, True])
def test_the_data_type_counts_in_a_repeated_put_only_if_the_switch_says_so(secret: Secret, counts: bool) -> None:  # noqa: FBT001 - the switch itself
    secret.switches.turn(data_type_counts=counts)
    params = {**put_params("v1"), "SecretDataType": "binary"}
    if counts:
        assert secret.call.refused("PutSecretValue", **params) == "409 Rejected.ResourceExist"
    else:
        secret.call("PutSecretValue", **params)
    assert secret.call("GetSecretValue")["SecretDataType"] == "text"


def test_of_many_racing_puts_of_one_id_exactly_one_succeeds() -> None:
    secret = Secret(store=SlowStore())
    won: list[int] = []

    def race(number: int) -> None:
        try:
            secret.put("v2", "Rotating", data=f"owner {number}")
        except ApiError:
            return
        won.append(number)

    all_at_once(16, race)
    assert [f"owner {number}" for number in won] == [secret.call("GetSecretValue", VersionId="v2")["SecretData"]]


@pytest.mark.parametrize("stages", ["nonsense", "{}", "[]", '[""]', "[1]", '["\\ud800"]', '"ACSCurrent"'])
def test_stages_that_are_no_array_of_names_are_refused(secret: Secret, stages: str) -> None:
    params = {**put_params("v2"), "VersionStages": stages}
    assert secret.call.refused("PutSecretValue", **params) == INVALID
    assert secret.ids == ["v1"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("VersionId", "", "400 MissingParameter"),
        ("SecretData", "", "400 MissingParameter"),
        ("SecretName", "", "400 MissingParameter"),
        ("VersionId", "v" * 65, INVALID),
        ("SecretData", "d" * 30_721, INVALID),
        ("SecretDataType", "json", INVALID),
        ("SecretName", "none", NOT_FOUND),
    ],
)
def test_a_put_outside_the_documented_limits_is_refused(secret: Secret, name: str, value: str, code: str) -> None:
    assert secret.call.refused("PutSecretValue", **{**put_params("v2"), name: value}) == code
    assert secret.ids == ["v1"]


def test_a_put_to_a_secret_that_is_not_generic_is_refused() -> None:
    assert Secret("Rds").refused("v2") == INVALID


def test_a_put_moves_the_update_time_of_the_secret(secret: Secret) -> None:
    before = secret.call("DescribeSecret")
    secret.clock.shift(60)
    secret.put("v2", "Mine")
    after = secret.call("DescribeSecret")
    assert after["UpdateTime"] > before["UpdateTime"]
    assert after["CreateTime"] == before["CreateTime"]


# --- custom stages and their limit


def test_a_put_takes_a_custom_stage_from_another_version(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.put("v3", "Mine")
    assert secret.stages == {"ACSCurrent": "v1", "Mine": "v3"}


def test_a_put_may_not_take_a_custom_stage_if_the_switch_says_so(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.switches.turn(stage_can_be_taken=False)
    assert secret.refused("v3", "Mine") == INVALID
    assert secret.ids == ["v1", "v2"]
    secret.put("v3", "ACSCurrent", "Other")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": "v1", "Mine": "v2", "Other": "v3"}


def test_a_ninth_stage_is_refused_and_nothing_changes(secret: Secret) -> None:
    secret.put("v2")
    secret.put("v3", *(f"Mine{number}" for number in range(6)))
    assert len(secret.stages) == 8
    assert secret.refused("v4", "Ninth") == "400 Rejected.LimitExceeded"
    assert secret.move_refused("Ninth", MoveToVersion="v1") == "400 Rejected.LimitExceeded"
    assert secret.ids == ["v1", "v2", "v3"]
    secret.put("v4", "Mine0")
    assert len(secret.stages) == 8


# --- the purge


def test_an_eleventh_version_lets_the_earliest_go_whatever_its_stages(secret: Secret) -> None:
    for number in range(2, 12):
        secret.put(f"v{number}", "Rotating")
    assert secret.ids == [f"v{number}" for number in range(2, 12)]
    assert secret.stages == {"Rotating": "v11"}
    assert secret.call.refused("GetSecretValue") == NOT_FOUND


def test_the_older_page_s_purge_spares_versions_with_a_stage(secret: Secret) -> None:
    secret.switches.turn(purge="earliest-without-stage")
    for number in range(2, 12):
        secret.put(f"v{number}", "Rotating")
    assert secret.ids == ["v1", *(f"v{number}" for number in range(3, 12))]
    assert secret.stages == {"ACSCurrent": "v1", "Rotating": "v11"}


def test_the_newest_version_is_never_purged_even_if_it_alone_has_no_stage() -> None:
    now = Clock().now()
    versions = Versions(tuple(Version(f"v{n}", "data", "text", now, (f"S{n}",) if n < 10 else ()) for n in range(11)))
    left = versions.purge(spare_staged=True)
    assert [version.version_id for version in left.kept] == [f"v{n}" for n in range(1, 11)]


def test_a_purged_id_may_be_written_again(secret: Secret) -> None:
    for number in range(2, 12):
        secret.put(f"v{number}")
    secret.put("v1", data="other")
    assert secret.call("GetSecretValue", VersionId="v1")["SecretData"] == "other"


def test_a_purged_id_is_refused_if_the_switch_says_so(secret: Secret) -> None:
    secret.switches.turn(purged_id_returns=False, put_other_data="403 Forbidden.Conflict")
    for number in range(2, 12):
        secret.put(f"v{number}")
    assert secret.refused("v1") == "403 Forbidden.Conflict"
    assert "v1" not in secret.ids


def test_a_put_after_the_current_version_was_purged_has_no_previous(secret: Secret) -> None:
    for number in range(2, 12):
        secret.put(f"v{number}", "Rotating")
    secret.put("v12")
    assert secret.stages == {"Rotating": "v11", "ACSCurrent": "v12"}


# --- GetSecretValue


def test_a_value_is_answered_in_the_documented_shape(secret: Secret) -> None:
    answer = secret.call("GetSecretValue")
    listed = secret.call("ListSecretVersionIds")["VersionIds"]["VersionId"][0]
    assert answer.pop("CreateTime") == listed["CreateTime"]
    assert answer == {
        "SecretName": "s",
        "SecretType": "Generic",
        "SecretData": "data of v1",
        "SecretDataType": "text",
        "VersionId": "v1",
        "VersionStages": {"VersionStage": ["ACSCurrent"]},
    }


def test_a_value_is_found_by_id_by_stage_or_by_both(secret: Secret) -> None:
    secret.put("v2")
    for asked in (
        {"VersionId": "v1"},
        {"VersionStage": "ACSPrevious"},
        {"VersionId": "v1", "VersionStage": "ACSPrevious"},
    ):
        assert secret.call("GetSecretValue", **asked)["SecretData"] == "data of v1"


def test_an_id_and_a_stage_that_disagree_are_refused(secret: Secret) -> None:
    secret.put("v2")
    assert secret.call.refused("GetSecretValue", VersionId="v1", VersionStage="ACSCurrent") == INVALID


@pytest.mark.parametrize("asked", [{"VersionId": "v9"}, {"VersionStage": "Nowhere"}])
def test_a_missing_version_or_stage_is_not_found(secret: Secret, asked: dict[str, str]) -> None:
    assert secret.call.refused("GetSecretValue", **asked) == NOT_FOUND


def test_a_dry_run_always_fails_and_says_whether_the_call_would_have(secret: Secret) -> None:
    assert secret.call.refused("GetSecretValue", DryRun="true") == "400 DryRunOperationError"
    assert secret.call.refused("GetSecretValue", DryRun="true", VersionId="v9") == NOT_FOUND


def test_a_version_without_a_stage_is_still_readable_by_its_id(secret: Secret) -> None:
    secret.put("v2")
    secret.put("v3")
    assert secret.call("GetSecretValue", VersionId="v1")["VersionStages"] == {"VersionStage": []}


# --- ListSecretVersionIds


def test_versions_are_listed_newest_last_and_without_a_stage_only_on_demand(secret: Secret) -> None:
    for version_id in ("v2", "v3"):
        secret.clock.shift(1)
        secret.put(version_id)
    answer = secret.call("ListSecretVersionIds")
    assert [version["VersionId"] for version in answer["VersionIds"]["VersionId"]] == ["v2", "v3"]
    assert answer["TotalCount"] == 2
    everything = secret.call("ListSecretVersionIds", IncludeDeprecated="true")
    assert [version["VersionId"] for version in everything["VersionIds"]["VersionId"]] == ["v1", "v2", "v3"]
    times = [version["CreateTime"] for version in everything["VersionIds"]["VersionId"]]
    assert times == sorted(times)
    assert everything["VersionIds"]["VersionId"][0]["VersionStages"] == {"VersionStage": []}


def test_versions_are_listed_in_pages_of_twenty_by_default(secret: Secret) -> None:
    secret.put("v2")
    answer = secret.call("ListSecretVersionIds")
    assert (answer["SecretName"], answer["PageNumber"], answer["PageSize"], answer["TotalCount"]) == ("s", 1, 20, 2)
    second = secret.call("ListSecretVersionIds", PageNumber="2", PageSize="1")
    assert [version["VersionId"] for version in second["VersionIds"]["VersionId"]] == ["v2"]
    assert second["TotalCount"] == 2


# --- names as ARNs


def test_a_secret_may_be_named_by_its_arn(secret: Secret) -> None:
    arn = f"acs:kms:{REGION}:{ACCOUNT}:secret/s"
    assert secret.call("PutSecretValue", **{**put_params("v2"), "SecretName": arn})["SecretName"] == "s"
    assert secret.call("GetSecretValue", SecretName=arn)["VersionId"] == "v2"
    assert secret.call("ListSecretVersionIds", SecretName=arn)["TotalCount"] == 2
    moved = secret.call("UpdateSecretVersionStage", SecretName=arn, VersionStage="X", MoveToVersion="v1")
    assert moved == {"SecretName": "s"}


@pytest.mark.parametrize("where", [f"cn-beijing:{ACCOUNT}", f"{REGION}:1999"])
def test_the_arn_of_another_region_or_account_names_nothing_here(secret: Secret, where: str) -> None:
    assert secret.call.refused("GetSecretValue", SecretName=f"acs:kms:{where}:secret/s") == NOT_FOUND


# --- UpdateSecretVersionStage


def test_a_stage_is_added_moved_and_removed(secret: Secret) -> None:
    secret.put("v2")
    assert secret.move("Mine", MoveToVersion="v1") == {"SecretName": "s"}
    assert secret.stages["Mine"] == "v1"
    secret.move("Mine", RemoveFromVersion="v1", MoveToVersion="v2")
    assert secret.stages["Mine"] == "v2"
    secret.move("Mine", RemoveFromVersion="v2")
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1"}


def test_adding_a_stage_where_it_is_changes_nothing(secret: Secret) -> None:
    secret.put("v2")
    secret.move("ACSCurrent", MoveToVersion="v2")
    assert secret.stages == {"ACSCurrent": "v2", "ACSPrevious": "v1"}


@pytest.mark.parametrize("stage", ["ACSCurrent", "ACSPrevious"])
def test_a_built_in_stage_cannot_be_removed(secret: Secret, stage: str) -> None:
    secret.put("v2")
    before = secret.stages
    assert secret.move_refused(stage, RemoveFromVersion=before[stage]) == INVALID
    assert secret.stages == before


@pytest.mark.parametrize(("follows", "previous"), [(True, "v2"), (False, "v1")])
def test_previous_follows_a_moved_current_only_if_the_switch_says_so(
    secret: Secret,
    follows: bool,  # noqa: FBT001 - the switch itself
    previous: str,
) -> None:
    secret.put("v2")
    secret.put("v3", "Pending")
    secret.switches.turn(previous_follows=follows)
    secret.move("ACSCurrent", MoveToVersion="v3")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": previous, "Pending": "v3"}


def test_current_moves_back_and_swaps_with_previous(secret: Secret) -> None:
    secret.put("v2")
    secret.move("ACSCurrent", RemoveFromVersion="v2", MoveToVersion="v1")
    assert secret.stages == {"ACSCurrent": "v1", "ACSPrevious": "v2"}


def test_previous_may_be_moved_by_hand(secret: Secret) -> None:
    secret.put("v2")
    secret.put("v3")
    secret.move("ACSPrevious", MoveToVersion="v1")
    assert secret.stages == {"ACSCurrent": "v3", "ACSPrevious": "v1"}


def test_an_update_takes_a_custom_stage_only_if_the_switch_says_so(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.switches.turn(stage_can_be_taken=False)
    assert secret.move_refused("Mine", MoveToVersion="v1") == INVALID
    secret.move("Mine", RemoveFromVersion="v2", MoveToVersion="v1")
    secret.switches.turn(stage_can_be_taken=True)
    secret.move("Mine", MoveToVersion="v2")
    assert secret.stages["Mine"] == "v2"


def test_a_wrong_remove_from_is_refused(secret: Secret) -> None:
    secret.put("v2", "Mine")
    assert secret.move_refused("Mine", RemoveFromVersion="v1") == INVALID
    assert secret.move_refused("Mine", RemoveFromVersion="v1", MoveToVersion="v1") == INVALID
    assert secret.stages["Mine"] == "v2"


def test_a_wrong_remove_from_is_ignored_if_the_switch_says_so(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.switches.turn(wrong_remove_from="ignored")
    secret.move("Mine", RemoveFromVersion="v1")
    assert secret.stages["Mine"] == "v2"
    secret.move("Mine", RemoveFromVersion="v1", MoveToVersion="v1")
    assert secret.stages["Mine"] == "v1"


def test_an_ignored_remove_from_does_not_help_to_take_a_stage(secret: Secret) -> None:
    secret.put("v2", "Mine")
    secret.switches.turn(wrong_remove_from="ignored", stage_can_be_taken=False)
    assert secret.move_refused("Mine", RemoveFromVersion="v1", MoveToVersion="v1") == INVALID


@pytest.mark.parametrize("versions", [{"MoveToVersion": "v9"}, {"RemoveFromVersion": "v9"}])
def test_a_stage_is_moved_between_existing_versions_only(secret: Secret, versions: dict[str, str]) -> None:
    assert secret.move_refused("Mine", **versions) == NOT_FOUND


def test_an_update_needs_a_stage_and_at_least_one_version(secret: Secret) -> None:
    assert secret.move_refused("Mine") == "400 MissingParameter"
    assert secret.call.refused("UpdateSecretVersionStage", MoveToVersion="v1") == "400 MissingParameter"


# --- what holds whatever is done

VERSION_IDS = st.integers(1, 14).map(lambda number: f"v{number}")
STAGES = st.sampled_from(["ACSCurrent", "ACSPrevious", *(f"Mine{number}" for number in range(8))])


class AnySequenceOfCalls(RuleBasedStateMachine):
    """Puts and moves in any order, under any readings, against a model that knows only what was accepted."""

    @initialize(
        purge=st.sampled_from(["earliest", "earliest-without-stage"]),
        flags=st.fixed_dictionaries(
            {
                name: st.booleans()
                for name in (
                    "purged_id_returns",
                    "repeated_put_moves_stages",
                    "stage_can_be_taken",
                    "previous_follows",
                )
            }
        ),
        wrong_remove_from=st.sampled_from(["refused", "ignored"]),
    )
    def create(self, purge: str, flags: dict[str, bool], wrong_remove_from: str) -> None:
        self.secret = Secret()
        self.secret.switches.turn(purge=purge, wrong_remove_from=wrong_remove_from, **flags)
        self.accepted = {"v1": "data of v1"}

    @rule(version_id=VERSION_IDS, stages=st.lists(STAGES, max_size=4), data=st.sampled_from(["a", "b"]))
    def put(self, version_id: str, stages: list[str], data: str) -> None:
        before = self.seen()
        try:
            self.secret.put(version_id, *stages, data=data)
        except ApiError:
            assert self.seen() == before
            return
        if version_id in before[0]:
            assert data == self.accepted[version_id]
        self.accepted[version_id] = data
        assert version_id in self.secret.ids

    @rule(stage=STAGES, old=st.none() | VERSION_IDS, new=st.none() | VERSION_IDS)
    def move(self, stage: str, old: str | None, new: str | None) -> None:
        before = self.seen()
        versions = {"RemoveFromVersion": old or "", "MoveToVersion": new or ""}
        try:
            self.secret.move(stage, **versions)
        except ApiError:
            assert self.seen() == before
            return
        assert self.secret.ids == before[0]
        if new:
            assert self.secret.stages[stage] == new

    def seen(self) -> tuple[list[str], dict[str, str]]:
        return self.secret.ids, self.secret.stages

    @invariant()
    def every_stage_is_on_one_version_and_there_are_at_most_eight(self) -> None:
        placed = [stage for version in self.secret.kms.versions("s") for stage in version.stages]
        assert len(placed) == len(set(placed)) <= 8

    @invariant()
    def there_are_at_most_ten_versions_in_the_order_of_creation(self) -> None:
        versions = self.secret.kms.versions("s")
        assert 1 <= len(versions) <= 10
        assert sorted(versions, key=lambda version: version.create_time) == list(versions)

    @invariant()
    def what_is_kept_is_what_was_accepted_first(self) -> None:
        kept = {version.version_id: version.data for version in self.secret.kms.versions("s")}
        assert kept == {version_id: self.accepted[version_id] for version_id in kept}


TestAnySequenceOfCalls = AnySequenceOfCalls.TestCase
TestAnySequenceOfCalls.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
