"""What may be sent at all: nothing that changes, reads or names what is not this suite's own.

Every action that the suite uses is in one of the tables; any other is refused. A user is known by name or by an id that
an answer has shown to belong to a name with the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.conformance.account import Account
from tests.conformance.verdicts import ForeignError

# Reads of the directory and of names; none returns a secret's value.
READS = frozenset({"GetUser", "ListUsers", "GetPasswordPolicy", "GetExternalSAMLIdentityProvider", "ListSecrets"})
BY_USER_ID = frozenset({"ResetUserPassword", "UpdateUserStatus", "DeleteUser"})
BY_SECRET = frozenset(
    {
        "CreateSecret",
        "DeleteSecret",
        "DescribeSecret",
        "GetSecretValue",
        "ListSecretVersionIds",
        "PutSecretValue",
        "RestoreSecret",
        "TagResource",
        "UntagResource",
        "UpdateSecretVersionStage",
    }
)
BY_FUNCTION = frozenset({"InvokeFunction", "GetAsyncTask", "GetAsyncInvokeConfig", "PutAsyncInvokeConfig"})
SSO = "SetExternalSAMLIdentityProvider"
ACTIONS = READS | BY_USER_ID | BY_SECRET | BY_FUNCTION | {"CreateUser", SSO}

_FUNCTION = re.compile(r"/2023-03-30/functions/([^/]+)/[a-zA-Z0-9_/-]+")
_OTHER_RESOURCES = frozenset({"KeyId", "CertificateId", "ResourceId.1"})


@dataclass(frozen=True)
class Asked:
    """One call, as the SDK is about to send it."""

    action: str
    path: str
    params: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def of(params: Any, request: Any) -> Asked:  # noqa: ANN401 - the SDK is untyped
        """Read it from what the SDK's operations hand to their one way out."""
        body = request.body if isinstance(request.body, dict) else {}
        return Asked(params.action, params.pathname, {**(request.query or {}), **body})


class Guard:
    """Lets a call pass, or raises before anything is sent."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._ids: set[str] = set()

    def check(self, asked: Asked) -> None:
        """Refuse a call that touches what is not this suite's own."""
        if asked.action not in READS and not self._is_ours(asked):
            message = f"{asked.action} would touch what does not begin with {self._account.prefix!r}; nothing was sent"
            raise ForeignError(message)

    def learn(self, answer: object) -> None:
        """Remember the ids of users whose names, as the service itself says, begin with the prefix."""
        body = answer.get("body") if isinstance(answer, dict) else None
        if isinstance(body, dict):
            for user in [body.get("User"), *(body.get("Users") or [])]:
                if isinstance(user, dict) and self._has_prefix(user.get("UserName")):
                    self._ids.add(str(user.get("UserId")))

    def _is_ours(self, asked: Asked) -> bool:
        params = asked.params
        if asked.action in BY_SECRET:
            return self._has_prefix(params.get("SecretName")) and not _OTHER_RESOURCES & params.keys()
        if asked.action in BY_FUNCTION:
            named = _FUNCTION.fullmatch(asked.path)
            return named is not None and self._has_prefix(unquote(named[1]))
        return params.get("DirectoryId") == self._account.directory_id and self._is_ours_in_directory(asked)

    def _is_ours_in_directory(self, asked: Asked) -> bool:
        if asked.action == "CreateUser":
            return self._has_prefix(asked.params.get("UserName"))
        if asked.action in BY_USER_ID:
            return asked.params.get("UserId") in self._ids
        return asked.action == SSO and self._account.may_enable_sso and {*asked.params} == {"DirectoryId", "SSOStatus"}

    def _has_prefix(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(self._account.prefix) and name != self._account.prefix
