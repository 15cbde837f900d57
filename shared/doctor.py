"""What is wrong with a directory's passwords, and the exact command that mends it. Pure: findings follow from a survey."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from shared.model import UserName


class Problem(Enum):
    """What can be wrong; docs/operations.md has a paragraph for each. The gravest first."""

    PERMISSION_MISSING = "permission-missing"
    WRONG_REGION = "wrong-region"
    ENDPOINT_UNREACHABLE = "endpoint-unreachable"
    SSO_ENABLED = "sso-enabled"
    EXPIRED = "expired"
    STUCK_CLAIM = "stuck-claim"
    FAILED_ATTEMPTS = "failed-attempts"
    VERSION_FOREIGN = "version-foreign"
    SECRET_IN_DELETION = "secret-in-deletion"  # noqa: S105 - not a password
    USER_RENAMED = "user-renamed"
    USER_DELETED = "user-deleted"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - not a password
    TAG_STALE = "tag-stale"
    POLICY_SHORT = "policy-short"
    UNMANAGED = "unmanaged"


class Finding(msgspec.Struct, frozen=True):
    """One problem: what it is, since when, what it means for people, and how to mend it."""

    problem: Problem
    what: str  # one or two sentences: what is so, and what it means
    mend: tuple[str, ...]  # command lines, in order, as they are to be typed; or one sentence where no command helps
    user: UserName | None = None  # None: it is about the whole directory
    since: datetime | None = None

    @property
    def more(self) -> str:
        """Return where the runbook says more."""
        return f"docs/operations.md#{self.problem.value}"
