"""The permissions of a policy, one by one: what they are, and the policy without one of them or with less of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.localcloud.ram.policy import Policy, judge

FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass(frozen=True)
class Grant:
    """One action on one resource, which may have a wildcard."""

    action: str
    resource: str

    @property
    def place(self) -> str:
        """The resource within its service, region and account."""
        return self.resource.split(":", 4)[4]

    def covers(self, action: str, resource: str) -> bool:
        """Tell whether RAM would allow this by this grant alone."""
        return judge([Policy.parse(document([self]))], action, resource) == "allow"

    def within(self, place: str) -> Grant:
        """Return the same action on another resource."""
        return replace(self, resource=self.resource.removesuffix(self.place) + place)


def granted(policy: dict[str, Any]) -> list[Grant]:
    """Return every permission of a policy, in its order."""
    return [
        Grant(action, resource)
        for statement in policy["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    ]


def document(grants: Iterable[Grant]) -> dict[str, Any]:
    """Return a policy of these permissions and no others."""
    statements = [{"Effect": "Allow", "Action": one.action, "Resource": one.resource} for one in grants]
    return {"Version": "1", "Statement": statements}


def written(function: str) -> list[Grant]:
    """Return the permissions in a function's policy.json, with its placeholders."""
    return granted(json.loads((FUNCTIONS / function / "policy.json").read_text(encoding="utf-8")))


def _listed(one_or_more: str | list[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more
