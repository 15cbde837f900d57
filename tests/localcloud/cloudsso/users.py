"""CloudSSO's calls about users and groups: create, show, list, switch off, delete, tag.

Source: the pages of GetUser, ListUsers, CreateUser, UpdateUserStatus, DeleteUser and ListGroupMembers, and "Manage
users".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from tests.localcloud.api import ApiError, Call, Handler, Json
from tests.localcloud.cloudsso.directory import Directory, Member, User
from tests.localcloud.paging import page_of
from tests.localcloud.parameters import (
    bounded,
    choice,
    flag,
    optional,
    pairs,
    refuse_invalid,
    refuse_missing,
    repeated,
    required,
    shown,
)

_NAME = re.compile(r"[0-9A-Za-z@_.-]{1,64}")
_STATUSES = ("Enabled", "Disabled")
_PROVISION_TYPES = ("Manual", "Synchronized")
_FILTER = re.compile(r"\s*UserName\s+(eq|sw)\s+(.+?)\s*", re.IGNORECASE)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _user_id(number: int) -> str:
    """Return an id of the documented shape, from a counter: the same run makes the same ids."""
    tail = ""
    while number or len(tail) < 4:
        number, digit = divmod(number, len(_DIGITS))
        tail = _DIGITS[digit] + tail
    return f"u-00q8wbq42wiltcrk{tail}"


@dataclass(frozen=True)
class UserCalls:
    """The calls, on one directory."""

    directory: Directory
    quota: int  # GetDirectoryStatistics calls it UserQuota

    def handlers(self) -> dict[str, Handler]:
        """Return the calls by their names."""
        return {
            "GetUser": self._get,
            "ListUsers": self._list,
            "CreateUser": self._create,
            "UpdateUserStatus": self._update_status,
            "DeleteUser": self._delete,
            "ListGroupMembers": self._list_group_members,
            "TagResources": self._tag,
            "UntagResources": self._untag,
        }

    def add(self, name: str, profile: Json) -> User:
        """Create a user, unchecked; the profile has fields of `User`."""
        now = self.directory.clock.now()
        number = self.directory.settings.users_made + 1
        user = User(number, _user_id(number), name, now, now, **profile)
        self.directory.keep_settings(msgspec.structs.replace(self.directory.settings, users_made=number))
        self.directory.keep_user(user)
        return user

    def _get(self, call: Call) -> Json:
        user_id = required(call, "UserId")
        self.directory.check(call)
        return {"User": user_shown(self.directory.user(user_id))}

    def _list(self, call: Call) -> Json:
        question = Question.asked(call)
        self.directory.check(call)
        roll = self.directory.roll
        part, paging = page_of(self._answer(question), call)
        return {"Users": [user_shown(roll.numbered(number)) for number in part], **paging}

    def _answer(self, question: Question) -> Sequence[int]:
        roll = self.directory.roll
        if question.operator == "eq":
            user = roll.named(question.name)
            return [user.number] if user and question.wants(user) else []
        return roll.numbers if question == Question() else roll.matching(question, question.wants)

    def _create(self, call: Call) -> Json:
        name = required(call, "UserName")
        profile = _profile(call)
        self.directory.check(call)
        self._refuse_doubles(name, profile["email"])
        return {"User": user_shown(self.add(name, profile))}

    def _refuse_doubles(self, name: str, email: str) -> None:
        """Refuse what is taken or one too many. The codes are guesses: none is published."""
        if not _NAME.fullmatch(name):
            refuse_invalid("UserName", "is not 1 to 64 of letters, digits and @_-.")
        if self.directory.roll.named(name) or (email and self.directory.roll.has_email(email)):
            raise ApiError(409, "EntityAlreadyExists.User", "The user name or e-mail address is taken.")
        if len(self.directory.roll.numbers) >= self.quota:
            raise ApiError(400, "LimitExceeded.User", "The directory has as many users as it may have.")

    def _update_status(self, call: Call) -> Json:
        user_id = required(call, "UserId")
        required(call, "NewStatus")
        status = choice(call, "NewStatus", _STATUSES)
        self.directory.check(call)
        user = self.directory.user(user_id)
        now = self.directory.clock.now()
        self.directory.keep_user(msgspec.structs.replace(user, status=status, update_time=now))
        return {}

    def _delete(self, call: Call) -> Json:
        """Delete a user. "Manage users": one that SCIM keeps is not deleted here; how that is refused is a guess."""
        user_id = required(call, "UserId")
        self.directory.check(call)
        user = self.directory.user(user_id)
        if user.provision_type == "Synchronized":
            raise ApiError(400, "OperationDenied.SynchronizedUser", "The user is synchronized by SCIM.")
        self.directory.remove_user(user)
        return {}

    def _list_group_members(self, call: Call) -> Json:
        group_id = required(call, "GroupId")
        self.directory.check(call)
        members = self.directory.group(group_id).members
        part, paging = page_of(range(len(members)), call)
        return {"GroupMembers": [self._member_shown(group_id, members[place]) for place in part], **paging}

    def _member_shown(self, group_id: str, member: Member) -> Json:
        user = user_shown(self.directory.user(member.user_id))
        names = ("UserId", "UserName", "DisplayName", "Email", "Description", "Status", "ProvisionType")
        fields = {name: user[name] for name in names if name in user}
        return {**fields, "JoinTime": shown(member.join_time), "GroupId": group_id}

    def _tag(self, call: Call) -> Json:
        tags = pairs(call, "Tag")
        if not tags:
            refuse_missing("Tag.1.Key")
        return self._retag(call, lambda old: {**old, **tags})

    def _untag(self, call: Call) -> Json:
        keys, everything = repeated(call, "TagKey"), flag(call, "All")
        if not (keys or everything):
            refuse_missing("TagKey.1")
        return self._retag(call, lambda old: {} if everything else {k: v for k, v in old.items() if k not in keys})

    def _retag(self, call: Call, change: Callable[[dict[str, str]], dict[str, str]]) -> Json:
        """Change tags of users; known from Terraform only, which sends ResourceType `user` and one ResourceId."""
        required(call, "ResourceType")
        choice(call, "ResourceType", ("user",))
        required(call, "ResourceId.1")
        self.directory.check(call)
        for user in [self.directory.user(user_id) for user_id in repeated(call, "ResourceId")]:
            self.directory.keep_user(msgspec.structs.replace(user, tags=change(user.tags)))
        return {}


@dataclass(frozen=True)
class Question:
    """What ListUsers was asked; two equal questions have one answer."""

    operator: str = ""
    name: str = ""
    status: str | None = None
    provision_type: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def asked(cls, call: Call) -> Question:
        """Read the question from ListUsers' parameters."""
        return cls(
            *_name_filter(call),
            choice(call, "Status", _STATUSES),
            choice(call, "ProvisionType", _PROVISION_TYPES),
            tuple(sorted(pairs(call, "Tags").items())),
        )

    def wants(self, user: User) -> bool:
        """Tell whether a user belongs to the answer."""
        return (
            self._names(user.user_name.casefold())
            and self.status in (None, user.status)
            and self.provision_type in (None, user.provision_type)
            and all(user.tags.get(key) == value for key, value in self.tags)
        )

    def _names(self, name: str) -> bool:
        return name == self.name if self.operator == "eq" else name.startswith(self.name)


def user_shown(user: User) -> Json:
    """Write a user as GetUser does; what was never given is left out."""
    always = {
        "UserId": user.user_id,
        "UserName": user.user_name,
        "Status": user.status,
        "ProvisionType": user.provision_type,
        "CreateTime": shown(user.create_time),
        "UpdateTime": shown(user.update_time),
    }
    given = {
        "DisplayName": user.display_name,
        "FirstName": user.first_name,
        "LastName": user.last_name,
        "Email": user.email,
        "Description": user.description,
        "ExternalId": {"Id": user.external_id, "Issuer": "SCIM"} if user.external_id else None,
        "Tags": [{"Key": key, "Value": value} for key, value in user.tags.items()],
    }
    return {**always, **{name: value for name, value in given.items() if value}}


def _name_filter(call: Call) -> tuple[str, str]:
    text = optional(call, "Filter")
    if text is None:
        return "", ""
    parsed = _FILTER.fullmatch(text)
    if parsed is None:
        refuse_invalid("Filter", "is not `UserName eq <value>` or `UserName sw <value>`")
    return parsed[1].lower(), parsed[2].casefold()


def _profile(call: Call) -> Json:
    return {
        "display_name": bounded(call, "DisplayName", 256),
        "first_name": bounded(call, "FirstName", 64),
        "last_name": bounded(call, "LastName", 64),
        "email": bounded(call, "Email", 128),
        "description": bounded(call, "Description", 1024),
        "status": choice(call, "Status", _STATUSES) or "Enabled",
        "tags": pairs(call, "Tags"),
    }
