"""The functions work under every reading of what Alibaba Cloud does not document, under any two together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import combinations, product
from typing import Any

import pytest

from shared.errors import ResetNotAllowed
from tests.deployment import Deployment
from tests.installation import SCAN, Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches, values
from tests.wire.pairs import Row, rows
from tests.wire.surveys import Surveys

# Those about Function Compute and EventBridge: a rotation by itself meets none of them, what is deployed does.
PLATFORM = {
    "task_exists",
    "async_retry_delay",
    "async_invocation_type",
    "run_options_of_rules",
    "queue_concurrency",
    "dead_letters",
    "undecodable_body",
}
FIRST = "First-Pass-01!x"


SWITCHES = {switch.name: values(switch.name) for switch in fields(Switches)}
SOURCES = ("cloudsso", "staged")
OF_ROTATIONS = rows({"source": SOURCES, **{name: those for name, those in SWITCHES.items() if name not in PLATFORM}})
OF_THE_PLATFORM = rows({name: SWITCHES[name] for name in SWITCHES if name in PLATFORM})


def told(row: Row) -> str:
    """Return what a row turns away from the likelier reading."""
    return ", ".join(f"{name}={value}" for name, value in row.items() if value != getattr(Switches(), name, None))


def test_any_two_readings_meet() -> None:
    settings = {"a": (1, 2, 3), "b": ("x", "y"), "c": (True, False), "d": (True, False)}
    made = rows(settings)
    assert len(made) < 10
    for one, other in combinations(settings, 2):
        assert {(row[one], row[other]) for row in made} == set(product(settings[one], settings[other]))
    assert rows(settings) == made


@pytest.mark.parametrize("row", OF_ROTATIONS, ids=told)
def test_rotations_succeed_and_recover_under_every_reading(cloud: LocalCloud, row: Row) -> None:
    deployed = under(cloud, row)
    for struck in (None, "PutSecretValue", "ResetUserPassword", None):  # a lost claim, a lost reset, and none
        if struck:
            cloud.faults.arm(Fault(struck, "drop-after"))
        assert deployed.outcome({"UserName": "alice"})["Outcome"] == "rotated"
        assert deployed.current_signs_in("alice") == "ok"
        deployed.later(3600)


@pytest.mark.parametrize("row", OF_ROTATIONS, ids=told)
def test_a_foreign_version_at_every_turn_does_not_stop_rotations(cloud: LocalCloud, row: Row) -> None:
    deployed = under(cloud, row)
    for turn in range(3):
        assert deployed.outcome({"UserName": "alice"})["Outcome"] == "rotated"
        assert deployed.current_signs_in("alice") == "ok"
        for number in range(11):
            deployed.write_by_hand("alice", f"by-hand-{turn}-{number}")
        deployed.later(3600)


@pytest.mark.parametrize("row", OF_ROTATIONS, ids=told)
def test_the_state_is_told_truly_under_every_reading(cloud: LocalCloud, row: Row) -> None:
    read(cloud, row)
    surveys = Surveys(cloud, PASSWORD_SOURCE=row["source"])
    for name in ("alice", "bob"):
        surveys.add_user(name, FIRST)
        surveys.invoke({"UserName": name})
    surveys.later(3600)
    assert surveys.problems() == []
    surveys.write_by_hand("alice", "by-hand")
    assert surveys.problems() == [("version-foreign", "alice")]
    surveys.invoke({"UserName": "alice"})
    surveys.later(3600)
    assert surveys.problems() == []
    surveys.delete_secret("bob")
    assert surveys.problems() == [("secret-in-deletion", "bob")]
    assert surveys.show(UserName="bob")["Complete"]


def read(cloud: LocalCloud, row: Row) -> None:
    """Have a cloud do what is not documented as this row reads it."""
    cloud.switches = replace(Switches(), **{name: value for name, value in row.items() if name != "source"})


def under(cloud: LocalCloud, row: Row) -> Deployment:
    """Deploy the function, with a user alice, in a cloud that is read this way."""
    read(cloud, row)
    deployed = Deployment(cloud, PASSWORD_SOURCE=row["source"])
    deployed.add_user("alice", "Old-Secret-01!")
    return deployed


@pytest.mark.parametrize("code", values("sso_enabled"))
def test_sso_logon_is_named_as_the_cause_whatever_its_code(cloud: LocalCloud, code: str) -> None:
    reading: dict[str, Any] = {"sso_enabled": code}
    cloud.switches = replace(Switches(), **reading)
    deployed = Deployment(cloud)
    deployed.add_user("alice", "Old-Secret-01!")
    deployed.enable_sso()
    with pytest.raises(ResetNotAllowed, match="SSO logon enabled"):
        deployed.invoke({"UserName": "alice"})


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    """Deploy s.yaml once: a cloud can be read anew while it runs."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield Installation(cloud)


@pytest.mark.parametrize("row", OF_THE_PLATFORM, ids=told)
def test_what_is_deployed_loses_nothing_under_any_reading_of_the_platform(installed: Installation, row: Row) -> None:
    cloud, number = installed.cloud, len(installed.user_ids)
    cloud.switches = replace(Switches(), **row)
    alice, bob = f"alice-{number}", f"bob-{number}"
    for name in (alice, bob):
        installed.add_user(name, FIRST)
    refused = cloud.faults.arm(Fault("CreateSecret", "error", status=503, code="ServiceUnavailable", count=100_000))
    installed.send({"UserName": alice})
    installed.settle()
    assert refused.struck > 0
    assert installed.dead_letters() != []
    cloud.faults.clear()
    installed.redrive()
    installed.alert({**installed.sample("security-alert.json"), "data": {"UserName": bob}})
    installed.settle()
    assert installed.dead_letters() == []
    for fate in ("dispatched", "already-dispatched"):  # the tag of the second scan is stale, and its task id used
        installed.age_secret(alice, days=89)
        installed.scan()
        installed.settle()
        assert [line["Outcome"] for line in installed.audit(SCAN) if line.get("UserName") == alice][-1] == fate
    for name in (alice, bob):
        assert installed.current_signs_in(name) == "ok"
        assert installed.signs_in(name, FIRST) == "wrong"
    assert installed.dead_letters("failed-scans") == []
