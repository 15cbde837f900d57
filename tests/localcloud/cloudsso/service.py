"""CloudSSO, API 2021-05-15: one directory of one account, as a service of the loopback cloud.

The calls are in `users`, `settings` and `passwords`; here they become one service that does
one thing at a time, with the RAM resources of the "RAM authorization" page. The wire adds each answer's RequestId.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import msgspec

from tests.localcloud.api import Action, Call, Clock, Handler, Json, Store
from tests.localcloud.cloudsso.directory import Directory, Group, Member, Settings
from tests.localcloud.cloudsso.passwords import Passwords, SignIn
from tests.localcloud.cloudsso.settings import SettingsCalls
from tests.localcloud.cloudsso.users import UserCalls
from tests.localcloud.parameters import repeated
from tests.localcloud.switches import Switches

__all__ = ["CloudSSO", "SignIn"]


class CloudSSO:
    """The service, the user portal's two questions, and the hands of a test."""

    code = "cloudsso"
    version = "2021-05-15"

    def __init__(  # noqa: PLR0913 - three things it needs, and what a test may want to be different
        self,
        clock: Clock,
        switches: Callable[[], Switches],
        store: Store,
        *,
        directory_id: str = "d-00fc2p61loop",
        directory_name: str = "loopback",
        region: str = "cn-shanghai",
        user_quota: int = 1000,
        generate: Callable[[str], str] | None = None,
    ) -> None:
        now = clock.now()
        settings = Settings(directory_id, directory_name, region, now, now)
        self._lock = threading.RLock()
        self._directory = Directory(clock, switches, store, settings)
        self._users = UserCalls(self._directory, user_quota)
        self._passwords = Passwords(self._directory, generate)
        self.actions = self._actions(SettingsCalls(self._directory, user_quota))

    @property
    def directory_id(self) -> str:
        """The id of the one directory."""
        return self._directory.settings.directory_id

    @property
    def generate(self) -> Callable[[str], str] | None:
        """What makes generated passwords, from a user name, unchecked; None: the policy does."""
        return self._passwords.generate

    @generate.setter
    def generate(self, generate: Callable[[str], str] | None) -> None:
        self._passwords.generate = generate

    def sign_in(self, user_name: str, password: str) -> SignIn:
        """Try a password at the user portal."""
        with self._lock:
            return self._passwords.sign_in(user_name, password)

    def change_password(self, user_name: str, old: str, new: str) -> SignIn:
        """Change one's own password at the user portal; a new one that breaks the policy raises ApiError."""
        with self._lock:
            return self._passwords.change(user_name, old, new)

    def resets(self, user_id: str) -> list[datetime]:
        """Return when resets of a user were applied."""
        with self._lock:
            return list(self._directory.login(user_id).resets)

    def add_user(self, user_name: str, *, status: str = "Enabled", tags: dict[str, str] | None = None) -> str:
        """Create a user without asking for the quota, and return its id."""
        with self._lock:
            return self._users.add(user_name, {"status": status, "tags": tags or {}}).user_id

    def seed_users(self, count: int, prefix: str = "user") -> list[str]:
        """Create `user000000`, `user000001` and so on, and return their ids."""
        return [self.add_user(f"{prefix}{position:06}") for position in range(count)]

    def remove_user(self, user_id: str) -> None:
        """Delete a user, as an administrator could at any moment."""
        with self._lock:
            self._directory.remove_user(self._directory.user(user_id))

    def rename_user(self, user_id: str, user_name: str) -> None:
        """Give a user another name, as SCIM may; UpdateUser has no parameter for it."""
        with self._lock:
            now = self._directory.clock.now()
            user = msgspec.structs.replace(self._directory.user(user_id), user_name=user_name, update_time=now)
            self._directory.keep_user(user)

    def synchronize_user(self, user_id: str, external_id: str = "c73000a5fdd5") -> None:
        """Make a user one that SCIM keeps."""
        with self._lock:
            user = msgspec.structs.replace(self._directory.user(user_id), external_id=external_id)
            self._directory.keep_user(user)
            self._directory.keep_settings(msgspec.structs.replace(self._directory.settings, scim_enabled=True))

    def create_group(self, group_name: str) -> str:
        """Create a group and return its id."""
        with self._lock:
            group_id = f"g-00jqzghi2n3o5hkh{len(self._directory.groups) + 1:04}"
            self._directory.keep_group(Group(group_id, group_name))
            return group_id

    def add_user_to_group(self, user_id: str, group_id: str) -> None:
        """Let a user join a group, once."""
        with self._lock:
            user, group = self._directory.user(user_id), self._directory.group(group_id)
            if user.user_id not in {member.user_id for member in group.members}:
                member = Member(user.user_id, self._directory.clock.now())
                self._directory.keep_group(msgspec.structs.replace(group, members=(*group.members, member)))

    def _actions(self, settings: SettingsCalls) -> dict[str, Action]:
        handlers = {
            "ResetUserPassword": self._passwords.reset,
            **self._users.handlers(),
            **settings.handlers(),
        }
        return {name: self._action(name, handle) for name, handle in handlers.items()}

    def _action(self, name: str, handle: Handler) -> Action:
        resources = _RESOURCES.get(name, _directory)
        if name in ("TagResources", "UntagResources"):
            return Action(self._alone(handle), resources, lambda call: _further_users(name, call))
        return Action(self._alone(handle), resources)

    def _alone(self, handle: Handler) -> Handler:
        def alone(call: Call) -> Json:
            with self._lock:
                return handle(call)

        return alone


def _arn(call: Call, rest: str = "") -> str:
    directory_id = call.params.get("DirectoryId", "")
    return f"acs:cloudsso:{call.region}:{call.account_id}:directory/{directory_id}{rest}"


def _directory(call: Call) -> list[str]:
    return [_arn(call)]


def _user(call: Call) -> list[str]:
    return [_arn(call, f"/user/{call.params.get('UserId', '')}")]


def _every_user(call: Call) -> list[str]:
    return [_arn(call, "/user/*")]


def _first_user(call: Call) -> list[str]:
    return [_arn(call, f"/user/{call.params.get('ResourceId.1', '')}")]


def _further_users(name: str, call: Call) -> list[tuple[str, str]]:
    return [(f"cloudsso:{name}", _arn(call, f"/user/{user_id}")) for user_id in repeated(call, "ResourceId")[1:]]


# ResetUserPassword, ListUsers, Get/SetPasswordPolicy and GetServiceStatus are documented; the others follow from them.
_RESOURCES: dict[str, Callable[[Call], list[str]]] = {
    "ResetUserPassword": _user,
    "GetUser": _user,
    "UpdateUserStatus": _user,
    "DeleteUser": _user,
    "ListUsers": _every_user,
    "CreateUser": _every_user,
    "TagResources": _first_user,
    "UntagResources": _first_user,
    "ListGroupMembers": lambda call: [_arn(call, f"/group/{call.params.get('GroupId', '')}")],
    "ListDirectories": lambda call: [f"acs:cloudsso:{call.region}:{call.account_id}:directory/*"],
    "GetServiceStatus": lambda _call: ["*"],
}
