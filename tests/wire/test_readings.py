"""The rotator works under every reading of what Alibaba Cloud does not document."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from shared.errors import ResetNotAllowed
from tests.deployment import Deployment
from tests.installation import Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches


def values(switch: str) -> tuple[Any, ...]:
    """Return every value that a switch can have."""
    return get_args(get_type_hints(Switches)[switch]) or (True, False)


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


def readings(*, platform: bool) -> list[Any]:
    """Return every reading that is about the platform, or every one that is not."""
    return [
        pytest.param({switch.name: value}, id=f"{switch.name}={value}")
        for switch in fields(Switches)
        if (switch.name in PLATFORM) is platform
        for value in values(switch.name)
        if not platform or value != switch.default  # the installation's own tests run under the defaults
    ]


READINGS = readings(platform=False)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("source", ["cloudsso", "staged"])
def test_rotations_succeed_and_recover_under_every_reading(
    cloud: LocalCloud, source: str, reading: dict[str, Any]
) -> None:
    cloud.switches = replace(Switches(), **reading)
    deployed = Deployment(cloud, PASSWORD_SOURCE=source)
    deployed.add_user("alice", "Old-Secret-01!")
    for struck in (None, "PutSecretValue", "ResetUserPassword", None):  # a lost claim, a lost reset, and none
        if struck:
            cloud.faults.arm(Fault(struck, "drop-after"))
        assert deployed.outcome({"UserName": "alice"})["Outcome"] == "rotated"
        assert deployed.current_signs_in("alice") == "ok"
        deployed.later(3600)


@pytest.mark.parametrize("reading", READINGS)
def test_a_foreign_version_at_every_turn_does_not_stop_rotations(cloud: LocalCloud, reading: dict[str, Any]) -> None:
    cloud.switches = replace(Switches(), **reading)
    deployed = Deployment(cloud)
    deployed.add_user("alice", "Old-Secret-01!")
    for turn in range(3):
        assert deployed.outcome({"UserName": "alice"})["Outcome"] == "rotated"
        assert deployed.current_signs_in("alice") == "ok"
        for number in range(11):
            deployed.write_by_hand("alice", f"by-hand-{turn}-{number}")
        deployed.later(3600)


@pytest.mark.parametrize("code", values("sso_enabled"))
def test_sso_logon_is_named_as_the_cause_whatever_its_code(cloud: LocalCloud, code: str) -> None:
    reading: dict[str, Any] = {"sso_enabled": code}
    cloud.switches = replace(Switches(), **reading)
    deployed = Deployment(cloud)
    deployed.add_user("alice", "Old-Secret-01!")
    deployed.enable_sso()
    with pytest.raises(ResetNotAllowed, match="SSO logon enabled"):
        deployed.invoke({"UserName": "alice"})


@pytest.mark.parametrize("reading", readings(platform=True))
def test_what_is_deployed_loses_nothing_under_any_reading_of_the_platform(reading: dict[str, Any]) -> None:
    with LocalCloud(skip_waiting=True, switches=replace(Switches(), **reading)) as cloud:
        installed = Installation(cloud)
        for name in ("alice", "bob"):
            installed.add_user(name, FIRST)
        refused = cloud.faults.arm(Fault("CreateSecret", "error", status=503, code="ServiceUnavailable", count=100_000))
        installed.send({"UserName": "alice"})
        installed.settle()
        assert refused.struck > 0
        assert installed.dead_letters() != []
        cloud.faults.clear()
        installed.redrive()
        installed.alert({**installed.sample("security-alert.json"), "data": {"UserName": "bob"}})
        installed.settle()
        assert installed.dead_letters() == []
        installed.age_secret("alice", days=89)
        for _ in range(2):
            installed.scan()
            installed.settle()
        for name in ("alice", "bob"):
            assert installed.current_signs_in(name) == "ok"
            assert installed.signs_in(name, FIRST) == "wrong"
        assert installed.dead_letters("failed-scans") == []
