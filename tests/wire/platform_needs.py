"""Why each permission of the platform is in a role: what Function Compute does in the function's name, in processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.installation import PREFIX, ROTATOR, SCAN, STATUS, Installation
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault

KEPT, LOST = "the failure is kept", "the failure is lost"
TOLD, UNTOLD = "the topic is told", "the topic is not told"
LOGGED, UNLOGGED = "the log has its lines", "there is no log of it"
ALICE = {"UserName": "alice", "RotatedSince": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True)
class PlatformNeed:
    """Why Function Compute needs a permission of a function's role."""

    function: str
    action: str
    place: str  # of the resource, in the installation
    purpose: str
    use: Callable[[Installation], str]
    ends: str
    without: str

    @property
    def role(self) -> str:
        return f"{PREFIX}-{self.function.replace('_', '-')}"


def success(installed: Installation) -> str:
    before = len(installed.results())
    _asynchronously(installed, ROTATOR, json.dumps(ALICE).encode())
    return TOLD if len(installed.results()) == before + 1 else UNTOLD


def failure(installed: Installation) -> str:
    return _letter(installed, ROTATOR, b'{"UserName": "nobody"}', "dead-letters")


def failed_scan(installed: Installation) -> str:
    installed.cloud.faults.arm(Fault("ListSecrets", "error", count=99, status=403, code="Forbidden.NoPermission"))
    ending = _letter(installed, SCAN, b"{}", "failed-scans")
    installed.cloud.faults.clear()
    return ending


def failed_look(installed: Installation) -> str:
    return _letter(installed, STATUS, b'{"Nonsense": 1}', "failed-scans")


def rotation_logged(installed: Installation) -> str:
    return _logged(installed, ROTATOR, ALICE)


def scan_logged(installed: Installation) -> str:
    return _logged(installed, SCAN, {"DryRun": True})


def look_logged(installed: Installation) -> str:
    return _logged(installed, STATUS, {})


def _asynchronously(installed: Installation, target: Target, event: bytes) -> None:
    installed.cloud.fc.invoke_async(target, event)
    installed.settle()


def _letter(installed: Installation, target: Target, event: bytes, queue: str) -> str:
    before = len(installed.dead_letters(queue))
    _asynchronously(installed, target, event)
    return KEPT if len(installed.dead_letters(queue)) == before + 1 else LOST


def _logged(installed: Installation, target: Target, event: object) -> str:
    before = len(installed.cloud.fc.logs(target.function))
    result = installed.invoke(target, event)
    assert result.error_type is None
    return LOGGED if len(installed.cloud.fc.logs(target.function)) == before + 1 else UNLOGGED


_STORE = f"project/loopback/logstore/{PREFIX}"

PLATFORM = [
    PlatformNeed(
        "reset_password", "log:PostLogStoreLogs", _STORE, "the audit lines", rotation_logged, LOGGED, UNLOGGED
    ),
    PlatformNeed(
        "reset_password",
        "mns:PublishMessage",
        f"/topics/{PREFIX}-results/messages",
        "the destination of what succeeded",
        success,
        TOLD,
        UNTOLD,
    ),
    PlatformNeed(
        "reset_password",
        "mns:SendMessage",
        f"/queues/{PREFIX}-dead-letters/messages",
        "the destination of what failed",
        failure,
        KEPT,
        LOST,
    ),
    PlatformNeed("scan_expiring", "log:PostLogStoreLogs", _STORE, "the audit lines", scan_logged, LOGGED, UNLOGGED),
    PlatformNeed(
        "scan_expiring",
        "mns:SendMessage",
        f"/queues/{PREFIX}-failed-scans/messages",
        "the destination of scans that failed",
        failed_scan,
        KEPT,
        LOST,
    ),
    PlatformNeed("rotation_status", "log:PostLogStoreLogs", _STORE, "the audit lines", look_logged, LOGGED, UNLOGGED),
    PlatformNeed(
        "rotation_status",
        "mns:SendMessage",
        f"/queues/{PREFIX}-failed-scans/messages",
        "the destination of hourly looks that failed",
        failed_look,
        KEPT,
        LOST,
    ),
]
