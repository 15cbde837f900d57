"""The function as it is deployed, on a loopback cloud: its settings, its role with exactly its policy, its context.

The wire tests and the demo both use it. Time passes by shifting the cloud's clock, and the function's with it, so that
"after the lease" needs no waiting.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

from shared import bootstrap
from tests.estate import Estate
from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, KMS_REGION, LocalCloud

ROOT = Path(__file__).parents[1]
FUNCTION = ROOT / "functions" / "reset_password"
EVENTS = ROOT / "events"


@dataclass
class FunctionFacts:
    """The context's `function`."""

    timeout: int = 280


@dataclass
class Context310:
    """The context of the Python 3.10 runtime: it carries the credentials."""

    credentials: Credentials
    request_id: str = "1-test"
    region: str = KMS_REGION
    function: FunctionFacts = field(default_factory=FunctionFacts)


@dataclass
class Context312:
    """The context of the Python 3.12 runtime: it does not; the environment does."""

    request_id: str = "1-test"
    region: str = KMS_REGION
    function: FunctionFacts = field(default_factory=FunctionFacts)


class CloudClock:
    """The cloud's own clock, as a function's; to sleep is to shift it.

    Requests that are on their way take effect before time passes: a lease must find them landed.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def now(self) -> datetime:
        return self._cloud.clock.now()

    def sleep(self, seconds: float) -> None:
        self._cloud.release_late()
        self._cloud.clock.shift(seconds)


def policy(directory_id: str, key_id: str = "") -> dict[str, Any]:
    """Return the function's RAM policy with its placeholders filled in, as the README's deployment does."""
    filled = Template((FUNCTION / "policy.json").read_text(encoding="utf-8")).substitute(
        ACCOUNT_ID=ACCOUNT_ID,
        CLOUDSSO_DIRECTORY_ID=directory_id,
        CLOUDSSO_REGION=DIRECTORY_REGION,
        KMS_REGION=KMS_REGION,
        KMS_KEY_ID=key_id,
    )
    document: dict[str, Any] = json.loads(filled)
    return document


class Deployment(Estate):
    """One deployed function and its cloud."""

    def __init__(self, cloud: LocalCloud, **settings: str) -> None:
        super().__init__(cloud)
        self.credentials = cloud.role("reset-password", policy(self.directory_id, settings.get("KMS_KEY_ID", "")))
        self.context = Context310(self.credentials)
        self.environ = {**self.endpoints(), **settings}
        self.app = bootstrap.start(FUNCTION / "rules.json", self.context, self.environ, CloudClock(cloud))

    def invoke(self, event: object) -> dict[str, Any]:
        """Invoke the function with an event: bytes as they are, anything else as JSON."""
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer: dict[str, Any] = json.loads(self.app.reset_passwords(raw, self.context))
        return answer

    def outcome(self, event: object) -> dict[str, Any]:
        """Invoke the function with an event about one user, and return the one outcome."""
        (outcome,) = self.invoke(event)["Outcomes"]
        assert isinstance(outcome, dict)
        return outcome

    def sample(self, name: str) -> bytes:
        """Return one of the sample events."""
        return (EVENTS / name).read_bytes()

    def become(self, *documents: dict[str, Any]) -> None:
        """Run the function with a role of these policy documents."""
        self.credentials = self.context.credentials = self.cloud.role("reset-password", *documents)

    def grant_everything(self) -> None:
        """Run the function with a role that may do anything."""
        self.context.credentials = self.cloud.admin

    def credentials_environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """Return credentials (the function's by default) as environment variables."""
        who = credentials or self.credentials
        return {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": who.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": who.access_key_secret,
            "ALIBABA_CLOUD_SECURITY_TOKEN": who.security_token or "",
        }

    def actions(self) -> list[str]:
        """Return the actions that the function's role called since the last clear."""
        return [call.action for call in self.cloud.calls.matching(role="reset-password")]
