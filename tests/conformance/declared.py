"""What each action of the loopback cloud's CloudSSO and KMS reads and answers, found out by calling it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.localcloud.api import Clock, Json, Service
from tests.localcloud.cloudsso.service import CloudSSO
from tests.localcloud.kms.service import Kms
from tests.localcloud.state import MemoryStore
from tests.localcloud.switches import Switches
from tests.loopback.directly import call_of

CLOUD = Path(__file__).parents[1] / "localcloud"

# A good value for whatever is read, so that everything is; names that are not here are absent, and noted all the same.
_VALUES = {
    "All": "true",
    "BindingType": "Post",
    "Filter": "UserName eq alice",
    "Filters": "[]",
    "MaxLoginAttempts": "5",
    "MaxPasswordAge": "90",
    "MaxResults": "10",
    "MinPasswordDifferentChars": "3",
    "MinPasswordLength": "8",
    "MoveToVersion": "v1",
    "NewStatus": "Enabled",
    "Password": "Aa1$good-enough",
    "PasswordReusePrevention": "1",
    "RegionId": "cn-hangzhou",
    "RemoveFromVersion": "v1",
    "SecretData": "data",
    "SecretName": "s",
    "Tag.1.Key": "key",
    "TagKey.1": "key",
    "TagKeys": '["key"]',
    "Tags": '[{"TagKey": "key", "TagValue": "value"}]',
    "Tags.1.Key": "key",
    "UserName": "alice2",
    "VersionId": "v1",
    "VersionStage": "ACSCurrent",
}
_OTHERWISE = {
    "CreateSecret": {"SecretName": "new"},
    "PutSecretValue": {"VersionId": "v2", "VersionStages": '["Stage"]'},
    "RestoreSecret": {"SecretName": "leaving"},
}


class Read(Mapping[str, str]):
    """Parameters that note which of them are asked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.names: set[str] = set()
        self._given = dict(given)

    def __getitem__(self, name: str) -> str:
        self.names.add(re.sub(r"\.[0-9]+", ".N", name))
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


@dataclass(frozen=True)
class Declared:
    """One action, as it was found."""

    product: str
    version: str
    action: str
    reads: frozenset[str]  # numbered parameters with an N
    answer: Json


def everything() -> list[Declared]:
    """Call every action, each on a fresh service."""
    return [
        _called(product, action, *make())
        for product, make in (("CloudSSO", _cloudsso), ("KMS", _kms))
        for action in sorted(make()[0].actions)
    ]


def names_in_the_source() -> set[str]:
    """Return every parameter's name that the sources of both services hand to the functions that read parameters."""
    files = [*CLOUD.glob("cloudsso/*.py"), *CLOUD.glob("kms/*.py"), CLOUD / "paging.py"]
    return {name for file in files for name in _names(ast.parse(file.read_text(encoding="utf-8")))}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Name(id="call"), ast.Constant(value=str(name)), *_]) if name.isidentifier():
                yield name


def _called(product: str, action: str, service: Service, given: Mapping[str, str]) -> Declared:
    read = Read({**_VALUES, **given, **_OTHERWISE.get(action, {})})
    answer = service.actions[action].handle(replace(call_of(action, {}), params=read))
    return Declared(product, service.version, action, frozenset(read.names), answer)


def _cloudsso() -> tuple[Service, dict[str, str]]:
    service = CloudSSO(Clock(), Switches, MemoryStore())
    user_id, group_id = service.add_user("alice", tags={"key": ""}), service.create_group("group")
    service.add_user_to_group(user_id, group_id)
    where = {"DirectoryId": service.directory_id, "UserId": user_id, "GroupId": group_id}
    return service, {**where, "ResourceType": "user", "ResourceId.1": user_id}


def _kms() -> tuple[Service, dict[str, str]]:
    service = Kms(Clock(), Switches, MemoryStore())
    for name in ("s", "leaving"):
        first = {"SecretName": name, "VersionId": "v1", "SecretData": "data"}
        service.actions["CreateSecret"].handle(call_of("CreateSecret", first))
    service.actions["DeleteSecret"].handle(call_of("DeleteSecret", {"SecretName": "leaving"}))
    return service, {"ResourceType": "secret", "ResourceId.1": "s"}
