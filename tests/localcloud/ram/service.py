"""RAM and STS: who holds which key, what that role may do, and a record of every decision."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.localcloud.api import ApiError
from tests.localcloud.ram.policy import Policy, Verdict, judge

# What a denial looks like, by service: KMS "Common error codes" page; for CloudSSO the code is not published, and
# NoPermission is what the gateway of most products says; FC, SMQ and SLS: their error code pages.
_DENIALS = {
    "kms": ("Forbidden.NoPermission", "This operation is forbidden by permission system."),
    "cloudsso": ("NoPermission", "You are not authorized to do this operation."),
    "fc": ("AccessDenied", "the caller is not authorized to perform this operation"),
    "mns": ("AccessDenied", "The OwnerId that your Access Key Id associated to is forbidden for this operation."),
    "log": ("Unauthorized", "denied by sts or ram."),
}


@dataclass(frozen=True)
class Role:
    """A RAM role, or a user when its key is a long-lived one: a name, an account and what it may do."""

    name: str
    account_id: str
    policies: tuple[Policy, ...] = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """An access key; with a security token when it came from STS."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Key:
    """What the cloud remembers of an access key."""

    credentials: Credentials
    role: Role
    expires: float | None = None  # by the clients' clock, not by the cloud's shifted one: clients do not shift with it

    def expired(self, now: float) -> bool:
        """Tell whether the key is past its time."""
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True)
class Decision:
    """One question put to RAM, and the answer."""

    role: str
    action: str  # with the service code: "kms:PutSecretValue"
    resource: str
    verdict: Verdict

    @property
    def allowed(self) -> bool:
        """Tell whether the call may go on."""
        return self.verdict == "allow"


class Ram:
    """The roles' keys and permissions."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.decisions: list[Decision] = []
        self.reading: int | None = None  # which spelling of a resource services ask for (Ram.authorize); None: any
        self._now = now
        self._keys: dict[str, Key] = {}

    @staticmethod
    def role(name: str, account_id: str, *documents: Mapping[str, Any]) -> Role:
        """Make a role from policy documents; a document that cannot be judged is refused."""
        return Role(name, account_id, tuple(Policy.parse(document) for document in documents))

    def issue(self, role: Role, *, expires_in: float | None = None) -> Credentials:
        """Issue a key: long-lived, or with `expires_in` seconds a temporary one as STS issues them."""
        if expires_in is None:
            return self._remember(Key(_long_lived(), role))
        return self._remember(Key(_temporary(), role, self._now() + expires_in))

    def expire(self, access_key_id: str) -> None:
        """Let a key run out now, as if its time had passed."""
        self._keys[access_key_id] = replace(self._keys[access_key_id], expires=self._now())

    def revoke(self, access_key_id: str) -> None:
        """Forget a key, as when it is deleted in the console."""
        del self._keys[access_key_id]

    def find(self, access_key_id: str) -> Key | None:
        """Look a key up by its public part."""
        return self._keys.get(access_key_id)

    def find_token(self, security_token: str) -> Key | None:
        """Look a key up by its security token."""
        return next((key for key in self._keys.values() if key.credentials.security_token == security_token), None)

    def used(self, role: str) -> set[tuple[str, str]]:
        """Return the (action, resource) pairs a role was allowed: what its policy needs to grant, and no more."""
        return {(made.action, made.resource) for made in self.decisions if made.role == role and made.allowed}

    def authorize(
        self, key: Key, service: str, action: str, resources: Sequence[str], also: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Let a call pass if any of its resource spellings is allowed, and every further permission it needs.

        A resource has several spellings where Alibaba Cloud's pages disagree about the one that a service asks for: a
        policy must do under each. `reading` makes one of them, by its place, the only one; the last, where there are
        not so many.
        """
        questions = [(f"{service}:{action}", self._asked(resources)), *((further, [arn]) for further, arn in also)]
        for name, spellings in questions:
            decision = self._decide(key.role, name, spellings)
            self.decisions.append(decision)
            if not decision.allowed:
                raise _denial(service, key, decision)

    def authorize_role(self, role: Role, service: str, action: str, resource: str) -> None:
        """Let a service do something in a role's name, without a key of it."""
        self.authorize(Key(Credentials("", ""), role), service, action, [resource])

    def _asked(self, spellings: Sequence[str]) -> list[str]:
        return list(spellings) if self.reading is None else [spellings[min(self.reading, len(spellings) - 1)]]

    @staticmethod
    def _decide(role: Role, action: str, spellings: list[str]) -> Decision:
        decisions = [Decision(role.name, action, arn, judge(role.policies, action, arn)) for arn in spellings]
        return min(decisions, key=lambda made: ("explicit-deny", "allow", "implicit-deny").index(made.verdict))

    def _remember(self, key: Key) -> Credentials:
        self._keys[key.credentials.access_key_id] = key
        return key.credentials


def _long_lived() -> Credentials:
    return Credentials("LTAI" + secrets.token_hex(10), secrets.token_hex(15))


def _temporary() -> Credentials:
    return Credentials("STS." + secrets.token_hex(12), secrets.token_hex(22), secrets.token_urlsafe(96))


def _denial(service: str, key: Key, decision: Decision) -> ApiError:
    code, message = _DENIALS[service]
    return ApiError(403, code, message, AccessDeniedDetail=_detail(key, decision))


def _detail(key: Key, decision: Decision) -> dict[str, str]:
    """Say what was missing, in the fields of the AccessDeniedDetail that the official SDKs' models show."""
    temporary = key.credentials.security_token is not None
    return {
        "AuthAction": decision.action,
        "AuthPrincipalType": "AssumedRoleUser" if temporary else "SubUser",
        "AuthPrincipalOwnerId": key.role.account_id,
        "AuthPrincipalDisplayName": key.role.name,
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "NoPermissionType": "ExplicitDeny" if decision.verdict == "explicit-deny" else "ImplicitDeny",
    }
