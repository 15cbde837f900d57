"""The repository's own s.yaml and the stack around it, on a loopback cloud: what is tested is what is deployed.

Functions run in processes of their own, from the package that s.yaml names (for the Python that is here), with exactly
the permissions of docs/stack.json; events reach them through the triggers that s.yaml declares. Nothing here knows how
the rotator works.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.estate import Estate
from tests.localcloud.fc.backend import Result, Target
from tests.localcloud.fc.code import PACKAGES, unpacked
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.package import for_this_interpreter
from tests.stack.evaluation import create

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "s.yaml"
PACKAGE = "./dist/code.zip"  # as s.yaml names it
EVENTS = ROOT / "events"
PREFIX = "cloudsso-rotator"
ROTATOR = Target(f"{PREFIX}-reset-password")
SCAN = Target(f"{PREFIX}-scan-expiring")
STATUS = Target(f"{PREFIX}-rotation-status")


def require_packages(folder: Path) -> None:
    """Let code in a folder have the distributions that the package has, where s.yaml expects them."""
    (folder / PACKAGES).symlink_to(unpacked(for_this_interpreter()) / PACKAGES)


class Installation(Estate):
    """Both functions with their triggers, queues and roles."""

    def __init__(self, cloud: LocalCloud, *, manifest: Path = MANIFEST, **exports: str) -> None:
        super().__init__(cloud)
        stack = create(
            ACCOUNT_ID,
            FC_REGION,
            CloudSSODirectoryId=self.directory_id,
            CloudSSORegion=DIRECTORY_REGION,
            KmsRegion=KMS_REGION,
            LogProject="loopback",
        )
        for queue in stack.queues:
            cloud.smq.create_queue(queue)
        for topic in stack.topics:
            cloud.smq.create_topic(topic)
        self.exports = {
            "FC_REGION": FC_REGION,
            "LOG_PROJECT": "loopback",
            **self.endpoints(),
            "ROTATION_ENDPOINT": f"http://{cloud.endpoint}",
            "SCAN_SCHEDULE": self._an_hour_ago(),
            "DOCTOR_SCHEDULE": self._an_hour_ago(),
            **exports,
        }
        self.roles = stack.roles
        self.policies = stack.policies
        self.manifest = self._deploy(manifest)

    def redeploy(self, **exports: str) -> None:
        """Deploy everything anew, with these exports and those from before."""
        self.exports = {**self.exports, **exports}
        self.manifest = self._deploy(self.manifest.path)

    def _deploy(self, manifest: Path) -> Manifest:
        code = for_this_interpreter() if manifest == MANIFEST else None
        return self.cloud.deploy(manifest, self.exports, self.roles, code=code)

    def _an_hour_ago(self) -> str:
        """Return the schedule of what is done once a day and has just been: no test's result depends on the hour."""
        past = self.cloud.clock.now() - timedelta(hours=1)
        return f"0 {past.minute} {past.hour} * * *"

    def sample(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return one of the sample events."""
        return json.loads((EVENTS / name).read_bytes())

    def send(self, request: object) -> None:
        """Send a message to the queue of requests."""
        self.cloud.smq.send(f"{PREFIX}-requests", json.dumps(request))

    def alert(self, event: dict[str, Any]) -> None:
        """Put an alert on the event bus."""
        self.cloud.eventbridge.put(event)

    def scan(self) -> None:
        """Fire the scan's timer now."""
        self.cloud.fc.fire(SCAN.function, "daily")

    def invoke(self, target: Target, event: object) -> Result:
        """Invoke a function synchronously, as a workflow does."""
        return self.cloud.fc.invoke(target, json.dumps(event).encode())

    def settle(self, seconds: float = 120) -> None:
        """Let everything happen that is due; waiting is skipped."""
        self.cloud.timeline.settle(seconds)

    def dead_letters(self, queue: str = "dead-letters") -> list[str]:
        """Return the bodies of what failed for good."""
        return [message.text for message in self.cloud.smq.queue(f"{PREFIX}-{queue}").messages()]

    def redrive(self) -> int:
        """Send every dead letter as it is to the queue of requests; return how many there were."""
        letters = self.cloud.smq.queue(f"{PREFIX}-dead-letters")
        receipts = letters.receive(limit=1000)
        for receipt in receipts:
            self.cloud.smq.send(f"{PREFIX}-requests", receipt.message.text)
            letters.delete(receipt.handle)
        return len(receipts)

    def results(self) -> list[Any]:
        """Return what the topic of successes was told."""
        published = self.cloud.smq.topic(f"{PREFIX}-results").published
        return [json.loads(each.message.text) for each in published]

    def audit(self, target: Target = ROTATOR) -> Iterator[dict[str, Any]]:
        """Yield the audit lines of a function."""
        for record in self.cloud.fc.logs(target.function):
            for line in record.text.splitlines():
                if line.startswith('{"Invocation"'):
                    yield json.loads(line)

    def resets(self) -> list[str]:
        """Return the ids of the users whose password was reset by the rotator, once for each reset."""
        role = f"{PREFIX}-reset-password"
        calls = self.cloud.calls.matching("ResetUserPassword", role=role, applied=True)
        return [call.params["UserId"] for call in calls]

    def kill_rotators(self) -> None:
        """Kill every instance of the rotator that is at work: kill -9, with no time to do anything."""
        for instance in self.cloud.fc.instances(ROTATOR):
            if instance.at_work:
                instance.kill()

    def everything_kept(self) -> str:
        """Return all that the platform keeps of what went on, where no password may ever be."""
        smq = self.cloud.smq
        messages = [message.text for queue in smq.queues() for message in queue.messages()]
        published = [each.message.text for topic in smq.topics() for each in topic.published]
        tasks = [task for target in (ROTATOR, SCAN, STATUS) for task in self.cloud.fc.accepted(target)]
        kept = [text.decode() for task in tasks for text in (task.payload, task.return_payload)]
        logs = [record.text for record in self.cloud.fc.logs()]
        calls = json.dumps(self.cloud.calls.as_json())
        return "\n".join([*messages, *published, *kept, *(task.error + task.task_id for task in tasks), *logs, calls])
