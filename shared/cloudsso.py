"""The CloudSSO directory over its official SDK: the Directory port. The only importer of that SDK."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from alibabacloud_cloudsso20210515 import models
from alibabacloud_cloudsso20210515.client import Client

from shared import connections, openapi
from shared.errors import (
    DirectoryDenied,
    DirectoryError,
    DirectoryRefused,
    DirectoryUnavailable,
    PasswordRejected,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    SettingsError,
    UserNotFound,
    quoted,
)
from shared.model import (
    DirectoryId,
    Endpoint,
    Password,
    RequestId,
    ResetReceipt,
    User,
    UserId,
    UserName,
    UserRef,
)
from shared.openapi import Failure, Operation
from shared.password import plausible
from shared.ports import Clock
from shared.request import USER_NAME, user_name

FIRST_PAUSE = timedelta(seconds=0.5)  # at least, before a throttled reset is sent again; doubles without advice
LONGEST_PAUSE = timedelta(seconds=5)

_VERSION = "2021-05-15"
_GET_USER = Operation("GetUser", _VERSION)
_LIST_USERS = Operation("ListUsers", _VERSION)
_GET_POLICY = Operation("GetPasswordPolicy", _VERSION)
_GET_PROVIDER = Operation("GetExternalSAMLIdentityProvider", _VERSION)
_RESET = Operation("ResetUserPassword", _VERSION)
# Codes that mean the caller, not the request (CloudSSO and the common gateway's; by prefix, no list is published).
_DENIED = (
    "NoPermission",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidSecurityToken",
    "MissingSecurityToken",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "SignatureNonceUsed",
    "IllegalTimestamp",
    "InvalidTimeStamp",
)
_CONFLICT = "OperationConflict"  # with a task that is under way: it passes
OPT_IN = ("password-rotation", "enabled")  # the tag of users whom ONBOARD=tagged selects
PAGE = 100  # ListUsers: the most at a time


class _WireTag(msgspec.Struct, rename="pascal"):
    key: str
    value: str = ""  # whose tags they are is not ours to decide: one without a value does not end a scan


class _WireUser(msgspec.Struct, rename="pascal"):
    user_id: str
    user_name: str
    status: str
    provision_type: str = "Manual"
    create_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    tags: list[_WireTag] = []


@openapi.answer_shape
class _UserAnswer(msgspec.Struct, rename="pascal"):
    user: _WireUser


@openapi.answer_shape
class _UsersAnswer(msgspec.Struct, rename="pascal"):
    users: list[_WireUser]
    total_counts: int  # always there; without it the SDK's model turns an empty answer into an empty list


@openapi.answer_shape
class _UsersPage(_UsersAnswer, rename="pascal"):
    is_truncated: bool
    next_token: str = ""  # may be there without IsTruncated, and then means nothing


class _WireProvider(msgspec.Struct):
    status: str | None = msgspec.field(name="SSOStatus", default=None)


@openapi.answer_shape
class _ProviderAnswer(msgspec.Struct, rename="pascal"):
    request_id: str
    code: msgspec.UnsetType | None = msgspec.UNSET  # an error's: it may come with status 200 as well
    provider: _WireProvider = msgspec.field(name="SAMLIdentityProviderConfiguration", default_factory=_WireProvider)


class _WirePolicy(msgspec.Struct, rename="pascal"):
    max_password_age: Annotated[int, msgspec.Meta(ge=1, le=10_000)]  # days; 1 to 120 are documented


@openapi.answer_shape
class _PolicyAnswer(msgspec.Struct, rename="pascal"):
    password_policy: _WirePolicy


def prepare() -> None:
    """Import what a rotation needs of the SDK, now rather than at its calls."""
    openapi.load_requests(models, _LIST_USERS, _GET_USER, _RESET)


@openapi.answer_shape
class _WholePolicyAnswer(msgspec.Struct, rename="pascal"):
    password_policy: dict[str, Any]


@openapi.answer_shape
class _ResetAnswer(msgspec.Struct, rename="pascal"):
    request_id: str
    code: Any = msgspec.UNSET  # an error's: it may come with status 200 as well
    new_password: Any = None


class CloudSsoDirectory:
    """The Directory port for one directory."""

    def __init__(
        self, directory_id: DirectoryId, region: str, endpoint: Endpoint, signer: openapi.Signer, clock: Clock
    ) -> None:
        connections.make_safe(clock)
        self._id = directory_id
        self._clock = clock
        self._reads = Client(openapi.config(signer, region, endpoint, repeat=True))
        # ResetUserPassword has no idempotency token: when it may be sent again is decided here, not by the SDK.
        self._resets = Client(openapi.config(signer, region, endpoint, repeat=False))

    def find(self, ref: UserRef) -> User:
        """See Directory."""
        wire = self._by_id(ref) if ref.name is None else self._by_name(ref, ref.name)
        if user_name(wire.user_name) is None:  # a secret will be named after it: it must not lead elsewhere
            message = (
                f"User {quoted(wire.user_id)} has a name that CloudSSO does not document: {quoted(wire.user_name)}."
            )
            raise ResetNotAllowed(message, cure=f"Give the user a name of {USER_NAME.expects}.")
        return self._user(wire)

    def reset(self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime) -> ResetReceipt:
        """See Directory."""
        answer = self._reset(user, candidate, must_change=must_change, send_by=send_by)
        if isinstance(answer, Failure):
            raise self._not_reset(answer, user, staged=candidate is not None)
        receipt = _receipt(answer, candidate)
        if receipt is None:
            message = f"CloudSSO answered the reset of user {quoted(user.name)} with something that is no answer to it."
            raise ResetOutcomeUnknown(message)
        return receipt

    def check_resettable(self, user: User) -> None:
        """See Directory."""
        if self.sso_enabled():
            message = f"Directory {quoted(self._id)} has SSO logon enabled: CloudSSO resets no passwords then."
            cure = f"Change the password of user {quoted(user.name)} at the identity provider, or disable SSO logon."
            raise ResetNotAllowed(message, cure=cure)

    def sso_enabled(self) -> bool:
        """See Directory."""
        request = models.GetExternalSAMLIdentityProviderRequest(directory_id=self._id)
        return self._told(_GET_PROVIDER, request, _ProviderAnswer).provider.status == "Enabled"

    def max_password_age(self) -> timedelta:
        """See Directory."""
        request = models.GetPasswordPolicyRequest(directory_id=self._id)
        return timedelta(days=self._told(_GET_POLICY, request, _PolicyAnswer).password_policy.max_password_age)

    def users(self) -> Iterator[tuple[User, ...]]:
        """See Directory."""
        seen, least, token, shown = set[str](), None, "", set[str]()
        while True:
            page = self._page(token)
            # What a token remembers is not documented. If it is a position, a user who is created meanwhile moves
            # another to where it is shown again; and a user who was shown twice must not stand for one who was not.
            new = {user.user_id: user for user in page.users if user.user_id not in seen}
            seen.update(new)
            yield tuple(map(self._user, new.values()))
            # The fewest that there were at any time: who was created or deleted meanwhile may be seen, or not.
            least = page.total_counts if least is None else min(least, page.total_counts)
            if not page.is_truncated:
                break
            shown.add(token)
            token = page.next_token
            if token in shown:  # none at all, or one that has led here before
                message = (
                    "CloudSSO's answers to ListUsers lead round in circles: a page is said to be followed by itself."
                )
                raise DirectoryUnavailable(message)
        if len(seen) < least:
            message = f"CloudSSO listed {len(seen)} of at least {least} users."
            raise DirectoryUnavailable(message)  # to decide on part of them would let the others expire

    def _page(self, token: str) -> _UsersPage:
        request = models.ListUsersRequest(directory_id=self._id, max_results=PAGE, next_token=token or None)
        return self._told(_LIST_USERS, request, _UsersPage)

    def _told(self, operation: Operation, request: Any, shape: type[openapi.Shape]) -> openapi.Shape:  # noqa: ANN401 - the SDK is untyped
        """Return what an answer about the directory says."""
        answer = self._read(operation, request)
        if isinstance(answer, Failure):
            if answer.code == "EntityNotExists.Directory":
                raise self._no_directory(answer)
            raise _unreadable(answer, operation, f"directory {quoted(self._id)}")
        return _readable(answer, shape, operation)

    def _user(self, wire: _WireUser) -> User:
        return User(
            directory_id=self._id,
            id=UserId(wire.user_id),
            name=UserName(wire.user_name),
            enabled=wire.status == "Enabled",
            synchronized=wire.provision_type == "Synchronized",
            created=wire.create_time,
            opted_in=OPT_IN in [(tag.key, tag.value) for tag in wire.tags],
        )

    def _by_id(self, ref: UserRef) -> _WireUser:
        request = models.GetUserRequest(directory_id=self._id, user_id=ref.id)
        user = self._looked_up(_GET_USER, request, _UserAnswer, ref).user
        if user.user_id != ref.id:
            raise self._not_found(ref, None)
        return user

    def _by_name(self, ref: UserRef, name: UserName) -> _WireUser:
        request = models.ListUsersRequest(directory_id=self._id, filter=f"UserName eq {name}", max_results=100)
        # The filter ignores case; that it never matches more than it should is not for a server to promise.
        users = self._looked_up(_LIST_USERS, request, _UsersAnswer, ref).users
        same = [user for user in users if user.user_name.casefold() == name.casefold()]
        exact = [user for user in same if user.user_name == name]
        if len(same) != 1 and len(exact) != 1:
            raise self._not_found(ref, None)
        return (exact or same)[0]

    def _looked_up(
        self,
        operation: Operation,
        request: Any,  # noqa: ANN401 - the SDK is untyped
        shape: type[openapi.Shape],
        ref: UserRef,
    ) -> openapi.Shape:
        answer = self._read(operation, request)
        if isinstance(answer, Failure):
            if answer.code.startswith("EntityNotExists"):
                raise self._not_found(ref, answer)
            raise _unreadable(answer, operation, f"user {quoted(ref)}")
        return _readable(answer, shape, operation)

    def _reset(
        self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime
    ) -> bytes | Failure:
        pause = FIRST_PAUSE
        while True:
            with connections.sending_until(self._clock, send_by):
                answer = openapi.attempt(lambda: self._send_reset(user, candidate, must_change=must_change))
            if not isinstance(answer, Failure) or not answer.throttled:
                return answer
            wait = max(answer.retry_after or pause, FIRST_PAUSE)
            if self._clock.now() + wait > send_by:
                return answer
            self._clock.sleep(wait.total_seconds())
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send_reset(self, user: User, candidate: Password | None, *, must_change: bool) -> bytes:
        request = models.ResetUserPasswordRequest(
            directory_id=self._id,
            user_id=user.id,
            generate_random_password=candidate is None,
            require_password_reset_for_next_login=must_change,
        )
        # The SDK's typed call puts the password into the URL, and so into exceptions' texts and proxies' logs. The
        # official Terraform provider sends it in a form.
        form = None if candidate is None else {"Password": candidate.reveal()}
        return _RESET.call(self._resets, request, openapi.runtime(), form=form)

    def _read(self, operation: Operation, request: Any) -> bytes | Failure:  # noqa: ANN401 - the SDK is untyped
        with connections.sending_until(self._clock, None):
            return openapi.attempt(lambda: operation.call(self._reads, request, openapi.runtime()))

    def _not_reset(self, failure: Failure, user: User, *, staged: bool) -> DirectoryError | SettingsError:
        whom = f"the reset of user {quoted(user.name)}"
        if failure.throttled:
            return DirectoryUnavailable(f"CloudSSO throttled {whom} ({failure}).")
        if not failure.refused:
            return ResetOutcomeUnknown(f"CloudSSO's answer to {whom} was lost ({failure}).")
        if failure.code.startswith("EntityNotExists"):
            return self._not_found(UserRef(id=user.id), failure)
        if failure.code.startswith(_CONFLICT):
            return self._why(user) or DirectoryUnavailable(f"CloudSSO put off {whom} ({failure}).")
        # No code is published for a reset that SSO logon or the policy forbids, so the directory is asked.
        return self._why(user) or _refused(failure, whom, self._policy() if staged else None)

    def _why(self, user: User) -> ResetNotAllowed | None:
        try:
            self.check_resettable(user)
        except ResetNotAllowed as reason:
            return reason
        except DirectoryError:
            return None  # the refusal itself is the better story
        if not user.synchronized:
            return None
        message = f"User {quoted(user.name)} is synchronized by SCIM, and CloudSSO refuses to reset its password."
        return ResetNotAllowed(message, cure="Set SYNCHRONIZED_USERS=skip, or change the password where SCIM has it.")

    def _policy(self) -> str:
        answer = self._read(_GET_POLICY, models.GetPasswordPolicyRequest(directory_id=self._id))
        told = None if isinstance(answer, Failure) else openapi.shaped(answer, _WholePolicyAnswer)
        return msgspec.json.encode(told.password_policy).decode() if isinstance(told, _WholePolicyAnswer) else "unknown"

    def _not_found(self, ref: UserRef, failure: Failure | None) -> UserNotFound | SettingsError:
        if failure is not None and failure.code == "EntityNotExists.Directory":
            return self._no_directory(failure)
        return UserNotFound(f"Directory {quoted(self._id)} has no user {quoted(ref)}.")

    def _no_directory(self, failure: Failure) -> SettingsError:
        message = f"There is no directory {quoted(self._id)} ({failure})."
        return SettingsError(message, cure="Correct CLOUDSSO_DIRECTORY_ID and CLOUDSSO_REGION.")


def _readable(answer: bytes, shape: type[openapi.Shape], operation: Operation) -> openapi.Shape:
    found = openapi.shaped(answer, shape)
    if isinstance(found, openapi.Unreadable):
        message = f"CloudSSO's answer to {operation.action} cannot be read: {found.what}."
        raise DirectoryUnavailable(message)
    return found


def _receipt(answer: bytes, candidate: Password | None) -> ResetReceipt | None:
    """Return what the answer acknowledges; None if it does not (the SDK passes anything with status 200 on)."""
    told = openapi.shaped(answer, _ResetAnswer)
    if isinstance(told, openapi.Unreadable) or told.code is not msgspec.UNSET:
        return None
    if candidate is not None:
        return ResetReceipt(candidate, RequestId(told.request_id))
    made = told.new_password
    return (
        ResetReceipt(Password(made), RequestId(told.request_id)) if isinstance(made, str) and plausible(made) else None
    )


def _denied(failure: Failure) -> bool:
    return failure.code.startswith(_DENIED) or failure.status in (401, 403)


def _refused(failure: Failure, whom: str, policy: str | None) -> DirectoryError:
    if _denied(failure):
        return DirectoryDenied(f"CloudSSO denied {whom} ({failure}).")
    if policy is not None:
        return PasswordRejected(f"CloudSSO refused {whom} ({failure}); the directory's password policy is {policy}.")
    cure = "Look the request id up in ActionTrail; the code is CloudSSO's own."
    return ResetNotAllowed(f"CloudSSO refused {whom} ({failure}).", cure=cure)


def _unreadable(failure: Failure, operation: Operation, whom: str) -> DirectoryError:
    if failure.refused and not failure.throttled:
        refused = DirectoryDenied if _denied(failure) else DirectoryRefused
        return refused(f"CloudSSO refused {operation.action} for {whom} ({failure}).")
    return DirectoryUnavailable(f"CloudSSO did not answer {operation.action} for {whom} ({failure}).")
