"""What Function Compute does in a role's name, with exactly docs/stack.json, and without one permission of it.

One installation serves all of it: policies that change count from the next call on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.installation import Installation
from tests.localcloud.server import LocalCloud
from tests.stack import template
from tests.wire.grants import Grant, document, granted
from tests.wire.platform_needs import PLATFORM, PlatformNeed

pytestmark = pytest.mark.evidence  # what test_permissions.py publishes is what these tests see


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    """Deploy the functions once, with a user alice."""
    with LocalCloud(skip_waiting=True) as cloud:
        installation = Installation(cloud)
        cloud.cloudsso.add_user("alice")
        yield installation


def platform(installed: Installation, role: str) -> list[Grant]:
    """Return what a role may do for the platform, beside what its function does."""
    return granted(installed.roles[role][1])


def attach(installed: Installation, role: str, grants: list[Grant]) -> None:
    """Let a role do this for the platform, and no more."""
    installed.cloud.fc.add_role(role, installed.roles[role][0], document(grants))


def test_the_platform_uses_exactly_what_the_stack_grants_it(installed: Installation) -> None:
    assert installed.roles.keys() == {need.role for need in PLATFORM}
    assert [need.use(installed) for need in PLATFORM] == [need.ends for need in PLATFORM]
    for role, documents in installed.roles.items():
        own = {(one.action, one.resource) for one in granted(documents[1])}
        services = {action.partition(":")[0] for action, _ in own}
        used = {made for made in installed.cloud.ram.used(role) if made[0].partition(":")[0] in services}
        assert used == own


def test_every_permission_of_the_platform_has_a_reason(installed: Installation) -> None:
    held = [(role, one.action, one.place) for role in installed.roles for one in platform(installed, role)]
    assert sorted(held) == sorted((need.role, need.action, need.place) for need in PLATFORM)


@pytest.mark.parametrize("need", PLATFORM, ids=lambda need: f"{need.function}: {need.action} on {need.place}")
def test_without_a_permission_of_the_platform_what_it_is_for_does_not_happen(
    installed: Installation, need: PlatformNeed
) -> None:
    everything = platform(installed, need.role)
    attach(installed, need.role, [one for one in everything if (one.action, one.place) != (need.action, need.place)])
    try:
        assert need.use(installed) == need.without
    finally:
        attach(installed, need.role, everything)
    assert need.use(installed) == need.ends


def test_triggers_have_no_role_of_their_own_here(installed: Installation) -> None:
    """EventBridge and the timer use Alibaba Cloud's service-linked roles; the stack makes the functions' roles only."""
    assert "invocationRole" not in template.MANIFEST.read_text(encoding="utf-8")
    kinds = [resource["Type"] for resource in template.template()["Resources"].values()]
    assert kinds.count("ALIYUN::RAM::Role") == len(installed.roles) == 3
    others = [kind for kind in kinds if kind.startswith("ALIYUN::RAM::") and kind != "ALIYUN::RAM::Role"]
    assert others == ["ALIYUN::RAM::ManagedPolicy"]  # for people who look, who are no triggers
