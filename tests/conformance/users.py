"""Throwaway users of the directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alibabacloud_cloudsso20210515 import models
from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from shared.model import UserName
from shared.password import generate
from tests.conformance.account import Account
from tests.conformance.gate import CloudSso
from tests.conformance.names import Names
from tests.conformance.verdicts import ACCEPTED, RefusedError, SkippedError, outcome_of

GONE = "EntityNotExists.User"
# Said here again and not taken from the rotator: the contract must not share its mistakes.
_RESET = Params(
    action="ResetUserPassword",
    version="2021-05-15",
    protocol="HTTPS",
    pathname="/",
    method="POST",
    auth_type="AK",
    style="RPC",
    req_body_type="formData",
    body_type="json",
)


@dataclass(frozen=True)
class User:
    """A user of this suite's own."""

    id: str
    name: str


class Users:
    """What administrators do with users; every one made here is deleted again."""

    def __init__(self, client: CloudSso, account: Account, names: Names) -> None:
        self.made = 0
        self.most = 0  # at the same time
        self._client = client
        self._account = account
        self._names = names
        self._there: dict[str, str | None] = {}  # by name; None: the answer that has the id was lost
        self._sso: bool | None = None
        self._sso_is_ours = False  # enabled by this suite, and to be disabled again

    def create(self, *, status: str = "Enabled", tags: Mapping[str, str] | None = None) -> User:
        """Create a user who has no password yet."""
        name = self._names()
        self.made += 1
        self._there[name] = None  # before it is sent: the answer may be lost
        self.most = max(self.most, len(self._there))
        request = models.CreateUserRequest(
            directory_id=self._account.directory_id,
            user_name=name,
            status=status,
            tags=[models.CreateUserRequestTags(key=key, value=value) for key, value in (tags or {}).items()],
        )
        user_id: str = self._client.create_user(request).body.user.user_id
        self._there[name] = user_id
        return User(user_id, name)

    def create_again(self, user: User) -> None:
        """Ask for a second user of the same name."""
        request = models.CreateUserRequest(directory_id=self._account.directory_id, user_name=user.name)
        self._client.create_user(request)

    def delete(self, user: User) -> None:
        """Delete a user."""
        self._delete(user.id)
        self._there.pop(user.name, None)

    def get(self, user: User) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Return a user as GetUser shows it."""
        return self._client.get_user(
            models.GetUserRequest(directory_id=self._account.directory_id, user_id=user.id)
        ).body.user

    def named(self, user_id: str) -> User:
        """Return a user by an id from outside; the guard learns from the answer whether it is this suite's own."""
        shown = self.get(User(user_id, ""))
        return User(shown.user_id, shown.user_name)

    def page(self, filtered: str, **more: Any) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Return one page of a listing."""
        request = models.ListUsersRequest(directory_id=self._account.directory_id, filter=filtered, **more)
        return self._client.list_users(request).body

    def names(self, filtered: str, **more: Any) -> list[str]:  # noqa: ANN401 - the SDK is untyped
        """Return the names that a listing finds, page after page."""
        found: list[str] = []
        token = None
        while True:
            page = self.page(filtered, next_token=token, **more)
            found += [user.user_name for user in page.users]
            token = page.next_token if page.is_truncated else None
            if not token:
                return found

    def policy(self, directory_id: str | None = None) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Return the directory's password policy."""
        request = models.GetPasswordPolicyRequest(directory_id=directory_id or self._account.directory_id)
        return self._client.get_password_policy(request).body.password_policy

    def new_password(self, user: User) -> str:
        """Return a fresh password: until the user is deleted it is a real one."""
        return generate(UserName(user.name)).reveal()

    def generate(self, user: User, *, must_change: bool = False) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Let CloudSSO generate a password, as a rotation does by default; return the answer."""
        self._need_resets()
        request = models.ResetUserPasswordRequest(
            directory_id=self._account.directory_id,
            user_id=user.id,
            generate_random_password=True,
            require_password_reset_for_next_login=must_change,
        )
        return self._client.reset_user_password(request).body

    def set(self, user: User, password: str | None) -> dict[str, Any]:
        """Set a password in the form body, as a staged rotation does; return the answer."""
        self._need_resets()
        return self.set_anyway(user, password)

    def set_anyway(self, user: User, password: str | None) -> dict[str, Any]:
        """Set a password though resets may be forbidden; None: send none."""
        query = {"DirectoryId": self._account.directory_id, "GenerateRandomPassword": "False", "UserId": user.id}
        body = None if password is None else {"Password": password}
        answer: dict[str, Any] = self._client.call_api(
            _RESET, OpenApiRequest(query=query, body=body), RuntimeOptions()
        )["body"]
        return answer

    def sso_status(self) -> str:
        """Return whether SSO logon is enabled in the directory."""
        request = models.GetExternalSAMLIdentityProviderRequest(directory_id=self._account.directory_id)
        status: str = self._client.get_external_samlidentity_provider(
            request
        ).body.samlidentity_provider_configuration.ssostatus
        return status

    def enable_sso(self) -> None:
        """Enable SSO logon in the whole directory, until everything is cleaned up."""
        self._sso_is_ours = True
        self._set_sso("Enabled")

    def find_left_over(self) -> None:
        """Take charge of the users that an earlier run has left."""
        for name, user_id in self._listed(f"UserName sw {self._account.prefix}", provision_type="Manual"):
            if self._names.has_made(name):
                self._there[name] = user_id

    def clean(self) -> list[str]:
        """Delete every user that was made, and disable what was enabled; return what could not be done, and why."""
        problems = self._disable_sso()
        for name, user_id in list(self._there.items()):
            answer = outcome_of(lambda name=name, user_id=user_id: self._remove(name, user_id))  # type: ignore[misc]
            if answer == ACCEPTED or GONE in answer:
                del self._there[name]
            else:
                problems.append(f"user {name}: {answer}")
        return problems

    def _remove(self, name: str, user_id: str | None) -> None:
        found = [(name, user_id)] if user_id else self._listed(f"UserName eq {name}")
        for each, its_id in found:
            if its_id and each == name:  # a service may read `eq` otherwise
                self._delete(its_id)

    def _listed(self, filtered: str, **more: str) -> Iterator[tuple[str, str]]:
        token = None
        while True:
            page = self.page(filtered, max_results=100, next_token=token, **more)
            yield from ((user.user_name, user.user_id) for user in page.users)
            token = page.next_token if page.is_truncated else None
            if not token:
                return

    def _delete(self, user_id: str) -> None:
        self._client.delete_user(models.DeleteUserRequest(directory_id=self._account.directory_id, user_id=user_id))

    def _disable_sso(self) -> list[str]:
        if not self._sso_is_ours:
            return []
        answer = outcome_of(lambda: self._set_sso("Disabled"))
        self._sso_is_ours = answer != ACCEPTED
        return [f"SSO logon of the directory is still enabled: {answer}"] if self._sso_is_ours else []

    def _set_sso(self, status: str) -> None:
        request = models.SetExternalSAMLIdentityProviderRequest(
            directory_id=self._account.directory_id, ssostatus=status
        )
        self._client.set_external_samlidentity_provider(request)

    def _need_resets(self) -> None:
        """Skip what SSO logon forbids, rather than call it a difference."""
        if self._sso is None:
            try:
                self._sso = self.sso_status() == "Enabled"
            except RefusedError as refusal:
                message = f"whether SSO logon is enabled is not told: {refusal}"
                raise SkippedError(message) from None
        if self._sso:
            message = "SSO logon is enabled in this directory, which forbids resets"
            raise SkippedError(message)
