"""An account on the loopback cloud, as it is before somebody follows a document: empty, or with everything deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.estate import Estate
from tests.installation import MANIFEST, PREFIX
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.declared import DeclaredFunction, DeclaredTrigger
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.props import EventBridgeConfig
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.package import for_this_interpreter
from tests.stack.evaluation import Stack

SETTLED = 120.0  # seconds of real time within which everything that follows from a command is over


@dataclass
class Stacked:
    """A stack of Resource Orchestration Service."""

    name: str
    parameters: dict[str, str]
    made: Stack
    status: str


class World(Estate):
    """Everything that commands act on."""

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self.stacks: dict[str, Stacked] = {}
        self.functions: dict[str, DeclaredFunction] = {}  # as they are deployed, by their resource in s.yaml
        self.environment = {
            "CLOUDSSO_ENDPOINT": f"http://{cloud.endpoint}",
            "KMS_ENDPOINT": f"http://{cloud.endpoint}",
            "ROTATION_ENDPOINT": f"http://{cloud.endpoint}",
            "LOCALCLOUD_TOKEN": cloud.control_token,
        }
        # What the documents give as examples, and what it is here.
        self.examples = {
            "d-00fc2p61example": self.directory_id,
            "CLOUDSSO_REGION=cn-shanghai": f"CLOUDSSO_REGION={DIRECTORY_REGION}",
            "FC_REGION=cn-shanghai": f"FC_REGION={FC_REGION}",
            "KMS_REGION=cn-shanghai": f"KMS_REGION={KMS_REGION}",
        }

    def here(self, text: str) -> str:
        """Return a document's text with what it gives as an example replaced by what that is here."""
        for example, here in self.examples.items():
            text = text.replace(example, here)
        return text

    def manifest(self, environment: dict[str, str]) -> Manifest:
        """Read s.yaml as Serverless Devs does, with the package for the Python that is here."""
        return Manifest.read(MANIFEST, environment, ACCOUNT_ID).running(for_this_interpreter())

    def manifest_of(self) -> Manifest:
        """Return s.yaml's manifest without functions: what `s deploy` fills in."""
        return Manifest(MANIFEST, FC_REGION, ())

    def roles(self) -> dict[str, list[dict[str, Any]]]:
        """Return the roles that the stacks have made."""
        return {
            name: documents
            for stacked in self.stacks.values()
            if stacked.status != "DELETE_COMPLETE"
            for name, documents in stacked.made.roles.items()
        }

    def settle(self) -> None:
        """Let everything happen that is due; waiting is skipped."""
        self.cloud.timeline.settle(SETTLED)

    def letters(self, queue: str) -> list[str]:
        """Return the bodies of the messages in a queue."""
        return [message.text for message in self.cloud.smq.queue(f"{PREFIX}-{queue}").messages()]

    def send(self, request: object) -> None:
        """Send a message to the queue of requests, and let it be carried out."""
        self.cloud.smq.send(f"{PREFIX}-requests", json.dumps(request))
        self.settle()

    def invoke(self, resource: str, event: object) -> None:
        """Invoke a function, whatever becomes of it."""
        self.cloud.fc.invoke(Target(self.functions[resource].name), json.dumps(event).encode())

    def audit(self, resource: str = "reset_password") -> Iterator[dict[str, Any]]:
        """Yield the audit lines of a function."""
        for record in self.cloud.fc.logs(self.functions[resource].name):
            for line in record.text.splitlines():
                if line.startswith('{"Invocation"'):
                    yield json.loads(line)

    def outcomes(self) -> list[tuple[str, str]]:
        """Return what became of each request so far, and who it was about."""
        return [(line["User"], line.get("Error") or line["Outcome"]) for line in self.audit() if "User" in line]

    def trigger(self, resource: str, name: str) -> EventBridgeConfig:
        """Return an EventBridge trigger as it is deployed."""
        (config,) = [each.config for each in self.functions[resource].triggers if each.name == name]
        assert isinstance(config, EventBridgeConfig)
        return config


def kept(before: DeclaredFunction | None, wanted: DeclaredFunction) -> tuple[DeclaredTrigger, ...]:
    """Return the triggers that there are after `s deploy`: an unchanged one of EventBridge ends the component's work.

    Read in the source of fc3 (0.1.22, deploy/impl/trigger.ts).
    """
    had = {} if before is None else {each.name: each for each in before.triggers}
    found: list[DeclaredTrigger] = []
    for place, each in enumerate(wanted.triggers):
        if isinstance(each.config, EventBridgeConfig) and had.get(each.name) == each:
            return (*found, *(had[later.name] for later in wanted.triggers[place:] if later.name in had))
        found.append(each)
    return tuple(found)
