"""Everything that can go wrong, drawn as one tree.

    RotatorError
    ├── SettingsError                 the environment does not make sense; found before any event is read
    ├── EventError                    the event does not make sense; terminal
    │   ├── MalformedEvent            it is not what it claims to be
    │   ├── UnsupportedEvent          no trigger and no alert rule recognises it
    │   └── PasswordInEvent           it carries a password, which is now known to a queue
    ├── DirectoryError                CloudSSO
    │   ├── UserNotFound              terminal
    │   ├── ResetNotAllowed           terminal until the directory changes (SSO logon, synchronized user)
    │   ├── PasswordRejected          the password policy refused a staged candidate
    │   ├── DirectoryDenied           RAM or the credentials; terminal until they change
    │   ├── DirectoryRefused          CloudSSO refuses the request itself; terminal
    │   ├── DirectoryUnavailable      throttled, down or unreadable; nothing was reset
    │   └── ResetOutcomeUnknown       the answer to a reset was lost: which password is live is not known
    ├── SecretStoreError              KMS
    │   ├── SecretStoreDenied         RAM, the credentials, or the key; terminal until they change
    │   ├── SecretRefused             KMS refuses the request itself (quota, name, key)
    │   ├── SecretNotFound            it vanished between two calls
    │   ├── SecretExists              it appeared between two calls
    │   ├── SecretInDeletion          scheduled for deletion; terminal until restored
    │   ├── SecretStoreUnavailable    throttled, down, unreadable or unanswered; a put's outcome is unknown
    │   └── VersionConflict           the version id holds other data: somebody else wrote it
    ├── RotationError                 the protocol
    │   ├── RotationInProgress        another claim is younger than its lease
    │   ├── OutOfTime                 the time of the invocation, or of a claim, is over before the reset
    │   ├── NotPublished              reset, but not in KMS: only another rotation lets the user in
    │   └── TooManyAttempts           six claims on one rotation failed; terminal
    ├── RotationsFailed               a batch in which at least one request failed, naming each
    ├── UnexpectedFailure             a bug in this program
    └── DispatchError                 a rotation could not be handed on to the function that carries it out
        ├── DispatchDenied            RAM or the credentials; terminal until they change
        ├── DispatchRefused           Function Compute refuses the call itself (no such function); terminal
        ├── DispatchUnavailable       throttled, down or unanswered; whether it was accepted is not known
        └── DispatchesFailed          a fan-out in which at least one failed, naming who was dispatched and who not

Each class has a machine `reason` and says whether a redelivery may help (`retryable`). Each message says what happened,
to whom, what is known to be unchanged, and what to do. No message ever contains a password, a credential, or text from
an SDK exception (which may hold both: docs/decisions/0004-no-exception-chaining.md).
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

LONGEST_QUOTE = 128


def quoted(text: object) -> str:
    """Return text from outside, made safe to print: control characters escaped, length bounded, in quotes."""
    plain = str(text)
    cut = plain if len(plain) <= LONGEST_QUOTE else f"{plain[:LONGEST_QUOTE]}…"
    return "'" + "".join(c if c.isprintable() and c != "'" else _escaped(c) for c in cut) + "'"


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"  # noqa: PLR2004 - Latin-1


class RotatorError(Exception):
    """The root: what happened, what is unchanged, what to do."""

    reason: ClassVar[str] = "error"
    retryable: bool = False
    unchanged: str = "Nothing was changed."
    cure: str = ""

    def __init__(
        self,
        happened: str,
        *,
        unchanged: str | None = None,
        cure: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        self.happened = happened
        self.unchanged = self.unchanged if unchanged is None else unchanged
        self.cure = self.cure if cure is None else cure
        self.retry_after = retry_after  # None: no better advice than the queue's own back-off
        super().__init__(" ".join(part for part in (happened, self.unchanged, self.cure) if part))

    def retold(self, unchanged: str) -> RotatorError:
        """Return the same error with another word on what is unchanged, which who caught it knows better."""
        return type(self)(self.happened, unchanged=unchanged, cure=self.cure, retry_after=self.retry_after)

    def asked(self, request: str) -> RotatorError:
        """Return the same error with a sentence at its end that says what was asked for."""
        cure = f"{self.cure} {request}" if self.cure else request
        return type(self)(self.happened, unchanged=self.unchanged, cure=cure, retry_after=self.retry_after)


class SettingsError(RotatorError):
    """The environment does not make sense."""

    reason = "settings"
    cure = "Correct the function's environment variables (s.yaml, environmentVariables) and deploy again."


class EventError(RotatorError):
    """The event does not make sense; redelivering it cannot help."""

    reason = "event"
    unchanged = "Nothing was done for it."


class MalformedEvent(EventError):
    """The event is not what it claims to be."""

    reason = "malformed-event"
    cure = "Correct the sender; events/README.md shows one valid event for every trigger."


class UnsupportedEvent(EventError):
    """No trigger and no alert rule recognises the event."""

    reason = "unsupported-event"
    cure = "Add a rule to functions/reset_password/rules.json that maps it, or one that ignores it."


class PasswordInEvent(EventError):
    """The event carries a password."""

    reason = "password-in-event"
    cure = (
        "Never send passwords: queues and logs store the event on its way here. Treat that password as disclosed, "
        "remove the field from the sender, and ask for a rotation without it."
    )


class DirectoryError(RotatorError):
    """CloudSSO did not do what was asked."""

    reason = "directory"
    unchanged = "The password was not reset."


class UserNotFound(DirectoryError):
    """The directory has no such user."""

    reason = "user-not-found"
    cure = "Check the user name or id and the directory id; user ids change when a user is deleted and created again."


class ResetNotAllowed(DirectoryError):
    """The directory, as it is configured, allows no reset of this user."""

    reason = "reset-not-allowed"


class PasswordRejected(DirectoryError):
    """The password policy refused the staged candidate."""

    reason = "password-rejected"
    retryable = True  # the next claim brings a fresh candidate
    cure = "Compare the directory's password policy with shared/password.py, or set PASSWORD_SOURCE=cloudsso."


class DirectoryDenied(DirectoryError):
    """RAM or the credentials do not allow the call."""

    reason = "directory-denied"
    cure = (
        "Update the stack, which gives the function's role its policy.json (docs/operations.md#permission-missing); "
        "the account must be the directory's management account, or its delegated administrator."
    )


class DirectoryRefused(DirectoryError):
    """CloudSSO refuses the request itself."""

    reason = "directory-refused"
    cure = "Look the code up in CloudSSO's documentation; check CLOUDSSO_REGION and CLOUDSSO_ENDPOINT."


class DirectoryUnavailable(DirectoryError):
    """CloudSSO is throttling, down, unreachable or unreadable; nothing was reset."""

    reason = "directory-unavailable"
    retryable = True
    cure = "Redeliver; if it persists, check CLOUDSSO_REGION, CLOUDSSO_ENDPOINT and the function's network."


class ResetOutcomeUnknown(DirectoryError):
    """The answer to a reset was lost."""

    reason = "reset-outcome-unknown"
    retryable = True
    unchanged = "The secret still holds the password from before; whether it is still live is not known."
    cure = "Redeliver: once this claim's lease is over, the password is reset again and published."


class SecretStoreError(RotatorError):
    """KMS did not do what was asked."""

    reason = "secret-store"
    unchanged = "The password was not reset."


class SecretStoreDenied(SecretStoreError):
    """RAM, the credentials or the encryption key do not allow the call."""

    reason = "secret-store-denied"
    cure = (
        "Update the stack, which gives the function's role its policy.json (docs/operations.md#permission-missing), "
        "and check the key and the KMS instance."
    )


class SecretRefused(SecretStoreError):
    """KMS refuses the request itself."""

    reason = "secret-refused"
    cure = (
        "Look the code up in KMS's documentation; check KMS_ENDPOINT, KMS_INSTANCE_ID, KMS_KEY_ID, "
        "SECRET_NAME_TEMPLATE and the instance's secret quota."
    )


class SecretNotFound(SecretStoreError):
    """The secret is not there."""

    reason = "secret-not-found"
    retryable = True


class SecretExists(SecretStoreError):
    """A secret of that name is there already."""

    reason = "secret-exists"
    retryable = True


class SecretInDeletion(SecretStoreError):
    """The secret is scheduled for deletion, and its name is blocked until then."""

    reason = "secret-in-deletion"
    cure = "Restore the secret (RestoreSecret), or delete it without a recovery window, then redeliver."


class SecretStoreUnavailable(SecretStoreError):
    """KMS is throttling, down, unreachable or unreadable; whether a put took effect is not known."""

    reason = "secret-store-unavailable"
    retryable = True
    cure = "Redeliver; if it persists, check KMS_REGION, KMS_ENDPOINT and the function's network."


class VersionConflict(SecretStoreError):
    """The version id holds other data."""

    reason = "version-conflict"
    retryable = True
    cure = "Redeliver."


class RotationError(RotatorError):
    """The rotation protocol stopped."""

    reason = "rotation"


class RotationInProgress(RotationError):
    """Another claim on this user is younger than its lease."""

    reason = "rotation-in-progress"
    retryable = True
    cure = "Redeliver after the time named."


class OutOfTime(RotationError):
    """The invocation would end before a rotation could."""

    reason = "out-of-time"
    retryable = True
    cure = "Redeliver; if it recurs, send smaller batches, raise MAX_PARALLEL or raise the function's timeout."


class NotPublished(RotationError):
    """CloudSSO has reset the password, and KMS does not have it."""

    reason = "not-published"
    retryable = True
    unchanged = "Unless KMS took it unacknowledged, the live password is lost and the user cannot log on."
    cure = "Mend KMS's side first, then redeliver: the password is reset again and published."


class TooManyAttempts(RotationError):
    """Every claim that the version budget allows has failed."""

    reason = "too-many-attempts"
    unchanged = "No further claim was made. What the secret holds is live only if every failure named was a refusal."


class RotationsFailed(RotatorError):
    """At least one request of an invocation failed; the others were carried out all the same."""

    reason = "rotations-failed"
    unchanged = ""


class UnexpectedFailure(RotatorError):
    """A bug in this program. Only its kind and place are told: its text could hold anything."""

    reason = "unexpected"
    retryable = True
    unchanged = "What was changed is not known; a redelivery finds out and completes it."
    cure = "Redeliver, and report the bug with this line."


class DispatchError(RotatorError):
    """A rotation could not be handed on to the rotating function."""

    reason = "dispatch"
    unchanged = "It was not handed on."


class DispatchDenied(DispatchError):
    """RAM or the credentials do not allow the rotating function to be invoked."""

    reason = "dispatch-denied"
    cure = "Update the stack, which gives the scan's role its policy.json (docs/operations.md#permission-missing)."


class DispatchRefused(DispatchError):
    """Function Compute refuses the call itself: no such function or qualifier, or more than an event may hold."""

    reason = "dispatch-refused"
    cure = "Check ROTATION_FUNCTION and ROTATION_ENDPOINT, and that the function is deployed in this region."


class DispatchUnavailable(DispatchError):
    """Function Compute is throttling, down, unreachable or unreadable; it may have accepted the call all the same."""

    reason = "dispatch-unavailable"
    retryable = True
    unchanged = "Whether it was handed on is not known."
    cure = "Dispatch again: the same task id is accepted once. If it persists, check ROTATION_ENDPOINT."


class DispatchesFailed(DispatchError):
    """At least one dispatch of a fan-out failed; the others were made all the same."""

    reason = "dispatches-failed"
    unchanged = ""
    cure = "Run the scan again when the cause is mended: whoever was dispatched is not rotated twice."
