"""The function that shows the state as it is deployed, on a loopback cloud: its own role, its own settings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from shared import surveying
from tests.deployment import CloudClock, Context310, Deployment
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud

ROOT = Path(__file__).parents[2]
FUNCTION = ROOT / "functions" / "rotation_status"
ROLE = "rotation-status"


@dataclass
class FunctionFacts:
    timeout: int = 300


@dataclass
class Context(Context310):
    function: FunctionFacts = field(default_factory=FunctionFacts)  # type: ignore[assignment]


class Surveys(Deployment):
    """The function that rotates and the one that shows the state, on one cloud."""

    def __init__(self, cloud: LocalCloud, **settings: str) -> None:
        shared = {name: value for name, value in settings.items() if name in ("PROTECTED_USERS", "PASSWORD_SOURCE")}
        super().__init__(cloud, **shared)
        self.status_context = Context(cloud.role(ROLE, self.status_policy()))
        self.status_environ = {**self.endpoints(), **settings}
        self.restart()

    def restart(self, **settings: str) -> None:
        """Start a new instance, with these settings changed."""
        self.status_environ |= settings
        self.status = surveying.start(FUNCTION, self.status_context, self.status_environ, CloudClock(self.cloud))

    def status_policy(self) -> dict[str, Any]:
        filled = Template((FUNCTION / "policy.json").read_text(encoding="utf-8")).substitute(
            ACCOUNT_ID=ACCOUNT_ID,
            CLOUDSSO_DIRECTORY_ID=self.directory_id,
            CLOUDSSO_REGION=DIRECTORY_REGION,
            KMS_REGION=KMS_REGION,
            FC_REGION=FC_REGION,
        )
        document: dict[str, Any] = json.loads(filled)
        return document

    def status_becomes(self, *documents: dict[str, Any]) -> None:
        """Run the function that shows the state with a role of these policy documents."""
        self.status_context.credentials = self.cloud.role(ROLE, *documents)

    def may_not(self, *actions: str) -> None:
        """Take permissions from the role."""
        policy = self.status_policy()
        for statement in policy["Statement"]:
            allowed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = [action for action in allowed if action not in actions]
        policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
        self.status_becomes(policy)

    def show(self, **fields: object) -> dict[str, Any]:
        """Return what the function answers to a request."""
        answer: dict[str, Any] = json.loads(self.status.show(json.dumps(fields).encode(), self.status_context))
        return answer

    def findings(self, **fields: object) -> list[dict[str, Any]]:
        """Return what the doctor finds."""
        found: list[dict[str, Any]] = self.show(Doctor=True, **fields)["Findings"]
        return found

    def problems(self, **fields: object) -> list[tuple[str, str | None]]:
        """Return what the doctor finds, in short: each problem, and whose it is."""
        return [(each["Problem"], each["UserName"]) for each in self.findings(**fields)]

    def browse(self, method: str = "GET", path: str = "/", **query: str) -> dict[str, Any]:
        """Return what the HTTP trigger is answered, for whoever looks at a page."""
        event = json.dumps(http_event(method, path, **query)).encode()
        answer: dict[str, Any] = json.loads(self.status.show(event, self.status_context))
        return answer


def http_event(method: str = "GET", path: str = "/", **query: str) -> dict[str, Any]:
    """Return what the HTTP trigger makes of a browser's request."""
    return {
        "version": "v1",
        "rawPath": path,
        "body": "",
        "isBase64Encoded": False,
        "headers": {},
        "queryParameters": query,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1"},
            "requestId": "1-page",
            "time": "2026-01-01T00:00:00Z",
        },
    }
