"""What a CloudSSO directory remembers: users, groups, logins, settings; written through to the store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from tests.localcloud.api import ApiError, Call, Clock, Store
from tests.localcloud.cloudsso.policy import PasswordHash, PasswordPolicy
from tests.localcloud.parameters import required
from tests.localcloud.switches import Switches


class User(msgspec.Struct, frozen=True):
    """A user as GetUser shows it; passwords are elsewhere (`Login`)."""

    number: int  # the order of creation, and of listing
    user_id: str
    user_name: str
    create_time: datetime
    update_time: datetime
    display_name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    description: str = ""
    status: str = "Enabled"
    external_id: str = ""  # SCIM's id; a user that has one is Synchronized
    tags: dict[str, str] = {}

    @property
    def provision_type(self) -> str:
        """Who keeps the user: `Manual` or `Synchronized`."""
        return "Synchronized" if self.external_id else "Manual"


class Login(msgspec.Struct, frozen=True):
    """A user's passwords, as hashes, and what became of them."""

    hashes: tuple[PasswordHash, ...] = ()  # newest first: the first one is live
    set_at: datetime | None = None
    change_required: bool = False
    failures: int = 0
    locked_until: datetime | None = None
    resets: tuple[datetime, ...] = ()

    def __repr__(self) -> str:
        """Show no hash: a hash of a weak test password is the password."""
        return f"Login(set_at={self.set_at}, failures={self.failures}, resets={len(self.resets)})"


class Member(msgspec.Struct, frozen=True):
    """A user in a group."""

    user_id: str
    join_time: datetime


class Group(msgspec.Struct, frozen=True):
    """A group and its members, in the order in which they joined."""

    group_id: str
    group_name: str
    members: tuple[Member, ...] = ()


class Saml(msgspec.Struct, frozen=True):
    """SetExternalSAMLIdentityProvider's settings; `sso_enabled` is the directory-wide switch."""

    sso_enabled: bool = False
    entity_id: str = ""
    login_url: str = ""
    encoded_metadata_document: str = ""
    binding_type: str = ""
    want_request_signed: bool = False
    create_time: datetime | None = None
    update_time: datetime | None = None


class Settings(msgspec.Struct, frozen=True):
    """The directory itself."""

    directory_id: str
    directory_name: str
    region: str
    create_time: datetime
    update_time: datetime
    policy: PasswordPolicy = PasswordPolicy()
    saml: Saml = Saml()
    scim_enabled: bool = False
    users_made: int = 0  # numbers are never given twice, so ids are not either


class Roll:
    """The users: by id, by case-folded name, by e-mail address, and in order."""

    def __init__(self, users: Iterable[User]) -> None:
        self.revision = 0  # moves whenever an answer of ListUsers may change
        self.numbers: list[int] = []
        self._by_number: dict[int, User] = {}
        self._by_id: dict[str, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_email: dict[str, int] = {}
        self._last: tuple[object, Sequence[int]] = (None, ())
        for user in users:
            self.put(user)

    def put(self, user: User) -> None:
        """Add a user, who must then have the highest number, or replace one of the same number."""
        before = self._by_number.get(user.number)
        if before is None:
            self.numbers.append(user.number)
        elif before.user_name.casefold() != user.user_name.casefold():
            del self._by_name[before.user_name.casefold()]
        self._by_number[user.number] = user
        self._by_id[user.user_id] = self._by_name[user.user_name.casefold()] = user.number
        if user.email:
            self._by_email[user.email.casefold()] = user.number
        self.revision += 1

    def remove(self, user: User) -> None:
        """Forget a user."""
        del self._by_number[user.number], self._by_id[user.user_id], self._by_name[user.user_name.casefold()]
        self._by_email.pop(user.email.casefold(), None)
        del self.numbers[bisect_left(self.numbers, user.number)]
        self.revision += 1

    def numbered(self, number: int) -> User:
        """Return the user with this number."""
        return self._by_number[number]

    def with_id(self, user_id: str) -> User | None:
        """Return the user with this id; the case counts."""
        number = self._by_id.get(user_id)
        return None if number is None else self._by_number[number]

    def named(self, user_name: str) -> User | None:
        """Return the user with this name, in any case."""
        number = self._by_name.get(user_name.casefold())
        return None if number is None else self._by_number[number]

    def has_email(self, email: str) -> bool:
        """Tell whether an e-mail address is taken."""
        return email.casefold() in self._by_email

    def matching(self, question: object, wanted: Callable[[User], bool]) -> Sequence[int]:
        """Return the numbers of the wanted users.

        A listing asks the same question once per page, so the last answer is kept until the users change.
        """
        asked = (question, self.revision)
        if self._last[0] != asked:
            self._last = (asked, [number for number in self.numbers if wanted(self._by_number[number])])
        return self._last[1]


class Directory:
    """The one directory of an account: everything above, loaded from the store and written through to it."""

    def __init__(self, clock: Clock, switches: Callable[[], Switches], store: Store, settings: Settings) -> None:
        self.clock = clock
        self.switches = switches
        self._store = store
        kept = [msgspec.msgpack.decode(data, type=Settings) for _, data in store.load("cloudsso.directory")]
        self.keep_settings(kept[0] if kept else settings)
        self.roll = Roll(msgspec.msgpack.decode(data, type=User) for _, data in store.load("cloudsso.user"))
        self.groups = {key: msgspec.msgpack.decode(data, type=Group) for key, data in store.load("cloudsso.group")}
        self._logins = {key: msgspec.msgpack.decode(data, type=Login) for key, data in store.load("cloudsso.login")}

    def check(self, call: Call) -> None:
        """Refuse a call that names another directory. The status 404 is a guess: only the code is published."""
        if required(call, "DirectoryId") != self.settings.directory_id:
            raise ApiError(404, "EntityNotExists.Directory", "The specified directory does not exist.")

    def user(self, user_id: str) -> User:
        """Return a user, or refuse. The status 404 is a guess: only the code is published."""
        user = self.roll.with_id(user_id)
        if user is None:
            raise ApiError(404, "EntityNotExists.User", "The specified user does not exist.")
        return user

    def group(self, group_id: str) -> Group:
        """Return a group, or refuse. The status 404 is a guess: only the code is published."""
        if group_id not in self.groups:
            raise ApiError(404, "EntityNotExists.Group", "The specified group does not exist.")
        return self.groups[group_id]

    def login(self, user_id: str) -> Login:
        """Return a user's login; one who never had a password has an empty one."""
        return self._logins.get(user_id, Login())

    def keep_settings(self, settings: Settings) -> None:
        """Replace the directory's settings."""
        self._store.save("cloudsso.directory", settings.directory_id, msgspec.msgpack.encode(settings))
        self.settings = settings

    def keep_user(self, user: User) -> None:
        """Add or replace a user."""
        self._store.save("cloudsso.user", user.user_id, msgspec.msgpack.encode(user))
        self.roll.put(user)

    def keep_login(self, user_id: str, login: Login) -> None:
        """Replace a user's login."""
        self._store.save("cloudsso.login", user_id, msgspec.msgpack.encode(login))
        self._logins[user_id] = login

    def keep_group(self, group: Group) -> None:
        """Add or replace a group."""
        self._store.save("cloudsso.group", group.group_id, msgspec.msgpack.encode(group))
        self.groups[group.group_id] = group

    def remove_user(self, user: User) -> None:
        """Forget a user, the login and the memberships."""
        self._store.remove("cloudsso.user", user.user_id)
        self._store.remove("cloudsso.login", user.user_id)
        self.roll.remove(user)
        self._logins.pop(user.user_id, None)
        for group in list(self.groups.values()):
            left = tuple(member for member in group.members if member.user_id != user.user_id)
            if len(left) < len(group.members):
                self.keep_group(msgspec.structs.replace(group, members=left))
