"""The benchmark measures what it says: the gauges, the contestants and their calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alibabacloud_kms20160120
import pytest

from tests.bench import arena, gauge, probing
from tests.installation import ROTATOR, Installation
from tests.localcloud.fc.deploy import spec
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.server import ADMIN_POLICY, LocalCloud
from tests.loopback import clients

PACKAGES = str(Path(alibabacloud_kms20160120.__file__).parents[1])
BURNT = 0.2  # seconds of CPU
TAKEN = 64  # MiB
WASTEFUL = f"""
import threading, time

def burn():
    while time.thread_time() < {BURNT}:
        pass

def handler(event, context):
    thread = threading.Thread(target=burn)  # it has ended when the gauge is read
    thread.start()
    thread.join()
    len(bytearray({TAKEN} * 1024 * 1024))
    return "done"
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """Serve a cloud for all of these tests."""
    with LocalCloud() as serving:
        serving.fc.add_role(arena.ROLE, ADMIN_POLICY)
        yield serving


@pytest.fixture(scope="module")
def installed(cloud: LocalCloud) -> Installation:
    """Deploy s.yaml, with a user each for the artefact and for the others."""
    installation = Installation(cloud)
    for name in ("alice", "bob"):
        installation.add_user(name, "First-Pass-01!x")
    return installation


def reading(cloud: LocalCloud, function: FunctionSpec, event: object = None) -> gauge.Reading:
    """Invoke a function once and read its gauges."""
    cloud.fc.deploy(function)
    result = cloud.fc.invoke(function.target, json.dumps(event).encode())
    assert result.error_type is None, result.payload
    (instance,) = cloud.fc.instances(function.target)
    return gauge.read(instance)


def peer(installed: Installation, name: str) -> FunctionSpec:
    return arena.peer(name, name, {**installed.endpoints(), "PYTHONPATH": PACKAGES})


def test_the_gauges_count_the_time_of_threads_that_have_ended_and_memory_that_was_given_back(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    (tmp_path / "wasteful.py").write_text(WASTEFUL, encoding="utf-8")
    idle = reading(cloud, arena.peer("nothing", "nothing", {}))
    busy = reading(cloud, FunctionSpec("wasteful", tmp_path, "wasteful.handler", timeout=60))
    assert busy.cpu > BURNT
    assert idle.peak + TAKEN - 1 < busy.peak < idle.peak + 2 * TAKEN
    assert 0 < idle.cpu < busy.cpu


def test_a_process_that_is_not_there_has_no_gauge() -> None:
    with pytest.raises(gauge.GaugeError, match="no CPU clock of process"):
        gauge.cpu_seconds(2**22 + 1)  # more than there can be


def test_the_naive_script_rotates_a_password(cloud: LocalCloud, installed: Installation) -> None:
    secret = installed.secret_name("bob")
    clients.create_secret(clients.kms(cloud), secret, "the first")
    reading(cloud, peer(installed, "naive"), {"UserId": installed.user_ids["bob"], "SecretName": secret})
    assert installed.current_signs_in("bob") == "ok"


def test_the_bare_script_makes_the_very_calls_of_a_rotation(cloud: LocalCloud, installed: Installation) -> None:
    def rotated_by(function: FunctionSpec) -> list[tuple[str, dict[str, str]]]:
        cloud.clock.shift(arena.APART)
        cloud.calls.clear()
        reading(cloud, function, {"UserName": "alice"})
        assert installed.current_signs_in("alice") == "ok"
        made = cloud.calls.matching(role=function.role_name)
        return [(call.action, without_what_differs(call.params)) for call in made]

    (rotator,) = [spec(each) for each in installed.manifest.functions if spec(each).target == ROTATOR]
    rotated_by(rotator)  # the first rotation of a user creates the secret; the others are alike
    ours = rotated_by(rotator)
    assert rotated_by(peer(installed, "bare")) == ours
    assert len(ours) == 6


def without_what_differs(params: dict[str, str]) -> dict[str, str]:
    """Return parameters without the number and the instant of a rotation."""
    tags = [tag for tag in json.loads(params.get("Tags", "[]")) if tag["TagKey"] != "RotatedAt"]
    return {**params, "VersionId": params.get("VersionId", "").partition("-")[2], "Tags": json.dumps(tags)}


def test_a_probed_function_is_the_same_one_and_tells_what_it_has_imported(cloud: LocalCloud) -> None:
    function = probing.standing_in_for(arena.peer("nothing", "nothing", {}))
    cloud.fc.deploy(function)
    modules: list[Any] = json.loads(cloud.fc.invoke(function.target, b"").payload)
    assert "nothing" in modules
    assert "probe" not in modules
    assert not [each for each in modules if each.startswith("tests")]
