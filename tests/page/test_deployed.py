"""The whole way: a browser, the viewer that signs, the HTTP trigger of s.yaml, the packed function, its calls.

Who looks knows nothing but what the page says, and does that.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.installation import ROTATOR, SCAN, STATUS, Installation
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.gateway.listener import Listener
from tests.localcloud.server import LocalCloud
from tests.page.browser import Look, looking
from tests.viewer.proxy import Viewer
from tests.viewer.signing import Credentials
from tests.viewer.upstream import Address, Upstream

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DAY = timedelta(days=1)
ROLE = "cloudsso-rotator-rotation-status"
FUNCTIONS: dict[str, Target] = {"reset_password": ROTATOR, "scan_expiring": SCAN, "rotation_status": STATUS}


@dataclass
class Operator:
    """Somebody with a browser, who does what the page says."""

    installed: Installation
    look: Look

    @property
    def headline(self) -> str:
        return self.look.page.inner_text("h1")

    def read_now(self) -> None:
        self.look.page.get_by_role("link", name="read it now").click()

    def commands(self) -> list[str]:
        return self.look.page.locator("code.command").all_inner_texts()

    def type(self, command: str) -> None:
        """Carry out `s FUNCTION invoke --event JSON`, as Serverless Devs would."""
        program, function, invoke, option, event = shlex.split(command)
        assert (program, invoke, option) == ("s", "invoke", "--event")
        self.installed.invoke(FUNCTIONS[function], json.loads(event))


@contextmanager
def at_work(browser: Browser, users: int = 0) -> Iterator[Operator]:
    with LocalCloud(skip_waiting=True) as cloud, looking(browser) as look:
        fill(cloud, users)  # before there are timers, for which the leap would be a hundred nights
        installed = Installation(cloud)
        key = cloud.role("operator", *installed.policies.values())  # as who was given the policy for viewers
        signer = Credentials(key.access_key_id, key.access_key_secret, key.security_token or "")
        troubles: list[object] = []
        viewer = Viewer(Upstream(Address.parse(cloud.fc.url(STATUS.function, "page")), signer), troubles.append)
        listener = Listener(viewer, 0, None)
        viewer.host = listener.endpoints[0]
        listener.start()
        try:
            look.open(viewer.first_address)
            yield Operator(installed, look)
            assert troubles == []
        finally:
            listener.stop()


@pytest.fixture
def operator(browser: Browser) -> Iterator[Operator]:
    with at_work(browser) as operator:
        yield operator


def fill(cloud: LocalCloud, count: int) -> None:
    """Add users whose passwords were rotated from today to 80 days ago, and some who have no secret."""
    directory_id = cloud.cloudsso.directory_id
    managed = count - count // 10
    ids = cloud.cloudsso.seed_users(managed)
    cloud.cloudsso.seed_users(count - managed, "stranger")
    cloud.clock.shift(timedelta(days=100).total_seconds())
    now = cloud.clock.now()

    def rotated(number: int) -> datetime:
        return now - number % 80 * DAY

    def tags(number: int) -> dict[str, str]:
        ours = {"ManagedBy": "cloudsso-rotator", "DirectoryId": directory_id, "UserId": ids[number]}
        return {**ours, "RotatedAt": rotated(number).strftime("%Y-%m-%dT%H:%M:%SZ")}

    prefix = f"cloudsso/{directory_id}/user"
    cloud.kms.seed_secrets(managed, prefix, tags=tags, versions=("r1-c1", "r1"), made=rotated)


def test_from_an_empty_directory_to_a_managed_user_by_what_the_page_says(operator: Operator) -> None:
    assert operator.headline == "The directory has no users"
    operator.installed.add_user("zoe", "Old-Secret-01!")
    operator.read_now()
    assert operator.headline == "No password is managed yet"
    ask, rotate = operator.commands()[:2]
    operator.type(ask)
    operator.type(rotate)
    operator.read_now()
    assert operator.headline == "Every password is in order"
    assert operator.look.names() == ["zoe"]
    assert "r1 current" in operator.look.page.inner_text("table.users")
    assert operator.look.complaints == []
    secret = operator.installed.secret("zoe")["Password"]
    assert operator.installed.cloud.sign_in("zoe", secret).answer == "ok"
    assert secret not in operator.look.page.content()


@pytest.mark.parametrize("count", [3, 300, 30_000])
def test_a_directory_of_any_size_is_shown_filtered_and_paged(browser: Browser, count: int) -> None:
    strangers = count // 10
    with at_work(browser, count) as operator:
        page, look = operator.look.page, operator.look
        assert page.locator("a.tile.all .count").inner_text() == f"{count:,}"
        assert len(look.names()) == min(count, 50)
        assert look.asks("document.querySelectorAll('*').length") < 4_000  # however many users there are
        assert page.get_by_role("img", name="Upcoming rotations and expiries, by day").is_visible()
        if strangers:
            page.get_by_role("link", name=f"Unmanaged {strangers:,}").click()
            assert set(page.locator("table.users .state").all_inner_texts()) == {"Unmanaged"}
            page.get_by_role("searchbox", name="Name contains").fill("stranger00000")
            page.get_by_role("button", name="Filter").click()
            page.wait_for_url("**q=stranger00000**")
            assert look.names() == [f"stranger{number:06}" for number in range(min(strangers, 10))]
        look.open(f"{page.url.partition('?')[0]}?state=fresh&page=2")
        assert "What is coming" in page.inner_text("main")
        assert look.complaints == []


def test_an_outage_of_kms_is_said_and_is_over_when_it_is_over(operator: Operator) -> None:
    operator.installed.add_user("zoe", "Old-Secret-01!")
    faults = operator.installed.cloud.faults
    faults.arm(Fault("ListSecrets", "error", count=1000, status=503, code="ServiceUnavailableTemporary"))
    operator.read_now()
    assert operator.headline == "KMS does not answer: nothing is known about 1 password"
    banner = operator.look.page.get_by_role("region", name="The secrets could not be read").inner_text()
    assert "secret-store-unavailable" in banner
    assert "aliyun kms ListSecrets" in banner
    assert "managed: not known" in operator.look.page.inner_text("a.tile.all")
    faults.clear()
    operator.read_now()
    assert operator.headline == "No password is managed yet"


def test_a_missing_permission_is_said_with_what_grants_it(operator: Operator) -> None:
    installed = operator.installed
    installed.add_user("zoe", "Old-Secret-01!")
    for document in installed.roles[ROLE]:
        document["Statement"] = [each for each in document["Statement"] if "cloudsso:ListUsers" not in each["Action"]]
    installed.redeploy()
    operator.read_now()
    assert operator.headline == "The users could not be read"
    banner = operator.look.page.get_by_role(
        "region", name="The users could not be read permission-missing"
    ).inner_text()
    assert "directory-denied" in banner
    assert "aliyun ros UpdateStack" in banner


def test_a_claim_that_was_left_is_found_and_mended_by_the_command_beside_it(operator: Operator) -> None:
    installed = operator.installed
    installed.add_user("zoe", "Old-Secret-01!")
    faults = installed.cloud.faults
    faults.arm(Fault("ResetUserPassword", "drop-after", count=100))
    installed.invoke(ROTATOR, {"UserName": "zoe"})
    faults.clear()
    installed.cloud.clock.shift(600)
    operator.read_now()
    assert operator.headline == "1 user needs you"
    group = operator.look.page.locator("#attention details").first
    assert "Stuck claims" in group.inner_text()
    why, rotate = group.locator("code.command").all_inner_texts()
    assert why == "s reset_password logs --search failed"
    operator.type(rotate)
    operator.read_now()
    assert operator.headline == "Every password is in order"
