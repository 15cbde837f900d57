"""s.yaml's trigger `redrive`: dead letters go back by themselves, once, while somebody has it turned on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.installation import PREFIX, ROTATOR, Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches

FIRST = "First-Pass-01!x"
USERS = ("alice", "bob", "carol")
READINGS = [
    Switches(),
    Switches(dead_letters="whole-batch"),
    Switches(queue_concurrency=True),
]


@pytest.fixture
def installed() -> Iterator[Installation]:
    """Deploy; everybody has a password."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield with_users(cloud)


@pytest.fixture(params=READINGS, ids=["default", "whole-batch", "concurrency"])
def read_so(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Deploy under a reading of what is not documented; everybody has a password."""
    with LocalCloud(skip_waiting=True, switches=request.param) as cloud:
        yield with_users(cloud)


def with_users(cloud: LocalCloud) -> Installation:
    installation = Installation(cloud)
    for name in USERS:
        installation.add_user(name, FIRST)
    return installation


def refuse(installed: Installation, *users: str) -> None:
    """Let KMS refuse to make these users' secrets, until the faults are cleared: no attempt gets as far as a claim."""
    for user in users:
        where = {"SecretName": installed.secret_name(user)}
        fault = Fault("CreateSecret", "error", count=99, status=403, code="Forbidden.NoPermission", where=where)
        installed.cloud.faults.arm(fault)


def fill(installed: Installation, *users: str) -> None:
    """Have requests about these users fail for good; bob's by way of the event bus, if he is one of them."""
    refuse(installed, *users)
    with installed.cloud.timeline.busy():
        for user in users:
            if user == "bob":
                event = installed.sample("security-alert.json")
                installed.alert({**event, "data": {**event["data"], "user": user, "UserName": user}})
            else:
                installed.send({"UserName": user})
    installed.settle()
    installed.cloud.faults.clear()


def test_while_it_is_off_dead_letters_stay_where_they_are(installed: Installation) -> None:
    fill(installed, *USERS)
    letters = installed.dead_letters()
    installed.settle()
    assert len(letters) >= 2
    assert installed.dead_letters() == letters
    assert installed.resets() == []


def test_turned_on_it_carries_out_every_dead_letter_once_and_keeps_none(read_so: Installation) -> None:
    fill(read_so, *USERS)
    read_so.redeploy(REDRIVE="true")
    read_so.settle()
    assert read_so.dead_letters() == read_so.dead_letters("failed-redrives") == []
    assert sorted(read_so.resets()) == sorted(read_so.user_ids[name] for name in USERS)
    assert [read_so.current_signs_in(name) for name in USERS] == ["ok", "ok", "ok"]


def test_one_that_fails_again_is_kept_takes_no_other_with_it_and_goes_round_no_more(read_so: Installation) -> None:
    for user in USERS:  # one after the other: none of them shares a batch, under any reading
        fill(read_so, user)
    refuse(read_so, "carol")
    read_so.redeploy(REDRIVE="true")
    read_so.settle()
    assert read_so.dead_letters() == []
    (kept,) = read_so.dead_letters("failed-redrives")
    assert "carol" in kept
    assert read_so.current_signs_in("alice") == read_so.current_signs_in("bob") == "ok"
    assert not read_so.has_secret("carol")
    tries = [line for line in read_so.audit() if line.get("User") == "carol"]
    read_so.settle()
    assert [line for line in read_so.audit() if line.get("User") == "carol"] == tries  # it does not loop


def test_what_failed_again_is_fed_back_the_other_way_round(installed: Installation) -> None:
    fill(installed, "alice")
    refuse(installed, "alice")
    installed.redeploy(REDRIVE="true")
    installed.settle()
    assert len(installed.dead_letters("failed-redrives")) == 1
    installed.cloud.faults.clear()
    installed.redeploy(REDRIVE="true", REDRIVE_FROM="failed-redrives", REDRIVE_TO="dead-letters")
    installed.settle()
    assert installed.dead_letters() == installed.dead_letters("failed-redrives") == []
    assert installed.current_signs_in("alice") == "ok"


def test_whose_attempts_are_used_up_is_forced_by_hand_and_the_letter_is_cleared_by_another_pass(
    installed: Installation,
) -> None:
    where = {"UserId": installed.user_ids["alice"]}
    denied = Fault("ResetUserPassword", "error", count=99, status=403, code="NoPermission", where=where)
    installed.cloud.faults.arm(denied)
    installed.send({"UserName": "alice"})
    installed.settle()
    installed.redeploy(REDRIVE="true")
    installed.settle()
    installed.cloud.faults.clear()
    assert len(installed.dead_letters("failed-redrives")) == 1
    assert [line["Error"] for line in installed.audit()][-1] == "too-many-attempts"
    installed.invoke(ROTATOR, {"UserName": "alice", "Force": True})
    installed.redeploy(REDRIVE="true", REDRIVE_FROM="failed-redrives", REDRIVE_TO="dead-letters")
    installed.settle()
    assert installed.dead_letters() == installed.dead_letters("failed-redrives") == []
    assert [line["Outcome"] for line in installed.audit()][-2:] == ["rotated", "already-rotated"]


def test_turned_off_again_it_takes_nothing_more(installed: Installation) -> None:
    installed.redeploy(REDRIVE="true")
    installed.redeploy(REDRIVE="false")
    fill(installed, "alice")
    assert len(installed.dead_letters()) == 1


def test_a_letter_that_somebody_emptied_by_hand_rotates_nobody_twice(installed: Installation) -> None:
    """The same letter in both queues, as when a person sent it on and a redrive was turned on too."""
    fill(installed, "alice")
    (letter,) = installed.dead_letters()
    installed.cloud.smq.send(f"{PREFIX}-requests", letter)
    installed.redeploy(REDRIVE="true")
    installed.settle()
    assert installed.resets() == [installed.user_ids["alice"]]


def test_letters_that_failed_in_four_passes_are_still_read_and_still_fit_into_a_queue(installed: Installation) -> None:
    """Each pass wraps a letter once more, and nearly doubles it; the runbook says to stop after three."""
    fill(installed, "alice", "bob")
    queues = ["dead-letters", "failed-redrives"]
    for _ in range(4):
        refuse(installed, "alice", "bob")
        installed.redeploy(REDRIVE="true", REDRIVE_FROM=queues[0], REDRIVE_TO=queues[1])
        installed.settle()
        queues.reverse()
    installed.cloud.faults.clear()
    assert 1 <= len(installed.dead_letters(queues[0])) <= 2
    installed.redeploy(REDRIVE="true", REDRIVE_FROM=queues[0], REDRIVE_TO=queues[1])
    installed.settle()
    assert [installed.current_signs_in(name) for name in ("alice", "bob")] == ["ok", "ok"]
