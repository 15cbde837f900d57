"""What a cold start imports: counts, held in `make test`, where seconds would be noise."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.bench import probing
from tests.bench.cold_path import ROTATION, SCAN, STATUS, ColdPath, counted, unwanted
from tests.installation import ROTATOR, Installation
from tests.installation import SCAN as SCAN_FUNCTION
from tests.installation import STATUS as STATUS_FUNCTION
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.deploy import spec
from tests.localcloud.server import LocalCloud


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    """Deploy the functions; alice has a password."""
    with LocalCloud() as cloud:
        installation = Installation(cloud)
        installation.add_user("alice", "First-Pass-01!x")
        yield installation


@pytest.mark.parametrize(
    ("target", "event", "path"),
    [
        (ROTATOR, {"UserName": "alice"}, ROTATION),
        (SCAN_FUNCTION, {"DryRun": True}, SCAN),
        (STATUS_FUNCTION, {"Doctor": True}, STATUS),
    ],
    ids=["a rotation", "a scan", "a survey"],
)
def test_a_cold_start_imports_no_more_than_it_may(
    installed: Installation, target: Target, event: object, path: ColdPath
) -> None:
    (function,) = [spec(each) for each in installed.manifest.functions if spec(each).target == target]
    probed = probing.standing_in_for(function)
    installed.cloud.fc.deploy(probed)
    result = installed.cloud.fc.invoke(probed.target, json.dumps(event).encode())
    assert result.error_type is None, result.payload
    modules = json.loads(result.payload)
    assert list(unwanted(modules, path.never)) == []
    assert len(counted(modules)) <= path.most


def test_a_rotation_a_duplicate_and_a_merged_event_take_the_calls_that_they_must(installed: Installation) -> None:
    def calls(event: object) -> int:
        installed.cloud.calls.clear()
        assert installed.invoke(ROTATOR, event).error_type is None
        return installed.cloud.calls.count(role=ROTATOR.function)

    installed.add_user("bob", "First-Pass-02!x")
    request = {"UserName": "bob", "RotatedSince": "2026-01-15T08:00:00Z"}
    assert [calls(event) for event in (request, request)] == [6, 2]
    installed.add_user("carol", "First-Pass-03!x")
    assert calls({"Requests": [{"UserName": "carol"}] * 10}) == 6


def test_modules_are_told_apart_by_whose_they_are() -> None:
    modules = ["json", "json.decoder", "requests", "requests.api", "aiohttp.client", "aiohttpx"]
    assert counted(modules) == ["requests", "requests.api", "aiohttp.client", "aiohttpx"]
    assert list(unwanted(modules, ("aiohttp", "json"))) == ["json", "json.decoder", "aiohttp.client"]
