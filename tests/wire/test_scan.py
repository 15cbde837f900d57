"""The function that scans, on a loopback cloud: unmodified SDKs, its own role, and a function that takes tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from functions.scan_expiring import index
from shared import expiry, scanning
from shared.errors import (
    DirectoryUnavailable,
    DispatchesFailed,
    MalformedEvent,
    PasswordInEvent,
    RotatorError,
    SecretStoreUnavailable,
    SettingsError,
)
from shared.model import DirectoryId, UserId
from tests.deployment import CloudClock
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import ACCOUNT_ID, KMS_REGION, LocalCloud
from tests.wire.scanning import DAY, ROOT, Scanning

LISTS = ("Dispatched", "AlreadyDispatched", "WouldDispatch", "Deferred", "Unmanaged")


@pytest.fixture
def scan(cloud: LocalCloud) -> Scanning:
    """Deploy the scan."""
    return Scanning(cloud)


def due(scan: Scanning, ids: list[str], as_of: datetime, age: Any) -> set[str]:  # noqa: ANN401 - days by number
    """Return who of a crowd is due, reckoned once more and otherwise: by age against a limit of each user's own."""
    found = set()
    for number, user_id in enumerate(ids):
        limit = 90 - 14 - 3 * expiry.share(DirectoryId(scan.directory_id), UserId(user_id))
        rotated = scan.cloud.clock.now() - age(number) * DAY
        if (as_of - rotated) / DAY > limit:
            found.add(f"user{number:06}")
    return found


def test_ten_thousand_users_take_two_calls_a_hundred_and_two_more_and_exactly_the_due_are_dispatched(
    cloud: LocalCloud,
) -> None:
    scan = Scanning(cloud, SCAN_LIMIT="10000")
    ids = scan.crowd(10_000, age=lambda number: number % 100 / 1.3)
    answer = scan.scan(scan.timer())
    calls = scan.calls()
    invoked = calls.pop("InvokeFunction")
    assert calls == {"GetPasswordPolicy": 1, "GetExternalSAMLIdentityProvider": 1, "ListSecrets": 100, "ListUsers": 100}
    as_of = datetime.fromisoformat(answer["AsOf"].replace("Z", "+00:00"))
    expected = due(scan, ids, as_of, lambda number: number % 100 / 1.3)
    assert {event["UserName"] for event in scan.dispatched()} == expected
    assert 200 < len(expected) == invoked == answer["Due"] == answer["Dispatched"]["Count"]
    assert answer["Users"] == answer["Managed"] == 10_000 == answer["NotDue"] + answer["Due"]
    assert len(answer["Dispatched"]["UserNames"]) == 200


def test_a_rotation_is_handed_on_as_the_sample_event_shows_it(scan: Scanning) -> None:
    scan.crowd(1, age=lambda _number: 80)
    scan.scan()
    (event,) = scan.dispatched()
    sample = json.loads((ROOT / "events" / "expiring.json").read_bytes())
    assert event.keys() == sample.keys()
    assert (event["UserName"], event["DirectoryId"], event["Reason"]) == ("user000000", scan.directory_id, "expiring")
    (task,) = scan.rotator.accepted
    since = event["RotatedSince"].replace("-", "").replace(":", "")
    assert re.fullmatch(rf"expiring-u-[a-z0-9]+-{since}", task.task_id)


def test_a_timers_event_delivered_again_dispatches_nobody_again(scan: Scanning) -> None:
    scan.crowd(3, age=lambda _number: 80)
    event = scan.timer()
    assert scan.scan(event)["Dispatched"]["Count"] == 3
    scan.cloud.clock.shift(3 * 3600)
    answer = scan.scan(event)
    assert answer["AlreadyDispatched"] == {"Count": 3, "UserNames": ["user000000", "user000001", "user000002"]}
    assert answer["Dispatched"]["Count"] == 0
    assert len(scan.dispatched()) == 3


def test_a_dry_run_tells_the_plan_and_dispatches_nobody(scan: Scanning) -> None:
    scan.crowd(3, age=lambda number: 80 * number)
    answer = scan.scan({"DryRun": True})
    assert answer["DryRun"] is True
    assert answer["WouldDispatch"] == {"Count": 2, "UserNames": ["user000002", "user000001"]}
    assert (answer["Due"], answer["Dispatched"]["Count"]) == (2, 0)
    assert scan.dispatched() == []
    assert "InvokeFunction" not in scan.calls()


def test_turning_the_scan_on_resets_nobody(scan: Scanning) -> None:
    scan.cloud.cloudsso.seed_users(30)
    answer = scan.scan()
    assert answer["Unmanaged"]["Count"] == 30
    assert answer["Due"] == 0
    assert scan.dispatched() == []


def test_onboarding_by_tag_dispatches_whoever_has_the_tag(cloud: LocalCloud) -> None:
    scan = Scanning(cloud, ONBOARD="tagged")
    cloud.cloudsso.add_user("alice", tags={"password-rotation": "enabled"})
    cloud.cloudsso.add_user("bob", tags={"password-rotation": "disabled"})
    answer = scan.scan()
    assert [event["UserName"] for event in scan.dispatched()] == ["alice"]
    assert answer["Unmanaged"]["UserNames"] == ["bob"]


def test_who_is_excluded_is_told_with_the_reason(cloud: LocalCloud) -> None:
    scan = Scanning(cloud, ONBOARD="all", PROTECTED_USERS="root-*")
    cloud.cloudsso.add_user("root-admin")
    cloud.cloudsso.add_user("frank", status="Disabled")
    cloud.cloudsso.synchronize_user(cloud.cloudsso.add_user("scim"))
    excluded = scan.scan()["Excluded"]
    assert {why: each["UserNames"] for why, each in excluded.items() if each["Count"]} == {
        "protected": ["root-admin"],
        "disabled": ["frank"],
        "synchronized": ["scim"],
    }
    assert scan.dispatched() == []


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("GetPasswordPolicy", DirectoryUnavailable),
        ("GetExternalSAMLIdentityProvider", DirectoryUnavailable),
        ("ListUsers", DirectoryUnavailable),
        ("ListSecrets", SecretStoreUnavailable),
    ],
)
@pytest.mark.parametrize("kind", ["drop-after", "garbage"])
def test_one_page_that_cannot_be_read_dispatches_nobody(
    scan: Scanning,
    action: str,
    error: type[RotatorError],
    kind: Any,  # noqa: ANN401 - a literal of the faults
) -> None:
    scan.crowd(250, age=lambda _number: 80)
    nth = 2 if action.startswith("List") else 1
    body = b"<html>" if kind == "garbage" else None
    scan.cloud.faults.arm(Fault(action, kind, nth=nth, count=99, body=body))
    with pytest.raises(error):
        scan.scan()
    assert scan.dispatched() == []


def test_a_fan_out_that_failed_in_part_says_who_was_dispatched_and_may_be_repeated(scan: Scanning) -> None:
    scan.crowd(4, age=lambda _number: 80)
    event = scan.timer()
    scan.cloud.faults.arm(Fault("InvokeFunction", "error", status=403, code="AccessDenied", nth=2))
    with pytest.raises(DispatchesFailed, match="1 of 4 dispatches failed") as raised:
        scan.scan(event)
    assert len(scan.dispatched()) == 3
    for each in scan.dispatched():
        assert each["UserName"] in str(raised.value)
    answer = scan.scan(event)
    assert (answer["Dispatched"]["Count"], answer["AlreadyDispatched"]["Count"]) == (1, 3)
    assert len({each["UserName"] for each in scan.dispatched()}) == len(scan.dispatched()) == 4


def test_where_time_runs_out_the_rest_is_deferred_and_the_answer_says_so(cloud: LocalCloud) -> None:
    scan = Scanning(cloud, MAX_PARALLEL="1")
    scan.crowd(3, age=lambda _number: 80)
    cloud.faults.after("InvokeFunction", lambda: cloud.clock.shift(900))
    answer = scan.scan()
    assert answer["OutOfTime"] is True
    assert (answer["Dispatched"]["Count"], answer["Deferred"]["Count"]) == (1, 2)


def test_whoever_is_counted_is_named_in_the_log(scan: Scanning, capsys: pytest.CaptureFixture[str]) -> None:
    scan.cloud.cloudsso.seed_users(450, "stranger")
    scan.crowd(2, age=lambda _number: 80)
    scan.scan()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    named = [name for line in lines if line["Outcome"] == "unmanaged" for name in line["UserNames"]]
    assert len(named) == len(set(named)) == 450
    assert {line["UserName"] for line in lines if line["Outcome"] == "dispatched"} == {"user000000", "user000001"}
    (summary,) = [line for line in lines if line["Outcome"] == "scanned"]
    assert (summary["Users"], summary["Unmanaged"], summary["Dispatched"]) == (452, 450, 2)


@pytest.mark.parametrize(
    ("event", "error"), [({"DruRun": True}, MalformedEvent), ({"Password": "S3cret-Passw0rd!"}, PasswordInEvent)]
)
def test_an_event_that_makes_no_sense_is_logged_and_raised_and_makes_no_call(
    scan: Scanning, capsys: pytest.CaptureFixture[str], event: object, error: type[RotatorError]
) -> None:
    with pytest.raises(error) as raised:
        scan.scan(event)
    assert "S3cret" not in str(raised.value)
    assert json.loads(capsys.readouterr().out)["Error"] == raised.value.reason
    assert scan.calls() == {}


def test_without_an_endpoint_the_accounts_own_is_used(cloud: LocalCloud) -> None:
    made: list[object] = []

    def dispatcher(*asked: object) -> Any:  # noqa: ANN401 - a port that is not used
        made.append(asked[1])
        raise SettingsError("far enough")

    scan = Scanning(cloud, ROTATION_ENDPOINT="")
    scan.app = scanning.start(scan.context, scan.environ, CloudClock(cloud), dispatcher)
    scan.crowd(1, age=lambda _number: 80)
    with pytest.raises(SettingsError, match="far enough"):
        scan.scan()
    assert str(made).count(f"{ACCOUNT_ID}.{KMS_REGION}.fc.aliyuncs.com") == 1
    scan.context.account_id = ""
    with pytest.raises(SettingsError, match="ROTATION_ENDPOINT"):
        scan.scan()


def test_a_timeout_that_is_too_short_for_a_scan_is_a_wrong_setting(scan: Scanning) -> None:
    scan.context.function.timeout = 30
    with pytest.raises(SettingsError, match="timeout is 30 s"):
        scan.scan()


def test_a_bug_is_raised_without_its_text_and_without_what_led_to_it(scan: Scanning) -> None:
    def dispatcher(*_asked: object) -> Any:  # noqa: ANN401 - a port that is not used
        raise ValueError("S3cret-Passw0rd!")

    scan.app = scanning.start(scan.context, scan.environ, CloudClock(scan.cloud), dispatcher)
    scan.crowd(1, age=lambda _number: 80)
    with pytest.raises(RotatorError, match="ValueError in dispatcher") as raised:
        scan.scan()
    assert "S3cret" not in str(raised.value)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


@pytest.fixture
def _fresh_instance() -> Iterator[None]:
    """Be an instance that has served nothing, and leave none behind."""
    index._instance.clear()
    yield
    index._instance.clear()


@pytest.mark.usefixtures("_fresh_instance")
@pytest.mark.parametrize("initialized", [True, False])
def test_the_entry_points_need_nothing_but_the_environment(
    scan: Scanning, monkeypatch: pytest.MonkeyPatch, *, initialized: bool
) -> None:
    for name, value in scan.environ.items():
        monkeypatch.setenv(name, value)
    if initialized:
        index.initialize(scan.context)
    answer = json.loads(index.handler(b"{}", scan.context))
    assert answer["Users"] == 0
    assert all(answer[name]["Count"] == 0 for name in LISTS)
