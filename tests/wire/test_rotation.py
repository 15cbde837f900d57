"""The main job on real input: event bytes in, unmodified SDKs over HTTP, a password at the portal and in KMS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.errors import (
    DirectoryDenied,
    PasswordInEvent,
    ResetNotAllowed,
    RotationInProgress,
    RotationsFailed,
    RotatorError,
    SecretInDeletion,
    SettingsError,
    UserNotFound,
)
from tests.deployment import ROOT, Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud

SOURCES = pytest.mark.parametrize("generated", [True, False], ids=["generated", "staged"])
OLD = "Old-Secret-01!"


@SOURCES
def test_a_rotation_takes_six_calls_and_a_duplicate_two(deployed: Deployment, *, generated: bool) -> None:
    request = {"UserName": "alice", "GenerateRandomPassword": generated, "RotatedSince": "2026-01-01T00:00:00Z"}
    assert deployed.outcome(request)["Outcome"] == "rotated"
    assert deployed.actions() == [
        "ListUsers",
        "ListSecretVersionIds",
        "CreateSecret",
        "ResetUserPassword",
        "PutSecretValue",
        "TagResource",
    ]
    deployed.cloud.calls.clear()
    assert deployed.outcome(request)["Outcome"] == "already-rotated"
    assert deployed.actions() == ["ListUsers", "ListSecretVersionIds"]
    deployed.later(3600)
    deployed.cloud.calls.clear()
    assert deployed.outcome({"UserName": "alice", "GenerateRandomPassword": generated})["VersionId"] == "r2"
    assert len(deployed.actions()) == 6


def test_the_same_user_again_in_one_batch_costs_nothing(deployed: Deployment) -> None:
    deployed.invoke([{"UserName": "alice"}, {"UserName": "ALICE", "Reason": "alert"}, {"UserName": "alice"}])
    assert len(deployed.actions()) == 6


@SOURCES
def test_the_old_password_is_refused_and_the_one_in_kms_accepted(deployed: Deployment, *, generated: bool) -> None:
    assert deployed.signs_in("alice", OLD) == "ok"
    deployed.invoke({"UserName": "alice", "GenerateRandomPassword": generated})
    assert deployed.signs_in("alice", OLD) == "wrong"
    assert deployed.current_signs_in("alice") == "ok"


def test_the_secret_says_whose_password_it_is(deployed: Deployment) -> None:
    deployed.invoke({"UserName": "alice"})
    secret = deployed.secret("alice")
    assert set(secret) == {"UserName", "Password", "DirectoryId", "UserId"}
    assert (secret["UserName"], secret["UserId"]) == ("alice", deployed.user_ids["alice"])
    tags = deployed.tags("alice")
    assert set(tags) == {"ManagedBy", "DirectoryId", "UserId", "RotatedAt"}
    assert tags["UserId"] == deployed.user_ids["alice"]


def test_a_user_may_be_named_by_id(deployed: Deployment) -> None:
    outcome = deployed.outcome({"UserId": deployed.user_ids["alice"]})
    assert (outcome["UserName"], outcome["Outcome"]) == ("alice", "rotated")
    assert deployed.actions()[0] == "GetUser"
    assert deployed.current_signs_in("alice") == "ok"


def test_a_user_name_in_another_case_is_the_same_user_with_the_same_secret(deployed: Deployment) -> None:
    deployed.invoke({"UserName": "Alice"})
    assert deployed.current_signs_in("alice") == "ok"


def test_a_name_is_never_taken_for_a_longer_one(deployed: Deployment) -> None:
    with pytest.raises(UserNotFound):
        deployed.invoke({"UserName": "alic"})


def test_an_alert_may_force_a_change_at_the_next_logon(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, REQUIRE_PASSWORD_RESET="alerts")
    deployed.add_user("alice", OLD)
    deployed.invoke({"UserName": "alice", "Reason": "alert"})
    assert deployed.secret("alice")["RequirePasswordResetForNextLogin"] is True
    assert deployed.current_signs_in("alice") == "change-required"


def test_a_user_without_any_password_gets_a_first_one(deployed: Deployment) -> None:
    deployed.add_user("bob")
    deployed.invoke({"UserName": "bob"})
    assert deployed.current_signs_in("bob") == "ok"


def test_a_protected_a_disabled_and_a_synchronized_user_are_left_alone(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, PROTECTED_USERS="root-*")
    deployed.add_user("Root-admin", OLD)
    deployed.add_user("frank", OLD, status="Disabled")
    cloud.cloudsso.synchronize_user(deployed.add_user("sid", OLD), external_id="x")
    answer = deployed.invoke([{"UserName": name, "Force": True} for name in ("root-ADMIN", "frank", "sid")])
    assert [one["Outcome"] for one in answer["Outcomes"]] == ["protected", "disabled", "synchronized"]
    assert set(deployed.actions()) == {"ListUsers"}
    assert deployed.signs_in("Root-admin", OLD) == "ok"


def test_an_unknown_user_is_an_error_that_reaches_the_dead_letters(deployed: Deployment) -> None:
    with pytest.raises(UserNotFound, match="mallory"):
        deployed.invoke({"UserName": "mallory"})


def test_one_bad_user_does_not_keep_the_others_from_being_rotated(deployed: Deployment) -> None:
    deployed.add_user("bob", OLD)
    with pytest.raises(RotationsFailed, match="user 'mallory', reason manual: user-not-found"):
        deployed.invoke([{"UserName": "alice"}, {"UserName": "mallory"}, {"UserName": "bob"}, {"UserNam": "x"}])
    assert deployed.current_signs_in("alice") == "ok"
    assert deployed.current_signs_in("bob") == "ok"


def test_a_dry_run_reads_everything_and_writes_nothing(deployed: Deployment) -> None:
    outcome = deployed.outcome({"UserName": "alice", "DryRun": True})
    assert (outcome["Outcome"], outcome["VersionId"]) == ("would-rotate", "r1")
    assert deployed.actions() == ["ListUsers", "ListSecretVersionIds", "GetExternalSAMLIdentityProvider"]
    assert deployed.signs_in("alice", OLD) == "ok"


@pytest.mark.parametrize(
    "request_", [{"UserName": "alice"}, {"UserName": "alice", "DryRun": True}], ids=["real", "dry"]
)
def test_sso_logon_is_found_out_as_the_cause(deployed: Deployment, request_: dict[str, object]) -> None:
    deployed.enable_sso()
    with pytest.raises(ResetNotAllowed, match="SSO logon enabled"):
        deployed.invoke(request_)


def test_a_synchronized_user_that_cloudsso_refuses_is_found_out_as_the_cause(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, SYNCHRONIZED_USERS="rotate")
    cloud.cloudsso.synchronize_user(deployed.add_user("sid"), external_id="x")
    with pytest.raises(ResetNotAllowed, match="SCIM"):
        deployed.invoke({"UserName": "sid"})


def test_a_secret_in_deletion_stops_before_anything_is_reset(deployed: Deployment) -> None:
    deployed.invoke({"UserName": "alice"})
    deployed.later(3600)
    deployed.delete_secret("alice")
    with pytest.raises(SecretInDeletion, match="Restore"):
        deployed.invoke({"UserName": "alice"})
    assert deployed.cloud.calls.count("ResetUserPassword", role="reset-password") == 1


def test_a_wrong_directory_is_told_as_a_wrong_setting(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, CLOUDSSO_DIRECTORY_ID="d-elsewhere")
    deployed.grant_everything()
    with pytest.raises(SettingsError, match="CLOUDSSO_DIRECTORY_ID"):
        deployed.invoke({"UserName": "alice"})


def test_an_expired_security_token_is_told_as_denied(deployed: Deployment) -> None:
    deployed.cloud.ram.expire(deployed.credentials.access_key_id)
    with pytest.raises(DirectoryDenied, match="InvalidSecurityToken"):
        deployed.invoke({"UserName": "alice"})


def test_the_key_and_the_instance_are_passed_on_when_a_secret_is_created(cloud: LocalCloud) -> None:
    deployed = Deployment(cloud, KMS_INSTANCE_ID="kst-1", KMS_KEY_ID="key-1")
    deployed.add_user("alice")
    deployed.invoke({"UserName": "alice"})
    (created,) = cloud.calls.matching("CreateSecret")
    assert (created.params["DKMSInstanceId"], created.params["EncryptionKeyId"]) == ("kst-1", "key-1")
    deployed.later(3600)
    deployed.invoke({"UserName": "alice"})
    assert all("EncryptionKeyId" not in call.params for call in cloud.calls.matching("PutSecretValue"))
    assert deployed.current_signs_in("alice") == "ok"


def test_no_password_is_in_any_url(deployed: Deployment) -> None:
    deployed.invoke({"UserName": "alice", "GenerateRandomPassword": False})
    calls = deployed.cloud.calls.matching(role="reset-password")
    (reset,) = deployed.cloud.calls.matching("ResetUserPassword")
    assert reset.params["Password"] == "***"  # it was sent, and the log does not keep it
    assert not any({"Password", "SecretData"} & set(call.in_url) for call in calls)


def test_two_invocations_at_once_end_with_one_live_password_in_kms(deployed: Deployment) -> None:
    results: list[object] = []

    def invoke() -> None:
        try:
            results.append(deployed.outcome({"UserName": "alice", "RotatedSince": "2026-01-01T00:00:00Z"})["Outcome"])
        except RotatorError as error:
            results.append(error)

    threads = [threading.Thread(target=invoke) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert "rotated" in results
    assert all(result in ("rotated", "already-rotated") or isinstance(result, RotationInProgress) for result in results)
    deployed.later(300)
    deployed.invoke({"UserName": "alice", "RotatedSince": "2026-01-01T00:00:00Z"})
    assert deployed.current_signs_in("alice") == "ok"


@pytest.mark.parametrize("nth_put", [1, 2], ids=["after the claim", "after the reset"])
def test_an_instance_killed_between_two_calls_is_recovered_by_redelivery(deployed: Deployment, nth_put: int) -> None:
    deployed.later(-3600)  # the instance's clock is the real one, so the rotation before it lies in the past
    deployed.invoke({"UserName": "alice"})
    deployed.later(3600)
    deployed.cloud.faults.arm(Fault("PutSecretValue", "hang", nth=nth_put, applied=nth_put == 1))
    script = "import sys; from tests.wire.instance import main; main(sys.argv[1])"
    process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
        [sys.executable, "-c", script, json.dumps({"UserName": "alice"})],
        env={**os.environ, **deployed.environ, **deployed.credentials_environment()},
        cwd=ROOT,
    )
    try:
        assert deployed.cloud.calls.wait_for("PutSecretValue", n=1, seconds=30, fault="hang")
    finally:
        process.kill()
        process.wait(10)
    deployed.later(120)
    outcome = deployed.outcome({"UserName": "alice"})
    assert (outcome["Outcome"], outcome["Attempt"]) == ("rotated", 2)
    assert deployed.current_signs_in("alice") == "ok"


def test_the_official_cache_client_reads_what_the_portal_accepts(tmp_path: Path) -> None:
    with LocalCloud(tls=True) as cloud:
        deployed = Deployment(cloud)
        deployed.add_user("alice", OLD)
        deployed.invoke({"UserName": "alice"})
        read = subprocess.run(  # noqa: S603 - the reader's own interpreter (tests/reader/requirements.in), our own script
            [
                os.environ.get("READER_PYTHON", str(ROOT / ".venv-reader" / "bin" / "python")),
                str(ROOT / "tests" / "reader" / "read_secret.py"),
                cloud.tls_endpoint,
                deployed.secret_name("alice"),
            ],
            env={**os.environ, **deployed.credentials_environment(cloud.admin)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert deployed.signs_in("alice", json.loads(read.stdout)["Password"]) == "ok"


def test_a_password_in_an_event_is_refused_and_never_echoed(
    deployed: Deployment, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PasswordInEvent) as raised:
        deployed.invoke({"UserName": "alice", "Password": "Marker-1234!"})
    out, err = capfd.readouterr()
    assert "Marker" not in str(raised.value) + out + err
    assert deployed.actions() == []
