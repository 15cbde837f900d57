"""The function that scans as it is deployed, on a loopback cloud; what it dispatches to only takes notes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Any

from shared import scanning
from tests.deployment import CloudClock, Context310
from tests.localcloud.fc.backend import Target
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.loopback.fc_stub import StubBackend

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "functions" / "scan_expiring" / "policy.json"
ROTATOR = Target("cloudsso-rotator-reset-password")
DAY = timedelta(days=1)


@dataclass
class FunctionFacts:
    timeout: int = 900


@dataclass
class Context(Context310):
    account_id: str = ACCOUNT_ID
    function: FunctionFacts = field(default_factory=FunctionFacts)  # type: ignore[assignment]


class Scanning:
    """The deployed scan and its cloud."""

    def __init__(self, cloud: LocalCloud, **settings: str) -> None:
        self.cloud = cloud
        self.directory_id = cloud.cloudsso.directory_id
        self.rotator = StubBackend({ROTATOR})
        cloud.fc.backend = self.rotator
        self.context = Context(cloud.role("scan-expiring", self.policy()))
        self.environ = {
            "CLOUDSSO_DIRECTORY_ID": self.directory_id,
            "CLOUDSSO_REGION": DIRECTORY_REGION,
            "CLOUDSSO_ENDPOINT": f"http://{cloud.endpoint}",
            "KMS_REGION": KMS_REGION,
            "KMS_ENDPOINT": f"http://{cloud.endpoint}",
            "ROTATION_FUNCTION": ROTATOR.function,
            "ROTATION_ENDPOINT": f"http://{cloud.endpoint}",
            **settings,
        }
        self.app = scanning.start(self.context, self.environ, CloudClock(cloud))

    def policy(self) -> dict[str, Any]:
        filled = Template(POLICY.read_text(encoding="utf-8")).substitute(
            ACCOUNT_ID=ACCOUNT_ID,
            CLOUDSSO_DIRECTORY_ID=self.directory_id,
            CLOUDSSO_REGION=DIRECTORY_REGION,
            KMS_REGION=KMS_REGION,
            FC_REGION=FC_REGION,
            ROTATOR_NAME="cloudsso-rotator",
        )
        document: dict[str, Any] = json.loads(filled)
        return document

    def become(self, *documents: dict[str, Any]) -> None:
        """Run the function with a role of these policy documents."""
        self.context.credentials = self.cloud.role("scan-expiring", *documents)

    def crowd(self, count: int, age: Any = lambda number: number % 90) -> list[str]:  # noqa: ANN401 - days by number
        """Create users with secrets that were rotated so many days ago; return their ids."""
        now = self.cloud.clock.now()

        def tags(number: int) -> dict[str, str]:
            rotated = (now - age(number) * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"ManagedBy": "cloudsso-rotator", "DirectoryId": self.directory_id, "RotatedAt": rotated}

        self.cloud.kms.seed_secrets(count, f"cloudsso/{self.directory_id}/user", tags=tags)
        self.cloud.clock.shift(-200 * DAY.total_seconds())  # users are older than their passwords
        ids = self.cloud.cloudsso.seed_users(count)
        self.cloud.clock.shift(200 * DAY.total_seconds())
        self.cloud.calls.clear()
        return ids

    def scan(self, event: object = None) -> dict[str, Any]:
        raw = b"" if event is None else json.dumps(event).encode()
        answer: dict[str, Any] = json.loads(self.app.scan(raw, self.context))
        return answer

    def dispatched(self) -> list[dict[str, Any]]:
        """Return the events that the rotating function was invoked with."""
        return [json.loads(task.payload) for task in self.rotator.accepted]

    def calls(self) -> dict[str, int]:
        actions = [call.action for call in self.cloud.calls.matching(role="scan-expiring")]
        return {action: actions.count(action) for action in actions}

    def timer(self) -> dict[str, str]:
        fired = self.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"triggerTime": fired, "triggerName": "daily", "payload": "{}"}
