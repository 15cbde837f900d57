"""Each function's policy is enough for all that it does, and grants nothing else: what RAM was asked is what it allows.

Alibaba Cloud's pages disagree about the resource that KMS asks RAM for when a secret is made or all are listed. A
policy must do under each reading, so what any of them asks for counts as used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from posixpath import commonpath
from typing import Any

import pytest

from tests.evidence.plugin import Evidence
from tests.localcloud.server import LocalCloud
from tests.wire.benches import deployment, permissions, scanning, surveying
from tests.wire.grants import FUNCTIONS, Grant, written
from tests.wire.needs import ROTATOR, SCAN, STATUS, Need
from tests.wire.platform_needs import PLATFORM

READINGS = (0, 1, 2)  # KMS asks for `secret`, for `secret/*`, for the new secret's own name

Used = set[tuple[str, str]]

pytestmark = pytest.mark.evidence


def rotate(cloud: LocalCloud, reading: int) -> list[Grant]:
    """Use the rotator in every way, for two users each; return what its policy grants."""
    users = [(f"user{number}-{turn}", need) for number, need in enumerate(ROTATOR) for turn in range(2)]
    deployed = deployment(cloud, reading, [name for name, _ in users])
    for name, need in users:
        assert need.use(deployed, name) == need.ends
    return permissions(deployed)


def scan(cloud: LocalCloud, reading: int) -> list[Grant]:
    """Scan, which is all that the scan does; return what its policy grants."""
    made = scanning(cloud, reading)
    assert SCAN[0].use(made, "user000000") == SCAN[0].ends
    return permissions(made)


def show(cloud: LocalCloud, reading: int) -> list[Grant]:
    """Show the state of two users, which is all that the function does; return what its policy grants."""
    made = surveying(cloud, reading)
    assert {STATUS[0].use(made, name) for name in ("alice", "bob")} == {STATUS[0].ends}
    return permissions(made)


@pytest.mark.parametrize(
    ("use", "role"), [(rotate, "reset-password"), (scan, "scan-expiring"), (show, "rotation-status")]
)
def test_a_policy_is_enough_for_everything_and_everything_in_it_is_used(
    use: Callable[[LocalCloud, int], list[Grant]], role: str
) -> None:
    used, grants = Used(), list[Grant]()
    for reading in READINGS:
        with LocalCloud() as cloud:
            grants = use(cloud, reading)
            assert all(one.allowed for one in cloud.ram.decisions if one.role == role)
            used |= cloud.ram.used(role)
    for action, resource in used:
        assert any(grant.covers(action, resource) for grant in grants)
    for grant in grants:
        assert grant.resource == narrowest({resource for action, resource in used if grant.covers(action, resource)})


def narrowest(resources: set[str]) -> str:
    """Return the least that names them all and whoever comes next to them: one resource, or all in one folder."""
    return f"{commonpath(sorted(resources))}/*" if len(resources) > 1 else "".join(resources)


def test_no_policy_lets_a_function_read_a_secret() -> None:
    functions = [path.parent.name for path in FUNCTIONS.glob("*/policy.json")]
    assert len(functions) == 3
    actions = {one.action for function in functions for one in written(function)}
    assert {"kms:GetSecretValue", "kms:Decrypt", "kms:*", "*"} & actions == set()
    assert not [action for action in actions if "*" in action]


def test_the_function_that_shows_the_state_may_only_read() -> None:
    services = {(one.action.partition(":")[0], one.action.partition(":")[2]) for one in written("rotation_status")}
    assert {service for service, _ in services} == {"cloudsso", "kms"}
    assert all(name.startswith(("Get", "List")) for _, name in services)


def test_the_permissions_are_published(evidence: Evidence) -> None:
    functions: dict[str, Sequence[Need[Any]]] = {
        "reset_password": ROTATOR,
        "scan_expiring": SCAN,
        "rotation_status": STATUS,
    }
    everything = [(function, need) for function, needs in functions.items() for need in needs]
    evidence.publish("permissions", evidence.table(*missing(everything)))
    evidence.publish("wildcards", evidence.table(*narrower(everything)))


def missing(needs: Sequence[tuple[str, Need[Any]]]) -> tuple[list[str], Iterator[Sequence[str]]]:
    """Return a table of every permission, and of what happens without it."""
    code = [(function, need.action, need.place, need.purpose, need.without) for function, need in needs]
    platform = [(one.function, one.action, one.place, one.purpose, one.without) for one in PLATFORM]
    rows = ((*map(_code, row[:3]), *row[3:]) for row in [*code, *platform])
    return ["Role of", "Action", "Resource", "Used for", "Without it"], rows


def narrower(needs: Sequence[tuple[str, Need[Any]]]) -> tuple[list[str], Iterator[Sequence[str]]]:
    """Return a table of every wildcard, and of what is not enough in its place."""
    alice = {"directory": "${CLOUDSSO_DIRECTORY_ID}", "user": "alice", "user_id": "<id of alice>"}
    wide = [
        (function, need.action, need.place, need.narrower.format(**alice), need.without) for function, need in needs
    ]
    rows = ((*map(_code, row[:4]), row[4]) for row in wide if row[3])
    return ["Role of", "Action", "Wildcard", "Tried instead", "For bob"], rows


def _code(text: str) -> str:
    return f"`{text}`"
