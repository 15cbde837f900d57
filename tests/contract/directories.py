"""The Directory port in both its worlds: what a test may do to each of them, and look at, from outside the port."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from alibabacloud_cloudsso20210515 import models as sso
from msgspec.structs import replace

from shared import connections
from shared.cloudsso import CloudSsoDirectory
from shared.errors import DirectoryDenied, DirectoryUnavailable
from shared.model import Credentials, DirectoryId, Endpoint, Password, Sealed, User, UserId, UserName
from shared.openapi import Signer
from shared.ports import Directory
from tests.deployment import CloudClock, Deployment
from tests.fakes import DIRECTORY, FakeClock, FakeDirectory, Faults
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.ram.service import Credentials as CloudCredentials
from tests.localcloud.server import DIRECTORY_REGION

SOON = timedelta(seconds=2)  # less than the adapter asks for to try again: what is refused here is refused at once
METHODS = {
    "find by name": "ListUsers",
    "find by id": "GetUser",
    "check": "GetExternalSAMLIdentityProvider",
    "sso": "GetExternalSAMLIdentityProvider",
    "age": "GetPasswordPolicy",
    "users": "ListUsers",
}
_FAKED = {"check": "check_resettable", "sso": "sso_enabled", "age": "max_password_age"}


def everybody(directory: Directory) -> list[User]:
    """Return every user of a listing, page after page."""
    return [one for page in directory.users() for one in page]


class DirectoryWorld(Protocol):
    """A directory, and the hands and eyes of its administrator."""

    @property
    def directory(self) -> Directory:
        """The port."""

    def now(self) -> datetime:
        """Return the present instant by the clock that the port goes by."""

    def add(self, name: str, *, enabled: bool = True, synchronized: bool = False) -> User:
        """Create a user, with a password that nobody knows; return it as the port must."""

    def opt_in(self, name: str) -> User:
        """Create a user with the tag that asks for rotation."""

    def crowd(self, count: int) -> None:
        """Create very many users."""

    def let_passwords_live(self, days: int) -> None:
        """Set the policy's MaxPasswordAge."""

    def remove(self, user: User) -> None:
        """Delete a user."""

    def signs_in(self, user: User, password: Password) -> str:
        """Try a password: "ok", "change-required" or "wrong"."""

    def resets(self, user: User) -> int:
        """Count the resets of a user that took effect."""

    def enable_sso(self) -> None:
        """Enable SSO logon, which forbids resets."""

    def lose_answer(self, method: str) -> None:
        """Let the next call of a method (`METHODS`, or "reset") be carried out and its answer be lost for good."""

    def shut_down(self, method: str) -> None:
        """Let the next call of a method be refused because the service has no time for it."""

    def deny(self, method: str) -> None:
        """Let the next call of a method be refused because the caller may not."""


class FakeDirectoryWorld:
    """The fake, which the protocol's tests trust."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._faults = Faults()
        self._fake = FakeDirectory(self._clock.now, faults=self._faults)

    @property
    def directory(self) -> Directory:
        return self._fake

    def now(self) -> datetime:
        return self._clock.now()

    def add(self, name: str, *, enabled: bool = True, synchronized: bool = False) -> User:
        user = User(
            directory_id=DIRECTORY,
            id=UserId(f"u-{name}"),
            name=UserName(name),
            enabled=enabled,
            synchronized=synchronized,
            created=self.now(),
        )
        self._fake.known.append(user)
        return user

    def opt_in(self, name: str) -> User:
        plain = self.add(name)
        self._fake.known[-1] = replace(plain, opted_in=True)
        return self._fake.known[-1]

    def crowd(self, count: int) -> None:
        for number in range(count):
            self.add(f"crowd{number:06}")

    def let_passwords_live(self, days: int) -> None:
        self._fake.max_age = timedelta(days=days)

    def remove(self, user: User) -> None:
        self._fake.known.remove(user)

    def signs_in(self, user: User, password: Password) -> str:
        live = self._fake.live(user)
        if live is None or live.password != password:
            return "wrong"
        return "change-required" if live.must_change else "ok"

    def resets(self, user: User) -> int:
        return len(self._fake.sets.get(user.id, []))

    def enable_sso(self) -> None:
        self._fake.sso = True

    def lose_answer(self, method: str) -> None:
        self._faults.lose.add(self._next(method))

    def shut_down(self, method: str) -> None:
        self._faults.refuse[self._next(method)] = DirectoryUnavailable("throttled")

    def deny(self, method: str) -> None:
        self._faults.refuse[self._next(method)] = DirectoryDenied("no permission")

    def _next(self, method: str) -> tuple[str, int]:
        name = "find" if method.startswith("find") else _FAKED.get(method, method)
        return name, self._faults.calls[name] + 1


class CloudDirectoryWorld:
    """The adapter on the loopback cloud, with the function's credentials and so with its permissions."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._clock = CloudClock(deployed.cloud)
        self._directory = CloudSsoDirectory(
            DirectoryId(deployed.directory_id),
            DIRECTORY_REGION,
            Endpoint(deployed.cloud.endpoint, "HTTP"),
            Signer(credentials_of(deployed.credentials)),
            self._clock,
        )
        self._initial: dict[UserId, int] = {}

    @property
    def directory(self) -> Directory:
        return self._directory

    def now(self) -> datetime:
        return self._clock.now()

    def add(self, name: str, *, enabled: bool = True, synchronized: bool = False) -> User:
        status = "Enabled" if enabled else "Disabled"
        user_id = UserId(self._deployed.add_user(name, "Initial-Passw0rd!", status=status))
        if synchronized:
            self._deployed.cloud.cloudsso.synchronize_user(user_id)
        self._initial[user_id] = len(self._deployed.cloud.cloudsso.resets(user_id))
        return User(
            directory_id=DirectoryId(self._deployed.directory_id),
            id=user_id,
            name=UserName(name),
            enabled=enabled,
            synchronized=synchronized,
            created=self._created(user_id),
        )

    def opt_in(self, name: str) -> User:
        user_id = UserId(
            self._deployed.cloud.cloudsso.add_user(name, tags={"team": "a", "password-rotation": "enabled"})
        )
        return User(
            directory_id=DirectoryId(self._deployed.directory_id),
            id=user_id,
            name=UserName(name),
            enabled=True,
            synchronized=False,
            created=self._created(user_id),
            opted_in=True,
        )

    def crowd(self, count: int) -> None:
        self._deployed.cloud.cloudsso.seed_users(count, "crowd")

    def let_passwords_live(self, days: int) -> None:
        policy = sso.SetPasswordPolicyRequest(directory_id=self._deployed.directory_id, max_password_age=days)
        self._deployed._sso.set_password_policy(policy)

    def remove(self, user: User) -> None:
        self._deployed.cloud.cloudsso.remove_user(user.id)

    def signs_in(self, user: User, password: Password) -> str:
        return self._deployed.signs_in(user.name, password.reveal())

    def resets(self, user: User) -> int:
        return len(self._deployed.cloud.cloudsso.resets(user.id)) - self._initial[user.id]

    def enable_sso(self) -> None:
        self._deployed.enable_sso()

    def lose_answer(self, method: str) -> None:
        # So late that a read is not tried again. A reset must not be for any reason: it is left its time.
        cloud, action = self._deployed.cloud, self._action(method)
        cloud.faults.arm(Fault(action, "drop-after", count=9))
        if method != "reset":
            cloud.faults.after(action, lambda: cloud.clock.shift(connections.UNHURRIED.total_seconds()))

    def shut_down(self, method: str) -> None:
        # Too long a pause for a reset, which is then given up; reads are tried again at once, and throttled again.
        advice = 3_600_000 if method == "reset" else 1
        self._deployed.cloud.faults.arm(Fault(self._action(method), "throttle", count=9, retry_after_ms=advice))

    def deny(self, method: str) -> None:
        self._deployed.cloud.faults.arm(Fault(self._action(method), "error", status=403, code="NoPermission"))

    def _created(self, user_id: UserId) -> datetime:
        asked = sso.GetUserRequest(directory_id=self._deployed.directory_id, user_id=user_id)
        told: str = self._deployed._sso.get_user(asked).body.user.create_time
        return datetime.fromisoformat(told.replace("Z", "+00:00"))

    @staticmethod
    def _action(method: str) -> str:
        return METHODS.get(method, "ResetUserPassword")


def credentials_of(role: CloudCredentials) -> Credentials:
    """Return a role's key as the adapters take it."""
    token = Sealed(role.security_token) if role.security_token else None
    return Credentials(role.access_key_id, Sealed(role.access_key_secret), token)
