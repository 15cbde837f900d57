"""kill -9 at every call of a rotation, and in the middle of a scan: what was asked for happens all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.evidence.plugin import Evidence
from tests.installation import PREFIX, ROTATOR, SCAN, Installation
from tests.localcloud.server import LocalCloud
from tests.wire.kills import Kills, Survival
from tests.wire.matrix import FIRST
from tests.wire.matrix_cells import KILLS
from tests.wire.matrix_table import crossed

USERS = tuple(f"user-{number}" for number in range(8))  # as many as one batch has


@pytest.fixture
def installed() -> Iterator[Installation]:
    """Deploy both functions, on a cloud in which nobody waits in real time; everybody has a password and no secret."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield with_users(Installation(cloud))


def with_users(installed: Installation) -> Installation:
    for user in USERS:
        installed.add_user(user, FIRST)
    return installed


def send_all(installed: Installation) -> None:
    with installed.cloud.timeline.busy():
        for user in USERS:
            installed.send({"UserName": user})
    installed.settle()


def assert_recovered(installed: Installation) -> None:
    """Everybody signs in with what KMS has and with nothing else, and nothing is left to do."""
    assert {installed.current_signs_in(user) for user in USERS} == {"ok"}
    assert {installed.signs_in(user, FIRST) for user in USERS} == {"wrong"}
    assert installed.dead_letters() == []
    assert len(installed.cloud.smq.queue(f"{PREFIX}-requests")) == 0


def told(survival: Survival) -> str:
    """Return what became of one cell, as the table shows it."""
    return f"{survival.outcome}, reset {('', 'once', 'twice')[survival.resets]}"


def test_a_kill_at_any_call_loses_no_password(evidence: Evidence) -> None:
    with LocalCloud(skip_waiting=True) as cloud:
        bench = Kills(Installation(cloud))
        survivals = list(bench.survivals())
        assert [f"{survival.cell.user}: {wrong}" for survival in survivals for wrong in survival.mismatches] == []
        assert bench.leaked() == 0
        assert bench.died_by_themselves() == []
        assert cloud.fc.cold_starts(ROTATOR) > len(bench.killed)
    assert Counter(survival.cell.fault for survival in survivals) == dict.fromkeys(KILLS, len(survivals) // len(KILLS))
    summary = f"{bench.rounds} kills of {len(survivals)} rotations, 4 or 8 at once. "
    table = crossed(
        evidence,
        ("Killed at", lambda cell: cell.call),
        (KILLS, lambda cell: cell.fault),
        [(survival.cell, told(survival)) for survival in survivals],
    )
    evidence.publish("kills", f"{summary}0 mismatches.\n\n{table}")


@pytest.mark.parametrize("action", ["ResetUserPassword", "PutSecretValue"])
def test_an_instance_killed_amid_a_batch_loses_nobodys_password_wherever_each_of_them_was(
    installed: Installation, action: str
) -> None:
    armed = installed.cloud.faults.after(action, installed.kill_rotators, nth=len(USERS) // 2)
    send_all(installed)
    assert armed.struck == 1
    assert installed.cloud.fc.cold_starts(ROTATOR) == 2
    assert_recovered(installed)
    resets = Counter(installed.resets())
    assert set(resets) == {installed.user_ids[user] for user in USERS}
    assert max(resets.values()) <= 2


def test_a_scan_killed_amid_its_dispatches_is_repeated_and_nobody_is_rotated_twice() -> None:
    with LocalCloud(skip_waiting=True) as cloud:
        installed = with_users(Installation(cloud, SPREAD_DAYS="0", MAX_PARALLEL="2"))
        installed.max_password_age(4)  # days; half of them is the longest lead
        send_all(installed)
        armed = cloud.faults.after("InvokeFunction", lambda: kill_scans(installed), nth=4)
        cloud.let_pass(timedelta(days=3).total_seconds())
        assert armed.struck == 1
        assert Counter(installed.resets()) == Counter(2 * [installed.user_ids[user] for user in USERS])
        (repeated,) = (line for line in installed.audit(SCAN) if line["Outcome"] == "scanned" and line["Due"])
        # Killed at the fourth dispatch, two at a time: four or five were accepted, and are not due any more.
        assert len(USERS) - 5 <= repeated["Dispatched"] <= len(USERS) - 4
        assert repeated["Dispatched"] + repeated["AlreadyDispatched"] == repeated["Due"]
        assert installed.dead_letters("failed-scans") == []
        assert_recovered(installed)


def kill_scans(installed: Installation) -> None:
    for instance in installed.cloud.fc.instances(SCAN):
        if instance.at_work:
            instance.kill()
