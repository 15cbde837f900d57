"""What the doctor finds: every problem is made on the loopback cloud, found, and mended by typing what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.doctor import Problem
from shared.errors import RotatorError
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.mending import Hands
from tests.wire.surveys import ROLE, Surveys

PASSWORD = "Old-Secret-01!"
DAY = 86_400
ALWAYS = 1 << 20


@pytest.fixture
def surveys(cloud: LocalCloud) -> Surveys:
    """Deploy both functions; alice and bob are rotated, and all is well."""
    made = Surveys(cloud)
    for name in ("alice", "bob"):
        made.add_user(name, PASSWORD)
        made.invoke({"UserName": name})
    made.later(3600)
    assert made.show(Doctor=True)["Healthy"]
    assert made.problems() == []
    return made


def lose(surveys: Surveys, **fields: object) -> None:
    """Ask for a rotation of alice whose reset is never answered, nor waited out: its claim stays open."""
    surveys.cloud.faults.arm(Fault("ResetUserPassword", "drop-after", count=ALWAYS))
    surveys.context.function.timeout = 91  # no time for a second claim
    with pytest.raises(RotatorError):
        surveys.invoke({"UserName": "alice", **fields})
    surveys.context.function.timeout = 280
    surveys.cloud.faults.clear()
    surveys.later(120)


def mend(surveys: Surveys, problem: Problem) -> dict[str, Any]:
    """Do what the doctor says about a problem; return what it said."""
    (finding,) = [each for each in surveys.findings() if each["Problem"] == problem.value]
    Hands(surveys).type(finding["Mend"])
    surveys.later(3600)
    return finding


def signs_in(surveys: Surveys, name: str) -> bool:
    """Tell whether what readers of a user's secret get is the live password."""
    return surveys.current_signs_in(name) == "ok"


# ------------------------------------------------------------------------------------------------------- about one user


def test_a_stuck_claim_is_found_with_what_it_failed_of_and_rotating_ends_it(surveys: Surveys) -> None:
    lose(surveys)
    assert not signs_in(surveys, "alice")
    (alice,) = surveys.show(UserName="alice")["Standings"]
    assert (alice["State"], alice["Claim"]["VersionId"], alice["Claim"]["Stuck"]) == ("stuck", "r2-c1", True)
    assert alice["LastOutcome"]["Outcome"] == "reset-outcome-unknown"
    assert surveys.problems() == [("stuck-claim", "alice")]
    finding = mend(surveys, Problem.STUCK_CLAIM)
    assert finding["Since"] == alice["Claim"]["Since"]
    assert "reset-outcome-unknown" in finding["What"]
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_a_claim_whose_worker_was_killed_is_found_without_a_word_of_why(surveys: Surveys) -> None:
    surveys.cloud.faults.arm(Fault("TagResource", "drop-before", count=ALWAYS))  # nothing is noted
    lose(surveys)
    (finding,) = surveys.findings()
    assert finding["Problem"] == "stuck-claim"
    assert "did not say why" in finding["What"]


def test_a_claim_that_is_younger_than_its_lease_is_no_problem_but_in_progress(surveys: Surveys) -> None:
    lose(surveys)
    surveys.later(-90)
    (alice,) = surveys.show(UserName="alice")["Standings"]
    assert (alice["State"], alice["Claim"]["Stuck"]) == ("in-progress", False)
    assert surveys.problems() == []


def test_six_failed_attempts_are_found_and_one_more_by_force_mends_them(surveys: Surveys) -> None:
    for _ in range(6):
        lose(surveys)
    with pytest.raises(RotatorError):
        surveys.invoke({"UserName": "alice"})
    finding = mend(surveys, Problem.FAILED_ATTEMPTS)
    assert finding["Mend"][0] == "s reset_password logs --search failed"
    assert '"Force": true' in finding["Mend"][1]
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_eight_failed_attempts_are_mended_by_making_the_secret_anew(surveys: Surveys) -> None:
    for attempt in range(8):
        lose(surveys, Force=attempt >= 6)
    finding = mend(surveys, Problem.FAILED_ATTEMPTS)
    assert "ForceDeleteWithoutRecovery" in finding["Mend"][1]
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_an_expired_password_is_found_and_rotated(surveys: Surveys) -> None:
    surveys.later(91 * DAY)
    surveys.invoke({"UserName": "bob"})
    surveys.later(3600)
    assert surveys.problems() == [("expired", "alice")]
    assert surveys.current_signs_in("alice") == "expired"
    mend(surveys, Problem.EXPIRED)
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_users_whom_no_scan_has_handed_on_for_days_are_told_of(surveys: Surveys) -> None:
    surveys.later(77 * DAY)
    assert surveys.show()["States"]["due"] == 2
    surveys.later(4 * DAY)
    (finding,) = surveys.findings()
    assert (finding["Problem"], finding["UserName"]) == ("overdue", None)
    assert finding["Mend"][0] == "s scan_expiring invoke --event '{}'"
    for name in ("alice", "bob"):  # as the scan has it done
        surveys.invoke({"UserName": name, "Reason": "expiring"})
    assert surveys.problems() == []


def test_a_version_that_somebody_else_wrote_is_found_and_a_rotation_takes_the_stage_back(surveys: Surveys) -> None:
    surveys.write_by_hand("alice", "terraform-1")
    (finding,) = surveys.findings()
    assert (finding["Problem"], finding["UserName"]) == ("version-foreign", "alice")
    assert "'terraform-1'" in finding["What"]
    mend(surveys, Problem.VERSION_FOREIGN)
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_a_secret_that_waits_for_its_deletion_is_found_and_restored(surveys: Surveys) -> None:
    surveys.delete_secret("alice")
    assert surveys.problems() == [("secret-in-deletion", "alice")]
    mend(surveys, Problem.SECRET_IN_DELETION)
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_a_user_whom_onboard_selects_and_who_has_no_secret_is_found_and_gets_one(surveys: Surveys) -> None:
    surveys.add_user("carol", PASSWORD)
    surveys.restart(ONBOARD="all")
    assert surveys.problems() == []  # scans have yet to come
    surveys.later(2 * DAY)
    assert surveys.problems() == [("secret-missing", "carol")]
    mend(surveys, Problem.SECRET_MISSING)
    assert signs_in(surveys, "carol")
    assert surveys.problems() == []


def test_users_whom_nobody_selects_are_told_together_and_nothing_that_is_typed_takes_their_passwords(
    surveys: Surveys,
) -> None:
    for name in ("carol", "dave"):
        surveys.add_user(name, PASSWORD)
    (finding,) = surveys.findings()
    assert (finding["Problem"], finding["UserName"]) == ("unmanaged", None)
    assert "'carol', 'dave'" in finding["What"]
    assert surveys.show()["Healthy"]  # as far as anybody can know
    Hands(surveys).type(finding["Mend"])
    assert [surveys.signs_in(name, PASSWORD) for name in ("carol", "dave")] == ["ok", "ok"]


@pytest.mark.parametrize("days", [80.0, -30.0])
def test_a_tag_that_misleads_scans_is_found_and_renewed_without_a_rotation(surveys: Surveys, days: float) -> None:
    surveys.age_secret("alice", days=days)
    before = surveys.secret("alice")
    finding = mend(surveys, Problem.TAG_STALE)
    assert finding["UserName"] == "alice"
    assert surveys.secret("alice") == before
    assert surveys.tags("alice")["RotatedAt"] == finding["Since"]
    assert surveys.problems() == []


def test_a_secret_of_a_user_who_was_deleted_is_found_and_deleted(surveys: Surveys) -> None:
    surveys.cloud.cloudsso.remove_user(surveys.user_ids["alice"])
    finding = mend(surveys, Problem.USER_DELETED)
    assert surveys.secret_name("alice") in finding["What"]
    (still,) = surveys.findings()  # for as long as it can be restored
    assert (still["Problem"], still["Mend"]) == ("user-deleted", [])


def test_a_user_who_was_deleted_and_made_anew_is_told_as_such_and_rotated(surveys: Surveys) -> None:
    surveys.cloud.cloudsso.remove_user(surveys.user_ids["alice"])
    surveys.later(10)
    surveys.add_user("alice", PASSWORD)
    assert not signs_in(surveys, "alice")
    finding = mend(surveys, Problem.EXPIRED)
    assert "deleted and created anew" in finding["What"]
    assert signs_in(surveys, "alice")
    assert surveys.problems() == []


def test_a_user_who_got_another_name_is_found_with_the_secret_left_behind(surveys: Surveys) -> None:
    surveys.cloud.cloudsso.rename_user(surveys.user_ids["alice"], "alice.b")
    assert ("user-renamed", "alice.b") in surveys.problems()
    mend(surveys, Problem.USER_RENAMED)
    assert surveys.signs_in("alice.b", surveys.secret("alice.b")["Password"]) == "ok"
    answer = surveys.show(Doctor=True)
    assert [each["Problem"] for each in answer["Findings"]] == ["user-deleted"]  # until KMS has deleted the old one
    assert answer["Healthy"]
    surveys.later(31 * DAY)
    assert surveys.problems() == []


# -------------------------------------------------------------------------------------------- about the whole directory


def test_sso_logon_is_found_and_disabled_and_nobody_counts_as_locked_out_meanwhile(surveys: Surveys) -> None:
    surveys.enable_sso()
    surveys.later(91 * DAY)
    assert surveys.problems() == [("sso-enabled", None)]
    mend(surveys, Problem.SSO_ENABLED)
    assert [problem for problem, _ in surveys.problems()] == ["expired", "expired"]


@pytest.mark.parametrize("way", [0, 2], ids=["shorter settings", "a longer policy"])
def test_a_policy_too_short_for_the_settings_is_found_and_either_is_mended(surveys: Surveys, way: int) -> None:
    surveys.max_password_age(20)
    (finding,) = surveys.findings()
    assert (finding["Problem"], finding["UserName"]) == ("policy-short", None)
    assert "ROTATE_BEFORE_EXPIRY_DAYS" in finding["What"]
    Hands(surveys).type(finding["Mend"][:2] if way == 0 else finding["Mend"][2:])
    assert surveys.problems() == []


@pytest.mark.parametrize(
    ("action", "part"),
    [
        ("cloudsso:GetPasswordPolicy", "password policy"),
        ("cloudsso:GetExternalSAMLIdentityProvider", "SSO logon"),
        ("cloudsso:ListUsers", "users"),
        ("kms:ListSecrets", "secrets"),
        ("kms:ListSecretVersionIds", "versions"),
    ],
)
def test_a_missing_permission_is_found_with_the_call_that_was_denied(surveys: Surveys, action: str, part: str) -> None:
    surveys.may_not(action)
    answer = surveys.show(Doctor=True)
    (finding,) = answer["Findings"]
    assert finding["Problem"] == "permission-missing"
    assert part in finding["What"]
    assert action.partition(":")[2] in finding["What"]
    assert finding["Mend"][0].startswith("make stack && aliyun ros UpdateStack")
    assert (answer["Healthy"], answer["Complete"]) == (False, False)


def test_a_permission_for_another_region_is_told_with_the_regions_that_are_set(surveys: Surveys) -> None:
    policy = json.dumps(surveys.status_policy()).replace("acs:kms:cn-hangzhou", "acs:kms:cn-beijing")
    surveys.status_context.credentials = surveys.cloud.role(ROLE, json.loads(policy))
    (finding,) = surveys.findings()
    assert finding["Problem"] == "permission-missing"
    assert "KMS_REGION is cn-hangzhou" in finding["What"]


def test_a_region_without_the_directory_is_found_with_the_command_that_lists_where_it_is(surveys: Surveys) -> None:
    policy = json.dumps(surveys.status_policy()).replace(surveys.directory_id, "d-elsewhere")
    surveys.status_context.credentials = surveys.cloud.role(ROLE, json.loads(policy))
    surveys.restart(CLOUDSSO_DIRECTORY_ID="d-elsewhere")
    findings = surveys.findings()
    assert {each["Problem"] for each in findings} == {"wrong-region"}
    assert all("CLOUDSSO_REGION is cn-shanghai" in each["What"] for each in findings)
    Hands(surveys).type(findings[0]["Mend"][:1])
    assert findings[0]["Mend"][0] == "aliyun cloudsso ListDirectories --RegionId cn-shanghai"


OUTAGES: dict[str, Callable[[Surveys], object]] = {
    "KMS answers nothing": lambda surveys: surveys.cloud.faults.arm(Fault("ListSecrets", "drop-before", count=ALWAYS)),
    "KMS is out of order": lambda surveys: surveys.cloud.faults.arm(
        Fault("ListSecrets", "error", count=ALWAYS, status=503, code="ServiceUnavailable")
    ),
    "nobody listens at the endpoint": lambda surveys: surveys.restart(KMS_ENDPOINT="http://127.0.0.1:9"),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_a_service_that_does_not_answer_is_found_and_the_rest_is_shown(
    surveys: Surveys, outage: Callable[[Surveys], object]
) -> None:
    outage(surveys)
    answer = surveys.show(Doctor=True)
    assert "endpoint-unreachable" in {each["Problem"] for each in answer["Findings"]}
    assert answer["Users"] == 2
    assert answer["States"]["unknown"] == 2
    assert answer["States"]["unmanaged"] == 0
    surveys.cloud.faults.clear()
    surveys.restart(**surveys.endpoints())
    assert surveys.problems() == []


def test_every_problem_is_made_by_a_test_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    made = {each for each in Problem if f'"{each.value}"' in text or f"Problem.{each.name}" in text}
    assert made == set(Problem)
