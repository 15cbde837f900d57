"""What audit lines say of real invocations: how long it took, what failed of what, and one line for each cause."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import bootstrap, scanning
from shared.errors import DirectoryDenied, NotPublished, ResetOutcomeUnknown, SettingsError
from tests.deployment import FUNCTION, Deployment, FunctionFacts
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.ram.service import Credentials

REQUEST = {"UserName": "Alice", "Reason": "alert", "RotatedSince": "2026-01-15T08:00:00Z"}
REFUSED = Fault("PutSecretValue", "error", nth=1, count=99, status=403, code="Forbidden.NoPermission")
NOBODY = Credentials("", "", None)
Capture = pytest.CaptureFixture[str]


def lines(console: Capture) -> list[dict[str, Any]]:
    """Return the audit lines since the last look: nothing else is written."""
    out, err = console.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def only_line(console: Capture) -> dict[str, Any]:
    (line,) = lines(console)
    return line


# -------------------------------------------------------------------------------------------------------------- timings


def test_a_rotation_that_waits_for_nothing_says_so(deployed: Deployment, capfd: Capture) -> None:
    deployed.invoke(REQUEST)
    line = only_line(capfd)
    assert line["WaitedMs"] == 0
    assert line["TookMs"] >= line["MismatchMs"] >= 0


def test_a_rotation_that_loses_an_answer_waits_for_its_own_lease(deployed: Deployment, capfd: Capture) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "drop-after"))
    deployed.invoke(REQUEST)
    line = only_line(capfd)
    assert (line["Outcome"], line["Attempt"]) == ("rotated", 2)
    assert line["TookMs"] >= line["WaitedMs"] >= 80_000  # a lease lasts 100 s
    assert line["MismatchMs"] <= line["TookMs"] - line["WaitedMs"]


def test_a_reset_that_is_throttled_says_how_long_it_waited_for_its_turn(deployed: Deployment, capfd: Capture) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "throttle", retry_after_ms=4000))
    deployed.invoke(REQUEST)
    assert only_line(capfd)["WaitedMs"] >= 4000


# ------------------------------------------------------------------------------------------------------------- failures


def test_a_password_that_could_not_be_published_is_told_with_its_version_and_the_resets_request_id(
    deployed: Deployment, capfd: Capture
) -> None:
    deployed.invoke({"UserName": "alice"})
    capfd.readouterr()
    deployed.cloud.faults.arm(replace(REFUSED, where={"VersionId": "r2"}))
    with pytest.raises(NotPublished) as raised:
        deployed.invoke({"UserName": "alice", "Reason": "alert"})
    line = only_line(capfd)
    (*_, reset) = deployed.cloud.calls.matching("ResetUserPassword")
    assert line["CloudSsoRequestId"] == reset.request_id
    assert {name: line[name] for name in ("Error", "UserName", "UserId", "DirectoryId", "SecretName", "VersionId")} == {
        "Error": "not-published",
        "UserName": "alice",
        "UserId": deployed.user_ids["alice"],
        "DirectoryId": deployed.directory_id,
        "SecretName": deployed.secret_name("alice"),
        "VersionId": "r2",
    }
    assert str(raised.value) == f"{line['Message']} Asked for: user 'alice', reason alert."


def test_a_lost_reset_is_told_with_the_claim_that_it_leaves_behind(deployed: Deployment, capfd: Capture) -> None:
    deployed.cloud.faults.arm(Fault("ResetUserPassword", "drop-after", count=99))
    with pytest.raises(ResetOutcomeUnknown):
        deployed.invoke(REQUEST)
    line = only_line(capfd)
    assert line["VersionId"].startswith("r1-c")
    assert "CloudSsoRequestId" not in line


def test_a_failure_before_the_user_was_found_says_only_what_was_asked(deployed: Deployment, capfd: Capture) -> None:
    deployed.context.credentials = Credentials("STS.wrong", "wrong", "wrong")
    with pytest.raises(DirectoryDenied, match=r"Asked for: user 'Alice', reason alert\.$"):
        deployed.invoke(REQUEST)
    line = only_line(capfd)
    assert line.keys().isdisjoint({"UserName", "UserId", "SecretName", "VersionId", "CloudSsoRequestId"})
    assert line["User"] == "Alice"


# ------------------------------------------------------------------------------- what fails before there is a request


def test_an_invocation_that_fails_of_its_settings_has_one_line(deployed: Deployment, capfd: Capture) -> None:
    for context in (
        replace(deployed.context, function=FunctionFacts(timeout=60)),
        replace(deployed.context, credentials=NOBODY),
    ):
        with pytest.raises(SettingsError) as raised:
            deployed.app.reset_passwords(json.dumps(REQUEST).encode(), context)
        line = only_line(capfd)
        assert (line["Invocation"], line["Error"], line["Message"]) == ("1-test", "settings", str(raised.value))


def test_a_request_that_fails_of_the_settings_has_one_line(deployed: Deployment, capfd: Capture) -> None:
    environ = {**deployed.environ, "CLOUDSSO_DIRECTORY_ID": "d-nowhere"}
    app = bootstrap.start(FUNCTION / "rules.json", deployed.context, environ)
    deployed.grant_everything()
    with pytest.raises(SettingsError):
        app.reset_passwords(json.dumps(REQUEST).encode(), deployed.context)
    line = only_line(capfd)
    assert (line["User"], line["Error"]) == ("Alice", "settings")


def test_an_initializer_that_fails_has_one_line_at_any_level(
    deployed: Deployment, capfd: Capture, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text("[]", encoding="utf-8")
    silent = {**deployed.environ, "LOG_LEVEL": "ERROR"}
    for start in (
        lambda: bootstrap.start(FUNCTION / "rules.json", deployed.context, {}),
        lambda: bootstrap.start(rules, deployed.context, silent),
        lambda: scanning.start(deployed.context, {}),
    ):
        with pytest.raises(SettingsError) as raised:
            start()
        line = only_line(capfd)
        assert (line["Invocation"], line["Error"], line["Message"]) == ("1-test", "settings", str(raised.value))
