"""The rotator works under every reading of what Alibaba Cloud does not document."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from shared.errors import ResetNotAllowed
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches


def values(switch: str) -> tuple[Any, ...]:
    """Return every value that a switch can have."""
    return get_args(get_type_hints(Switches)[switch]) or (True, False)


READINGS = [
    pytest.param({switch.name: value}, id=f"{switch.name}={value}")
    for switch in fields(Switches)
    for value in values(switch.name)
]


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
