"""The repository's own s.yaml at work: real processes, real triggers, exactly the deployed permissions."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.installation import PACKAGE, PREFIX, ROOT, ROTATOR, SCAN, Installation
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.deploy import spec
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import ACCOUNT_ID, FC_REGION, LocalCloud
from tests.package import for_this_interpreter

FIRST = "First-Pass-01!x"


@pytest.fixture
def skipping() -> Iterator[LocalCloud]:
    """Serve a cloud in which nobody waits in real time."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield cloud


@pytest.fixture
def installed(skipping: LocalCloud) -> Installation:
    """Deploy both functions; alice has a password, and no secret yet."""
    installation = Installation(skipping, PROTECTED_USERS="root-*")
    installation.add_user("alice", FIRST)
    skipping.calls.clear()
    return installation


def outcomes(installation: Installation) -> list[tuple[str, str]]:
    return [(line["User"], line["Outcome"]) for line in installation.audit() if "User" in line]


def assert_recovered(installation: Installation, *users: str) -> None:
    """Every user signs in with what KMS has, with nothing else, and nobody is waiting for anything."""
    for user in users:
        assert installation.current_signs_in(user) == "ok"
        assert installation.signs_in(user, FIRST) == "wrong"
    assert installation.dead_letters() == []
    assert len(installation.cloud.smq.queue(f"{PREFIX}-requests")) == 0


def alert(user: str, number: int, minutes: int, installation: Installation) -> dict[str, Any]:
    """Return a security alert about a user, so many minutes ago."""
    event: dict[str, Any] = installation.sample("security-alert.json")
    moment = installation.cloud.clock.now() - timedelta(minutes=minutes)
    data = {**event["data"], "user": user, "UserName": user}
    return {**event, "id": f"alert-{number}", "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "data": data}


# every way in


def test_a_request_in_the_queue_an_alert_and_a_workflow_each_rotate_a_password(installed: Installation) -> None:
    for name in ("bob", "carol"):
        installed.add_user(name, FIRST)
    installed.send({"UserName": "alice"})
    installed.alert(alert("bob", 1, 5, installed))
    answer = json.loads(installed.invoke(ROTATOR, {"UserName": "carol"}).payload)
    installed.settle()
    assert [one["Outcome"] for one in answer["Outcomes"]] == ["rotated"]
    assert sorted(outcomes(installed)) == [("alice", "rotated"), ("bob", "rotated"), ("carol", "rotated")]
    assert_recovered(installed, "alice", "bob", "carol")
    (told,) = installed.results()  # of the asynchronous one: the alert
    assert json.loads(told["responsePayload"])["Outcomes"][0]["UserName"] == "bob"


def test_a_warm_instance_serves_the_next_event_with_fresh_credentials(installed: Installation) -> None:
    for number in range(4):
        installed.send({"UserName": "alice", "RotatedSince": f"2026-01-0{number + 1}T00:00:00Z"})
        installed.settle()
    assert installed.cloud.fc.cold_starts(ROTATOR) == 1
    assert outcomes(installed) == [("alice", "rotated")] + 3 * [("alice", "already-rotated")]


def test_nights_pass_until_the_scan_finds_a_password_about_to_expire(installed: Installation) -> None:
    installed.add_user("bob", FIRST)  # has no secret, so is nobody's business
    installed.max_password_age(30)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.cloud.let_pass(timedelta(days=18).total_seconds())
    scans = [line for line in installed.audit(SCAN) if line["Outcome"] == "scanned"]
    assert len(scans) == 18
    assert Counter(scan["Dispatched"] for scan in scans) == {0: 17, 1: 1}
    night = next(number for number, scan in enumerate(scans, start=1) if scan["Dispatched"])
    assert 13 <= night <= 17  # 30 days, less 14 of lead, less up to 3 of spread, at the next night
    assert outcomes(installed) == [("alice", "rotated"), ("alice", "rotated")]
    assert_recovered(installed, "alice")
    assert installed.signs_in("bob", FIRST) == "ok"
    assert not installed.has_secret("bob")


def test_a_timer_that_is_delivered_twice_dispatches_once(installed: Installation) -> None:
    installed.max_password_age(30)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.cloud.clock.shift(timedelta(hours=1).total_seconds())
    with installed.cloud.timeline.busy():
        installed.age_secret("alice", days=29)
        installed.scan()
        installed.scan()
    installed.settle()
    scans = [line for line in installed.audit(SCAN) if line["Outcome"] == "scanned"]
    # The other one is told that the task is there already; or it comes so late that the tag has been renewed.
    dispatched = sorted((scan["Dispatched"], scan["AlreadyDispatched"]) for scan in scans)
    assert dispatched in ([(0, 1), (1, 0)], [(0, 0), (1, 0)])
    # The tag was stale, the secret's own history is not: what was dispatched finds that nothing is to be done.
    assert outcomes(installed) == [("alice", "rotated"), ("alice", "already-rotated")]


# what goes wrong


def test_an_instance_that_is_killed_again_and_again_leaves_its_request_to_the_dead_letters(
    installed: Installation,
) -> None:
    armed = installed.cloud.faults.after("ResetUserPassword", installed.kill_rotators, count=100)
    installed.send({"UserName": "alice"})
    installed.settle()
    assert armed.struck == 4  # delivered once, and three times more
    (letter,) = installed.dead_letters()
    assert json.loads(json.loads(letter)["data"]["messageBody"]) == {"UserName": "alice"}
    installed.cloud.faults.clear()
    assert installed.redrive() == 1
    installed.settle()
    assert_recovered(installed, "alice")


def test_a_poison_message_ends_in_the_dead_letters_and_comes_back_once_the_fault_is_lifted(
    installed: Installation,
) -> None:
    for name in ("bob", "carol"):
        installed.add_user(name, FIRST)
    denied = Fault(
        "ResetUserPassword",
        "error",
        count=10_000,
        status=403,
        code="NoPermission",
        where={"UserId": installed.user_ids["bob"]},
    )
    installed.cloud.faults.arm(denied)
    with installed.cloud.timeline.busy():
        for name in ("alice", "bob", "carol"):
            installed.send({"UserName": name})
    installed.settle()
    assert installed.current_signs_in("alice") == installed.current_signs_in("carol") == "ok"
    assert installed.signs_in("bob", FIRST) == "ok"
    assert Counter(outcomes(installed))[("bob", "failed")] == 4
    letters = installed.dead_letters()
    assert "bob" in " ".join(letters)
    installed.cloud.faults.clear()
    resets = installed.resets()
    installed.redrive()
    installed.settle()
    assert_recovered(installed, "alice", "bob", "carol")
    assert Counter(installed.resets()) - Counter(resets) == {installed.user_ids["bob"]: 1}


def test_an_alert_whose_rotation_fails_for_good_is_kept_whole_and_can_be_fed_back(installed: Installation) -> None:
    installed.cloud.faults.arm(Fault("CreateSecret", "error", count=4, status=403, code="Forbidden.NoPermission"))
    installed.alert(alert("alice", 1, 5, installed))
    installed.settle()
    (letter,) = installed.dead_letters()
    assert json.loads(letter)["responseContext"]["functionError"] == "UnhandledInvocationError"
    assert "secret-store-denied" in letter or "SecretStoreDenied" in letter
    assert installed.signs_in("alice", FIRST) == "ok"  # the claim comes first: nothing was reset
    assert installed.redrive() == 1
    installed.settle()
    assert_recovered(installed, "alice")
    assert installed.results() == []  # of the queue's own, synchronous deliveries nobody is told


def test_a_scan_that_cannot_read_a_page_dispatches_nobody_and_is_repeated(installed: Installation) -> None:
    installed.max_password_age(30)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.cloud.clock.shift(timedelta(hours=1).total_seconds())
    installed.age_secret("alice", days=29)
    installed.cloud.faults.arm(Fault("ListUsers", "error", status=403, code="NoPermission"))
    installed.scan()
    installed.settle()
    ends = [(line["Outcome"], line.get("Error")) for line in installed.audit(SCAN) if "UserName" not in line]
    assert ends == [("failed", "directory-denied"), ("scanned", None)]
    assert installed.dead_letters("failed-scans") == []


def test_a_scan_that_fails_for_good_is_told_of(installed: Installation) -> None:
    installed.cloud.faults.arm(Fault("ListSecrets", "error", count=10, status=403, code="Forbidden.NoPermission"))
    installed.scan()
    installed.settle()
    (letter,) = installed.dead_letters("failed-scans")
    error = json.loads(json.loads(letter)["responsePayload"])
    assert error["errorType"] == "SecretStoreDenied"
    assert "Nothing was dispatched." in error["errorMessage"]


# storms


def test_a_storm_of_alerts_ends_with_exactly_the_rotations_that_are_needed(installed: Installation) -> None:
    users = ["alice", "bob", "carol", "dave", "erin"]
    for name in users[1:]:
        installed.add_user(name, FIRST)
    installed.cloud.fc.pool.limit = 4  # one more is refused with 429, and tried again
    storm = [alert(users[number % 5], number % 75, 1 + number % 60, installed) for number in range(100)]
    random.Random(7).shuffle(storm)  # noqa: S311 - the order of a test, not a secret
    with installed.cloud.timeline.busy():
        for number, event in enumerate(storm):
            if number % 2:
                installed.alert(event)
            else:
                installed.send(event)
    installed.settle(300)
    assert Counter(installed.resets()) == {installed.user_ids[name]: 1 for name in users}
    assert_recovered(installed, *users)
    told = Counter(outcomes(installed))
    assert all(told[name, "rotated"] == 1 for name in users)
    assert 1 < installed.cloud.fc.cold_starts(ROTATOR) <= 4


def test_two_instances_that_rotate_one_user_at_once_agree(installed: Installation) -> None:
    installed.cloud.fc.pool.limit = 3
    with installed.cloud.timeline.busy():
        for number in range(6):
            installed.alert(alert("alice", number, 5, installed))
    installed.settle()
    assert len(installed.resets()) == 1
    assert_recovered(installed, "alice")


# the other version and the other runtime


def other_manifest(folder: Path, *changes: tuple[str, str]) -> Path:
    """Return s.yaml with changes, elsewhere, for the same code."""
    text = (ROOT / "s.yaml").read_text(encoding="utf-8")
    for old, new in ((f"code: {PACKAGE}", f"code: {for_this_interpreter()}"), *changes):
        assert old in text
        text = text.replace(old, new)
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_functions_run_on_the_python_3_12_runtime(skipping: LocalCloud, tmp_path: Path) -> None:
    manifest = other_manifest(tmp_path, ("runtime: python3.10", "runtime: python3.12"))
    installed = Installation(skipping, manifest=manifest)
    installed.add_user("alice", FIRST)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.scan()
    installed.settle()
    assert [line["Managed"] for line in installed.audit(SCAN) if line["Outcome"] == "scanned"] == [1]
    assert_recovered(installed, "alice")


def test_the_scan_reaches_a_rotator_of_function_compute_2_by_its_service(skipping: LocalCloud, tmp_path: Path) -> None:
    name = "ROTATION_FUNCTION: ${resources.reset_password.props.functionName}"
    manifest = other_manifest(tmp_path, (name, "ROTATION_FUNCTION: rotation/reset-password"))
    installed = Installation(skipping, manifest=manifest)
    rotator, scanner, _ = (spec(each) for each in installed.manifest.functions)
    allowed = {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "fc:InvokeFunction",
                "Resource": f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:services/rotation/functions/reset-password",
            }
        ],
    }
    installed.cloud.fc.add_role(str(scanner.role_name), *installed.roles[str(scanner.role_name)], allowed)
    installed.cloud.fc.deploy(scanner)
    installed.cloud.fc.deploy(replace(rotator, name="reset-password", service="rotation"))
    installed.max_password_age(4)  # days; half of them is the longest lead
    installed.add_user("alice", FIRST)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.cloud.let_pass(timedelta(days=3).total_seconds())
    assert [line["Outcome"] for line in installed.audit(Target("reset-password", service="rotation"))] == ["rotated"]
    assert_recovered(installed, "alice")
