"""The function that shows the state, on a loopback cloud: unmodified SDKs and its own role. It changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from functions.rotation_status import index
from shared import surveying
from shared.errors import MalformedEvent, SettingsError, UserNotFound
from shared.instants import rfc3339
from shared.rotation import LEASE
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.surveys import ROLE, Context, Surveys

DAY = timedelta(days=1)
READS = {
    "GetPasswordPolicy",
    "GetExternalSAMLIdentityProvider",
    "ListUsers",
    "ListSecrets",
    "ListSecretVersionIds",
}


@pytest.fixture
def surveys(cloud: LocalCloud) -> Surveys:
    """Deploy both functions; alice is rotated, bob has no secret, root-admin is protected, frank is disabled."""
    made = Surveys(cloud, PROTECTED_USERS="root-*")
    for name in ("alice", "bob", "root-admin"):
        made.add_user(name, "Old-Secret-01!")
    made.add_user("frank", status="Disabled")
    made.invoke({"UserName": "alice"})
    made.later(3600)
    cloud.calls.clear()
    return made


def calls(surveys: Surveys) -> dict[str, int]:
    """Return how often the function's role made each call since the last clear."""
    made = [call.action for call in surveys.cloud.calls.matching(role=ROLE)]
    return {action: made.count(action) for action in sorted(set(made))}


def crowd(surveys: Surveys, count: int, age: Callable[[int], float] = lambda number: number % 90) -> None:
    """Create users with secrets that were rotated so many days ago."""
    ids = surveys.cloud.cloudsso.seed_users(count)
    surveys.later(100 * DAY.total_seconds())
    now = surveys.cloud.clock.now()

    def rotated(number: int) -> datetime:
        return now - age(number) * DAY

    def tags(number: int) -> dict[str, str]:
        ours = {"ManagedBy": "cloudsso-rotator", "DirectoryId": surveys.directory_id, "UserId": ids[number]}
        return {**ours, "RotatedAt": rotated(number).strftime("%Y-%m-%dT%H:%M:%SZ")}

    prefix = f"cloudsso/{surveys.directory_id}/user"
    surveys.cloud.kms.seed_secrets(count, prefix, tags=tags, versions=("r1-c1", "r1"), made=rotated)


# ----------------------------------------------------------------------------------------------------------- as JSON


def test_everybody_is_shown_the_urgent_first_with_versions_times_and_what_became_of_the_last_rotation(
    surveys: Surveys,
) -> None:
    answer = surveys.show()
    assert [(one["UserName"], one["State"]) for one in answer["Standings"]] == [
        ("bob", "unmanaged"),
        ("alice", "fresh"),
        ("root-admin", "protected"),
        ("frank", "disabled"),
    ]
    alice = answer["Standings"][1]
    assert alice["SecretName"] == surveys.secret_name("alice")
    claimed, tagged = rfc3339(alice["RotatedAt"]), rfc3339(surveys.tags("alice")["RotatedAt"])
    assert claimed is not None
    assert tagged is not None
    assert timedelta(0) <= tagged - claimed <= LEASE  # in the same second, mostly
    assert {version["VersionId"]: version["Stages"] for version in alice["Versions"]} == {
        "r1-c1": ["ACSPrevious"],
        "r1": ["ACSCurrent"],
    }
    assert alice["LastOutcome"]["Outcome"] == "rotated"
    assert alice["RotatedAt"] < alice["DueAt"] < alice["ExpiresAt"]
    assert (answer["Healthy"], answer["Complete"], answer["Users"], answer["Managed"]) == (True, True, 4, 1)
    assert answer["States"]["unmanaged"] == 1


def test_what_it_shows_of_a_user_follows_from_what_was_rotated(surveys: Surveys) -> None:
    (alice,) = surveys.show(UserName="ALICE")["Standings"]
    surveys.later(1)
    surveys.cloud.clock.shift(76 * 86_400)
    (later,) = surveys.show(UserName="alice")["Standings"]
    assert (alice["State"], later["State"]) == ("fresh", "due")
    assert (alice["DueAt"], alice["ExpiresAt"]) == (later["DueAt"], later["ExpiresAt"])
    surveys.cloud.clock.shift(14 * 86_400)
    assert surveys.show(UserName="alice")["Standings"][0]["State"] == "expired"


def test_it_reads_and_never_writes_and_never_asks_for_a_value(surveys: Surveys) -> None:
    surveys.show()
    surveys.show(Doctor=True)
    surveys.show(UserName="alice")
    surveys.browse()
    assert set(calls(surveys)) <= READS


def test_users_are_found_by_state_and_by_a_part_of_their_name(surveys: Surveys) -> None:
    assert [one["UserName"] for one in surveys.show(State="protected")["Standings"]] == ["root-admin"]
    answer = surveys.show(Search="A")
    assert [one["UserName"] for one in answer["Standings"]] == ["alice", "root-admin", "frank"]
    assert (answer["Matching"], answer["Users"]) == (3, 4)


def test_a_user_who_is_not_there_is_an_error_that_says_so(surveys: Surveys) -> None:
    with pytest.raises(UserNotFound, match="has no user 'nobody'"):
        surveys.show(UserName="nobody")


def test_a_misspelt_field_is_refused_and_nothing_is_read(surveys: Surveys) -> None:
    with pytest.raises(MalformedEvent, match="did you mean 'Doctor'"):
        surveys.show(doctor=True)
    assert calls(surveys) == {}


def test_a_user_whose_secret_lost_its_tags_is_looked_at_when_asked_for(surveys: Surveys) -> None:
    surveys.untag("alice", "ManagedBy")
    answer = surveys.show(UserName="alice", Doctor=True)
    assert [each["Problem"] for each in answer["Findings"]] == ["tag-stale"]
    assert surveys.show()["States"]["unmanaged"] == 2


def test_the_timer_writes_the_lines_that_alerts_go_by(surveys: Surveys, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    event = {"triggerTime": "2026-01-01T00:30:00Z", "triggerName": "hourly", "payload": '{"Doctor": true}'}
    surveys.status.show(json.dumps(event).encode(), surveys.status_context)
    surveyed, finding = map(json.loads, capsys.readouterr().out.splitlines())
    assert (surveyed["Outcome"], surveyed["Trigger"], surveyed["Users"], surveyed["Stuck"]) == (
        "surveyed",
        "timer",
        4,
        0,
    )
    assert (finding["Outcome"], finding["Problem"]) == ("finding", "unmanaged")


# ------------------------------------------------------------------------------------------------------- how many calls


def test_three_hundred_users_take_two_calls_a_hundred_and_one_for_each_secret_that_is_looked_at(
    cloud: LocalCloud,
) -> None:
    surveys = Surveys(cloud, STATUS_LOOKUPS="40")
    crowd(surveys, 300)
    cloud.calls.clear()
    answer = surveys.show(Doctor=True)
    assert calls(surveys) == {
        "GetExternalSAMLIdentityProvider": 1,
        "GetPasswordPolicy": 1,
        "ListSecretVersionIds": 40,
        "ListSecrets": 3,
        "ListUsers": 3,
    }
    assert (answer["Users"], answer["LookedAt"]) == (300, 40)


def test_whoever_is_on_the_page_is_looked_at_and_nobody_is_looked_at_twice(cloud: LocalCloud) -> None:
    surveys = Surveys(cloud, STATUS_LOOKUPS="10")
    crowd(surveys, 250, age=lambda number: number % 60)
    cloud.calls.clear()
    answer = surveys.show(Page=2)
    assert (answer["Page"], answer["Pages"], len(answer["Standings"])) == (2, 3, 100)
    assert all(one["Versions"] is not None for one in answer["Standings"])
    assert 100 <= calls(surveys)["ListSecretVersionIds"] == answer["LookedAt"] <= 110


def test_pages_are_shown_from_what_was_read_a_moment_ago(surveys: Surveys) -> None:
    surveys.browse()
    before = calls(surveys)
    surveys.later(59)
    surveys.browse(state="fresh")
    assert calls(surveys) == before
    surveys.later(2)
    surveys.browse()
    assert calls(surveys)["ListUsers"] == 2 * before["ListUsers"]
    surveys.browse(fresh="1")
    assert calls(surveys)["ListUsers"] == 3 * before["ListUsers"]
    surveys.show()
    assert calls(surveys)["ListUsers"] == 4 * before["ListUsers"]


def test_a_request_that_fails_once_everybody_was_read_makes_no_older_reading_last_longer(surveys: Surveys) -> None:
    surveys.browse()
    surveys.later(3600)
    with pytest.raises(UserNotFound):
        surveys.show(UserName="nobody")
    surveys.browse()
    kept = surveys.status.kept.survey
    assert kept is not None
    assert surveys.cloud.clock.now() - kept.as_of < timedelta(minutes=1)


def test_half_a_picture_is_not_kept(surveys: Surveys) -> None:
    surveys.cloud.faults.arm(Fault("ListSecrets", "error", count=99, status=403, code="Forbidden.NoPermission"))
    assert "secret-store-denied" in surveys.browse()["body"]
    surveys.cloud.faults.clear()
    assert "secret-store-denied" not in surveys.browse()["body"]


def test_the_most_suspicious_are_looked_at_first(cloud: LocalCloud) -> None:
    surveys = Surveys(cloud, STATUS_LOOKUPS="3")
    crowd(surveys, 100, age=lambda number: number % 60)
    surveys.user_ids["user000042"] = next(one["UserId"] for one in surveys.show(Search="user000042")["Standings"])
    surveys.write_by_hand("user000042", "foreign-1")
    assert surveys.show(Doctor=True)["States"]["foreign"] >= 1
    assert ("version-foreign", "user000042") in surveys.problems()


def test_an_outage_ends_the_looking_after_the_first_few(surveys: Surveys) -> None:
    crowd(surveys, 100, age=lambda number: number % 60)
    surveys.cloud.faults.arm(
        Fault("ListSecretVersionIds", "error", count=999, status=403, code="Forbidden.NoPermission")
    )
    surveys.cloud.calls.clear()
    answer = surveys.show(Doctor=True)
    assert calls(surveys)["ListSecretVersionIds"] == 8
    assert [gap["Part"] for gap in answer["Gaps"]] == ["versions"]


# ------------------------------------------------------------------------------------------------------------ as a page


def test_the_http_trigger_is_answered_with_a_page_that_loads_and_runs_nothing(surveys: Surveys) -> None:
    answer = surveys.browse()
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer["headers"]["Content-Security-Policy"]
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert all(name in answer["body"] for name in ("alice", "bob", "root-admin", surveys.directory_id))
    assert "<script" not in answer["body"]


def test_the_same_is_had_as_json(surveys: Surveys) -> None:
    answer = surveys.browse(format="json", q="alice")
    assert answer["headers"]["Content-Type"] == "application/json"
    assert [one["UserName"] for one in json.loads(answer["body"])["Standings"]] == ["alice"]


def test_the_doctors_page_has_the_commands(surveys: Surveys) -> None:
    body = re.sub(r"<[^>]*>", "", surveys.browse(view="doctor")["body"])
    assert "unmanaged" in body
    assert "s scan_expiring invoke --event" in body


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("POST", "/", {}, 400),
        ("GET", "/users", {}, 400),
        ("GET", "/", {"state": "weird"}, 400),
        ("GET", "/", {"page": "-1"}, 400),
        ("GET", "/", {"stat": "due"}, 400),
        ("GET", "/", {"view": "admin"}, 400),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_page_that_says_so(
    surveys: Surveys, method: str, path: str, query: dict[str, str], status: int
) -> None:
    answer = surveys.browse(method, path, **query)
    assert answer["statusCode"] == status
    assert "this function only reads" in answer["body"]
    assert calls(surveys) == {}


def test_nothing_is_raised_for_who_signs_where_the_pages_themselves_are_broken(
    surveys: Surveys, tmp_path: Path
) -> None:
    """A runtime logs the event of an invocation that failed, and this one carries a signature and a token."""
    surveys.status = replace(surveys.status, templates=tmp_path, kept=surveying.Kept())
    answer = surveys.browse()
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert "Nothing was changed: this function only reads." in answer["body"]


def test_an_empty_directory_is_a_page_too(cloud: LocalCloud) -> None:
    surveys = Surveys(cloud)
    assert surveys.browse()["statusCode"] == 200
    assert surveys.show()["Standings"] == []


def test_an_outage_of_everything_is_a_page_too(surveys: Surveys) -> None:
    surveys.cloud.faults.arm(Fault("*", "error", count=9999, status=503, code="ServiceUnavailable"))
    answer = surveys.browse()
    assert answer["statusCode"] == 200
    for part in ("password policy", "SSO logon", "users", "secrets"):
        assert part in answer["body"]
    assert surveys.show()["Users"] is None


# --------------------------------------------------------------------------------------------------------- entry points


def test_the_entry_points_are_those_of_s_yaml(surveys: Surveys, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**surveys.status_environ, **surveys.credentials_environment(surveys.cloud.admin)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(index, "_instance", {})
    context = Context(surveys.cloud.admin)
    assert json.loads(index.handler(b"", context))["Users"] == 4
    assert index._instance


def test_a_start_without_settings_names_all_that_is_missing(
    surveys: Surveys, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError, match=r"CLOUDSSO_DIRECTORY_ID is not set.*STATUS_LOOKUPS='many'"):
        surveys.restart(CLOUDSSO_DIRECTORY_ID="", STATUS_LOOKUPS="many")
    assert '"Error": "settings"' in capsys.readouterr().out


def test_a_timeout_too_short_for_a_survey_is_told(surveys: Surveys) -> None:
    surveys.status_context.function.timeout = 10
    with pytest.raises(SettingsError, match="a survey may need 60 s"):
        surveys.show()
    assert surveys.browse()["statusCode"] == 500
