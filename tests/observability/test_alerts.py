"""Each alert fires on what real functions log of a real failure, and on a healthy day none does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.installation import PREFIX, ROTATOR, SCAN, Installation
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.observability.artefacts import FOLDER, REPORT
from tests.observability.queries import QUERIES
from tests.observability.sls import run

STATUS = Target(f"{PREFIX}-rotation-status")
FIRST = "First-Pass-01!x"
HOUR, DAY = 3600.0, 86_400.0
ALERTS = json.loads((FOLDER / "alerts.json").read_text(encoding="utf-8"))
EVERY = {alert["name"].removeprefix("${ROTATOR_NAME}-"): alert for alert in ALERTS}
# A lone "fails for good" is told by these, whatever it failed of.
GIVEN_UP = {"failed-rotation", "dead-letters"}


class Watched:
    """An installation, and Log Service with the alerts, as it has heard so far."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.installed = Installation(cloud, PROTECTED_USERS="root-*")
        self.installed.add_user("alice", FIRST)
        self.lines: list[tuple[int, dict[str, Any]]] = []
        self._read = dict.fromkeys((ROTATOR, SCAN, STATUS), 0)

    def rotate(self, name: str = "alice") -> None:
        """Ask for a rotation as of now, and let everything happen that follows."""
        self.cloud.let_pass(2.0)  # a request is not satisfied by what happened in the same second
        self.installed.send({"UserName": name, "Reason": "alert"})
        self.installed.settle()
        self.listen()

    def nights(self, number: int = 1) -> None:
        """Let nights pass, each with its scan, and the doctor's visits every hour."""
        for _ in range(number):
            self.cloud.let_pass(DAY)
            self.listen()

    def survey(self) -> None:
        """Let the doctor look."""
        self.installed.invoke(STATUS, {"Doctor": True})
        self.listen()

    def listen(self) -> None:
        """Take in the lines that are new, each a second after the one before."""
        now = int(self.cloud.clock.now().timestamp())
        for target in self._read:
            lines = list(self.installed.audit(target))
            news = lines[self._read[target] :]
            self._read[target] = len(lines)
            news = [{**line, "functionName": target.function} for line in news]
            self.lines += [(now - len(news) + number, line) for number, line in enumerate(news, start=1)]

    def firing(self, name: str) -> list[dict[str, Any]]:
        """Return the rows that an alert fires on now."""
        (asked,) = EVERY[name]["configuration"]["queryList"]
        span = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}[asked["start"][-1]] * int(asked["start"][1:-1])
        since = int((self.cloud.clock.now() - span).timestamp())
        query = asked["query"].replace("${ROTATOR_NAME}", PREFIX)
        return run(query, [(time, line) for time, line in self.lines if time >= since])

    def alarms(self) -> set[str]:
        """Return the names of the alerts that fire now, but for those that are mere reports."""
        severities = {name: each["configuration"]["severityConfigurations"] for name, each in EVERY.items()}
        return {name for name, (one,) in severities.items() if one["severity"] > REPORT and self.firing(name)}


@pytest.fixture
def watched() -> Iterator[Watched]:
    with LocalCloud(skip_waiting=True) as cloud:
        yield Watched(cloud)


def test_a_healthy_day_is_quiet(watched: Watched) -> None:
    watched.installed.add_user("bob", FIRST)
    watched.rotate("bob")
    watched.installed.alert(watched.installed.sample("security-alert.json"))
    watched.installed.settle()
    watched.nights()
    watched.survey()
    outcomes = {line["Outcome"] for _, line in watched.lines}
    assert {"rotated", "scanned", "surveyed"} <= outcomes
    assert watched.alarms() == set()


def test_every_query_can_be_asked_and_those_of_a_healthy_day_find_what_happened(watched: Watched) -> None:
    watched.rotate()
    watched.nights()
    watched.survey()
    found = {name: run(query.text, watched.lines) for name, query in QUERIES.items()}
    (rotation,) = found["rotations"]
    assert (rotation["who"], rotation["reason"], rotation["version"], rotation["attempt"]) == (
        "alice",
        "alert",
        "r1",
        1,
    )
    assert [row["outcome"] for row in found["one-user"]] == ["rotated"]
    (day,) = found["outcomes-by-day"]
    assert (day["rotated"], day["duplicates"], day["failures"]) == (1, 0, 0)
    (slow,) = found["slowest"]
    assert slow["took"] >= slow["waited"] == 0
    (mismatch,) = found["mismatch-by-day"]
    assert mismatch["median"] == mismatch["worst"] == found["worst-mismatch"][0]["ms"]
    (scan,) = found["scans"]
    assert (scan["users"], scan["managed"], scan["expired"]) == (1, 1, 0)
    assert (found["stuck-claims"], found["failing-users"]) == ([{"claims": 0}], [{"users": 0}])
    assert found["rotated-users"] == [{"users": 1}]


def test_a_request_that_fails_for_good_is_told_with_whom_and_why(watched: Watched) -> None:
    watched.nights()
    watched.rotate("mallory")
    assert watched.alarms() == GIVEN_UP
    (row,) = watched.firing("failed-rotation")
    assert (row["who"], row["error"]) == ("mallory", "user-not-found")
    assert "no user 'mallory'" in row["message"]
    (given_up,) = watched.firing("dead-letters")
    assert (given_up["who"], given_up["error"]) == ("mallory", "user-not-found")
    assert watched.installed.dead_letters() != []


def test_whoever_asks_for_the_state_of_a_misspelt_user_wakes_nobody(watched: Watched) -> None:
    watched.nights()
    watched.installed.invoke(STATUS, {"UserName": "alcie"})
    watched.installed.invoke(STATUS, {"Doktor": True})
    watched.listen()
    assert [line["Error"] for _, line in watched.lines[-2:]] == ["user-not-found", "malformed-event"]
    assert watched.alarms() == set()


def test_a_failure_that_a_redelivery_made_up_for_is_not_told(watched: Watched) -> None:
    watched.nights()
    watched.cloud.faults.arm(Fault("ListUsers", "error", status=503, code="ServiceUnavailable", count=5))
    watched.rotate()
    assert [line["Outcome"] for _, line in watched.lines if line.get("User") == "alice"] == ["failed", "rotated"]
    assert watched.alarms() == set()


def test_a_request_that_fails_of_something_passing_until_it_is_given_up_is_told(watched: Watched) -> None:
    watched.nights()
    watched.cloud.faults.arm(Fault("ListUsers", "error", status=503, code="ServiceUnavailable", count=1000))
    watched.rotate()
    watched.cloud.faults.clear()
    assert watched.alarms() == GIVEN_UP
    (given_up,) = watched.firing("dead-letters")
    assert (given_up["error"], given_up["deliveries"]) == ("directory-unavailable", 4)


def test_a_password_that_may_be_lost_is_told_until_a_rotation_made_up_for_it(watched: Watched) -> None:
    watched.nights()
    watched.cloud.faults.arm(Fault("ResetUserPassword", "drop-after", count=1000))
    watched.installed.invoke(ROTATOR, {"UserName": "alice"})
    watched.listen()
    watched.cloud.faults.clear()
    (row,) = watched.firing("password-in-doubt")
    assert (row["who"], row["error"]) == ("alice", "reset-outcome-unknown")
    watched.cloud.let_pass(HOUR)
    watched.rotate()
    assert watched.firing("password-in-doubt") == []
    assert watched.installed.current_signs_in("alice") == "ok"


def test_a_password_that_kms_would_not_take_is_told(watched: Watched) -> None:
    watched.nights()
    watched.rotate()
    refused = Fault("PutSecretValue", "error", status=403, code="Forbidden.NoPermission", where={"VersionId": "r2"})
    watched.cloud.faults.arm(replace(refused, count=1000))
    watched.rotate()
    (row,) = watched.firing("password-in-doubt")
    assert (row["who"], row["error"]) == ("alice", "not-published")


def test_a_claim_that_was_left_by_a_killed_instance_is_told_once_the_doctor_looks(watched: Watched) -> None:
    watched.nights()
    watched.cloud.faults.after("ResetUserPassword", watched.installed.kill_rotators, count=100)
    watched.rotate()
    watched.cloud.let_pass(HOUR)
    assert [line for _, line in watched.lines if line.get("User") == "alice"] == []  # who is killed says nothing
    watched.survey()
    assert {"stuck-claim", "finding"} <= watched.alarms()
    (row,) = watched.firing("stuck-claim")
    assert row["stuck"] == 1


def test_a_user_whose_password_expired_is_told(watched: Watched) -> None:
    watched.installed.max_password_age(30)
    watched.rotate()
    denied = Fault("InvokeFunction", "error", status=403, code="AccessDenied", count=10_000)
    watched.cloud.faults.arm(denied)  # the scan hands nothing on
    watched.cloud.let_pass(31 * DAY)
    watched.listen()
    assert "expired-user" in watched.alarms()
    (row,) = watched.firing("expired-user")
    assert row["expired"] == 1


def test_a_secret_that_held_a_dead_password_for_long_is_told(watched: Watched) -> None:
    watched.nights()
    watched.rotate()
    throttled = Fault("PutSecretValue", "throttle", count=4, retry_after_ms=3000, where={"VersionId": "r2"})
    watched.cloud.faults.arm(throttled)
    watched.rotate()
    assert watched.alarms() <= {"mismatch-window"}
    (row,) = watched.firing("mismatch-window")
    assert row["who"] == "alice"
    assert row["ms"] > 5000


def test_a_scan_that_never_ran_is_told(watched: Watched) -> None:
    watched.rotate()
    assert watched.firing("missing-scan") == [{"scans": 0}]
    watched.nights()
    assert watched.firing("missing-scan") == []


def test_whose_password_was_changed_of_late_is_told_why_and_where_the_new_one_is(watched: Watched) -> None:
    watched.rotate()
    assert watched.firing("password-changed") == [
        {"who": "alice", "reason": "alert", "secret": watched.installed.secret_name("alice")}
    ]
    watched.cloud.let_pass(HOUR)
    assert watched.firing("password-changed") == []


def test_no_alert_carries_a_password(watched: Watched) -> None:
    watched.rotate()
    watched.rotate("mallory")
    said = json.dumps([watched.firing(name) for name in EVERY])
    assert not any(password in said for password in watched.installed.passwords_of("alice"))
