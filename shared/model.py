"""The nouns: ids, users, requests, versions, outcomes; and passwords that never print themselves.

Everything here is an immutable value. Nothing here does I/O, reads a clock or knows an SDK.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar, NewType, NoReturn

import msgspec

DirectoryId = NewType("DirectoryId", str)
UserId = NewType("UserId", str)
UserName = NewType("UserName", str)
SecretName = NewType("SecretName", str)
VersionId = NewType("VersionId", str)
RequestId = NewType("RequestId", str)
TaskId = NewType("TaskId", str)  # of an asynchronous task: Function Compute accepts one once

CURRENT = "ACSCurrent"  # the stage that readers of a secret get (KMS: overview of generic secrets)


class Sealed:
    """A text that must reach one API call and nothing else: no repr, no str, no format, no pickle shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the plaintext. Every caller of this is a place to audit."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:  # pickle and copy would carry the text where nobody audits it
        message = f"a {type(self).__name__} is not serialised"
        raise TypeError(message)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would be a fingerprint


class Password(Sealed):
    """A user's password, live or about to be."""

    __slots__ = ()


class SecretValue(Sealed):
    """What one version of a secret holds (JSON text with a password or a claim in it)."""

    __slots__ = ()


class Credentials(msgspec.Struct, frozen=True):
    """The function role's temporary access key: what signs its calls."""

    access_key_id: str
    access_key_secret: Sealed
    security_token: Sealed | None  # None only for a long-lived key, as on a developer's machine


class Endpoint(msgspec.Struct, frozen=True):
    """Where a service answers: `host[:port]` as requests are signed for it, and the protocol."""

    host: str | None  # None: the service's public endpoint in the region
    protocol: str = "HTTPS"


class Reason(Enum):
    """Why a rotation is asked for, from the least to the most urgent."""

    EXPIRING = "expiring"
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    ALERT = "alert"


class PasswordSource(Enum):
    """Who makes the new password: CloudSSO while resetting, or this program ahead of the reset."""

    CLOUDSSO = "cloudsso"
    STAGED = "staged"


class UserRef(msgspec.Struct, frozen=True):
    """The user a request names: by name or by id, exactly one of them."""

    name: UserName | None = None
    id: UserId | None = None

    def __post_init__(self) -> None:
        if (self.name is None) == (self.id is None):
            message = "a UserRef names a user by name or by id, by exactly one of them"
            raise ValueError(message)

    def __str__(self) -> str:
        return self.name or self.id or ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two requests speak of the same user; CloudSSO compares user names without case."""
        return ("name", self.name.casefold()) if self.name else ("id", self.id or "")


class User(msgspec.Struct, frozen=True):
    """A CloudSSO user as the directory describes it."""

    directory_id: DirectoryId
    id: UserId
    name: UserName
    enabled: bool
    synchronized: bool  # provisioned by SCIM
    created: datetime | None = None  # CloudSSO's own clock, whole seconds; None: it did not say
    opted_in: bool = False  # has the tag `password-rotation=enabled`


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from, for the audit line: ids only, never content."""

    trigger: str  # "direct", "timer", "topic", "queue", "eventbridge", "cloudmonitor", "http", "dead-letter"
    event_id: str | None = None
    source: str | None = None
    rule: str | None = None  # the alert rule that recognised the event, if one did


class ResetRequest(msgspec.Struct, frozen=True):
    """A user's password must have been rotated since an instant: the one thing every event says."""

    user: UserRef
    since: datetime  # aware; the instant after which a rotation satisfies this request
    reason: Reason
    source: PasswordSource | None = None  # None: as the settings say
    must_change: bool | None = None  # RequirePasswordResetForNextLogin; None: as the settings say
    dry_run: bool = False
    force: bool = False  # two more claims than TooManyAttempts allows; bypasses nothing else
    directory_id: DirectoryId | None = None  # what the event claims; None: it does not say
    origins: tuple[Origin, ...] = ()  # every event merged into this request


class RotationTarget(msgspec.Struct, frozen=True):
    """The function that rotations are handed on to: of FC 3.0, or within a service of FC 2.0."""

    name: str
    qualifier: str | None = None  # a version or an alias; None: LATEST
    service: str | None = None  # None: FC 3.0, which has no services

    def __str__(self) -> str:
        alias = f".{self.qualifier}" if self.qualifier else ""
        return f"{self.name}{alias}" if self.service is None else f"{self.service}{alias}/{self.name}"


class Managed(msgspec.Struct, frozen=True):
    """A secret of this program's, as a listing of all secrets shows it."""

    secret: SecretName
    rotated_at: datetime | None  # by its tag, which is a hint; None: never published, or not known to be
    in_deletion: bool = False  # waits for its deletion, or for somebody to restore it
    gone_at: datetime | None = None  # when it is deleted for good, if that is known
    user_id: UserId | None = None  # of the user whom it was made for, by its tag
    updated: datetime | None = None  # when it was last changed: written to, it is inferred, or tagged
    notes: tuple[str, ...] = ()  # what attempts failed of (`r7-c2:reset-outcome-unknown`), in the order of their names


class Version(msgspec.Struct, frozen=True):
    """One version of a secret, without its value."""

    id: VersionId
    created: datetime  # KMS's own clock, whole seconds, rounded down
    stages: frozenset[str] = frozenset()


class ResetReceipt(msgspec.Struct, frozen=True):
    """CloudSSO's acknowledgement of a reset: the password that is live now, and the request that made it so."""

    password: Password
    request_id: RequestId


class Rotated(msgspec.Struct, frozen=True):
    """This invocation reset the password and published it as ACSCurrent."""

    user: User
    secret: SecretName
    version: VersionId
    attempt: int  # the K of the claim that succeeded
    reset_request_id: RequestId
    publish_request_id: RequestId
    mismatch: timedelta  # from the reset's acknowledgement to the publication's: readers held the old password
    indexed: bool  # the RotatedAt tag was written too; a scan may look again if not
    name: ClassVar[str] = "rotated"


class AlreadyRotated(msgspec.Struct, frozen=True):
    """The current version is ours and newer than the request asks; nothing was done."""

    user: User
    secret: SecretName
    version: VersionId
    rotated_at: datetime
    name: ClassVar[str] = "already-rotated"


class Exemption(Enum):
    """Why a user is left alone."""

    PROTECTED = "protected"  # PROTECTED_USERS matches
    DISABLED = "disabled"  # the directory says so; a disabled user cannot log on
    SYNCHRONIZED = "synchronized"  # SCIM owns the user, and SYNCHRONIZED_USERS is not `rotate`


class Exempt(msgspec.Struct, frozen=True):
    """The user is not to be rotated; nothing was done."""

    user: User
    why: Exemption

    @property
    def name(self) -> str:
        """Return the outcome's name: the exemption itself."""
        return self.why.value


class WouldRotate(msgspec.Struct, frozen=True):
    """A dry run's answer: every check that does not write has passed."""

    user: User
    secret: SecretName
    version: VersionId  # the version that a rotation would publish
    attempt: int
    name: ClassVar[str] = "would-rotate"


Outcome = Rotated | AlreadyRotated | Exempt | WouldRotate
NewPassword = Callable[[UserName], Password]
