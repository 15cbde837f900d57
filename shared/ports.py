"""What the core needs from the world, with each contract in prose. tests/contract holds every implementation to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from shared.model import (
    DirectoryId,
    Managed,
    Password,
    RequestId,
    ResetReceipt,
    ResetRequest,
    SecretName,
    SecretValue,
    TaskId,
    User,
    UserRef,
    Version,
    VersionId,
)


class Clock(Protocol):
    """Time, within five seconds of KMS's own."""

    def now(self) -> datetime:
        """Return the present instant: aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class Directory(Protocol):
    """The CloudSSO directory: who its users are, and their passwords, which can be set but never read."""

    def find(self, ref: UserRef) -> User:
        """Return the user that `ref` names, in the directory's own spelling.

        One call. A name matches without regard to case, as in CloudSSO, but never by prefix.
        Raises UserNotFound, DirectoryDenied, DirectoryUnavailable; and ResetNotAllowed if the user has a name that
        CloudSSO does not document: secrets are named after users, and must not lead elsewhere.
        """

    def reset(self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime) -> ResetReceipt:
        """Set `candidate` as the user's password, or have CloudSSO generate one if it is None.

        Sent once, and again only after an answer that says it was not carried out, and not after `send_by`.
        A receipt means that its password was live when CloudSSO answered.
        Raises ResetOutcomeUnknown whenever it cannot be excluded that the reset took or will take effect.
        Raises UserNotFound, ResetNotAllowed, PasswordRejected, DirectoryDenied, DirectoryUnavailable if it did not.
        """

    def check_resettable(self, user: User) -> None:
        """Return if the directory's configuration allows resets of `user`, as far as reading it can tell.

        Raises ResetNotAllowed with the reason, DirectoryDenied, DirectoryUnavailable.
        """

    def sso_enabled(self) -> bool:
        """Tell whether SSO logon is enabled, in which case CloudSSO resets nobody's password.

        One call. Raises DirectoryDenied, DirectoryUnavailable.
        """

    def max_password_age(self) -> timedelta:
        """Return how long a password lives before CloudSSO refuses it.

        One call. Raises DirectoryDenied, DirectoryUnavailable.
        """

    def users(self) -> Iterator[Sequence[User]]:
        """Yield every user once, of whatever status, a page of up to a hundred a call; a page may be empty.

        Nobody who is there throughout is left out.
        Raises DirectoryDenied, DirectoryUnavailable: whoever has not seen the iterator end does not know all users.
        """


class SecretStore(Protocol):
    """KMS Secrets Manager: secrets whose versions are written once and never changed.

    Every write but `release` may be sent again with the same arguments, as often as one likes: it takes effect once.
    Every method raises SecretStoreDenied, SecretRefused, SecretInDeletion and SecretStoreUnavailable; after the last of
    these, a write's outcome is unknown. Nothing is sent again after `send_by`.
    """

    def versions(self, secret: SecretName) -> tuple[Version, ...] | None:
        """Return every version with its stages, including those without a stage; None if there is no such secret."""

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        """Create the secret with its first version, which KMS makes ACSCurrent. Raises SecretExists."""

    def put(
        self, secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        """Write one version: as ACSCurrent if `stage` is None, else under that custom stage alone.

        Raises VersionConflict if KMS refuses it for a cause that is none of the others: most likely the id holds other
        data. Raises SecretNotFound.
        """

    def release(self, secret: SecretName, stage: str, version: VersionId) -> None:
        """Take a custom stage off a version that carries it. Raises VersionConflict, SecretNotFound."""

    def tag(self, secret: SecretName, tags: Mapping[str, str]) -> None:
        """Set tags, whose values are letters, digits and any of `/_-.+=:@`. Raises SecretNotFound."""

    def tags(self, secret: SecretName) -> Mapping[str, str]:
        """Return the secret's tags. Raises SecretNotFound."""

    def managed(self, directory_id: DirectoryId) -> Iterator[Sequence[Managed]]:
        """Yield every secret that this program's tags say it keeps for the directory: those of a hundred a call.

        None of a hundred may be this program's: then what is yielded is empty.
        A secret may be yielded again, and the last word about it counts: a listing that others changed is repeated.
        One that is created, or deleted, meanwhile may be missed. Raises SecretStoreUnavailable if the listing did not
        come to rest: whoever has not seen the iterator end does not know all secrets.
        """


class Dispatcher(Protocol):
    """Function Compute, as far as it carries out rotations for others: asynchronously, and once for each task id."""

    def dispatch(self, request: ResetRequest, task_id: TaskId) -> bool:
        """Hand a rotation on to the rotating function, asynchronously.

        True: accepted now; False: this task id was accepted before. May be called again with the same arguments.
        Raises DispatchDenied, DispatchRefused (terminal), DispatchUnavailable (retryable; outcome unknown).
        """
