"""What names a queue or a topic where only text is to be had: the ARNs that Function Compute and EventBridge take.

Sources: for destinations "Result callback" (acs:mns:<region>:<uid>:/queues/<name>/messages); for triggers the fc3
component's samples (acs:mns:<region>:<uid>:/topics/<name>); for dead-letter queues and subjects EventBridge's events
(acs:mns:<region>:<uid>:queues/<name>).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["queues", "topics"]

# "Limits" page of SMQ: letters, digits and hyphens, a letter or a digit first, at most 120 characters.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}")
_ARN = re.compile(rf"acs:mns:([a-z0-9-]+):(\d+):/?(queues|topics)/({NAME.pattern})(?:/messages)?")


@dataclass(frozen=True)
class Address:
    """A queue or a topic, and where it is."""

    kind: Kind
    name: str
    region: str
    account_id: str

    @staticmethod
    def parse(arn: str) -> Address:
        """Read an ARN; ValueError if it names neither a queue nor a topic."""
        match = _ARN.fullmatch(arn)
        if match is None:
            msg = f"{arn!r} is not acs:mns:<region>:<account>:/queues/<name>/messages, and no topic's ARN either"
            raise ValueError(msg)
        return Address(cast("Kind", match[3]), match[4], match[1], match[2])

    @property
    def action(self) -> str:
        """What RAM calls sending to it."""
        return "mns:SendMessage" if self.kind == "queues" else "mns:PublishMessage"

    def __str__(self) -> str:
        return f"acs:mns:{self.region}:{self.account_id}:/{self.kind}/{self.name}/messages"
