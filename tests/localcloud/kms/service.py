"""KMS Secrets Manager, API 2016-01-20: the secrets of one account and region, as a service of the loopback cloud.

The calls are in `lifecycle`, `values` and `tags`; here they become one service that does one thing at a
time, with the RAM resources of "Use RAM to control access to KMS". The wire adds each answer's RequestId.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from tests.localcloud.api import Action, Call, Clock, Handler, Json, Store
from tests.localcloud.kms import names
from tests.localcloud.kms.lifecycle import LifecycleCalls
from tests.localcloud.kms.secrets import Secret, Shelf
from tests.localcloud.kms.tags import TagCalls
from tests.localcloud.kms.values import ValueCalls
from tests.localcloud.kms.versions import Version, Versions
from tests.localcloud.parameters import repeated
from tests.localcloud.switches import Switches


class Kms:
    """The service, and the eyes of a test."""

    code = "kms"
    version = "2016-01-20"

    def __init__(  # noqa: PLR0913 - three things it needs, and what a test may want to be different
        self,
        clock: Clock,
        switches: Callable[[], Switches],
        store: Store,
        *,
        quota: int | None = None,
        known_keys: Collection[str] | None = None,
        known_instances: Collection[str] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._shelf = Shelf(clock, switches, store)
        self.actions = self._actions(LifecycleCalls(self._shelf, quota, known_keys, known_instances))

    def secret_names(self) -> list[str]:
        """Return the names of all secrets, the oldest first."""
        with self._lock:
            self._shelf.sweep()
            return [secret.name for secret in self._shelf.in_order()]

    def versions(self, name: str) -> tuple[Version, ...]:
        """Return the versions of a secret with their data, the oldest first; their repr shows no data."""
        with self._lock:
            self._shelf.sweep()
            return self._shelf.get(name).versions.kept

    def seed_secrets(  # noqa: PLR0913 - what a test may want to be so and not otherwise
        self,
        count: int,
        prefix: str = "secret",
        data: str = "seeded",
        tags: Callable[[int], dict[str, str]] = lambda _position: {},
        *,
        versions: Sequence[str] = ("v1",),
        made: Callable[[int], datetime] | None = None,
    ) -> None:
        """Create `secret000000`, `secret000001` and so on, each with these versions, the last of which is current.

        `made` is when a secret and its versions were made; by default, now.
        """
        with self._lock:
            for position in range(count):
                number = self._shelf.next_number()
                now = made(position) if made else self._shelf.clock.now()
                kept = Versions()
                for version in versions:
                    stages = ("ACSCurrent",) if version == versions[-1] else ()
                    kept = kept.append(Version(version, data, "text", now, stages))
                name = f"{prefix}{position:06}"
                self._shelf.keep(Secret(number, name, now, now, tags=tags(position), versions=kept))

    def _actions(self, lifecycle: LifecycleCalls) -> dict[str, Action]:
        handlers = {
            **lifecycle.handlers(),
            **ValueCalls(self._shelf).handlers(),
            **TagCalls(self._shelf).handlers(),
        }
        return {name: self._action(name, handle) for name, handle in handlers.items()}

    def _action(self, name: str, handle: Handler) -> Action:
        resources = _RESOURCES.get(name, _secret)
        return Action(self._alone(handle), resources, lambda call: self._also(name, call))

    def _alone(self, handle: Handler) -> Handler:
        """Do one call at a time, after what was due has been deleted."""

        def alone(call: Call) -> Json:
            with self._lock:
                self._shelf.sweep()
                return handle(call)

        return alone

    def _also(self, name: str, call: Call) -> list[tuple[str, str]]:
        """Return the further permissions: on a user-managed key, and on each further resource."""
        others = repeated(call, "ResourceId")[1:]
        further = [(f"kms:{name}", names.secret_arn(call, other)) for other in others]
        if name in _KEY_ACTIONS and (key_id := self._key_id(name, call)):
            further.append((_KEY_ACTIONS[name], _key_arn(call, key_id)))
        return further

    def _key_id(self, name: str, call: Call) -> str:
        if name == "CreateSecret":
            return call.params.get("EncryptionKeyId", "")
        secret = self._shelf.find(names.name_in(call.params.get("SecretName", "")))
        return secret.key_id if secret else ""


def _key_arn(call: Call, key_id: str) -> str:
    return f"acs:kms:{call.region}:{call.account_id}:key/{key_id}"


def _container(call: Call) -> list[str]:
    """Return the container in both spellings: the RAM page's and the one of the official samples."""
    container = f"acs:kms:{call.region}:{call.account_id}:secret"
    return [container, f"{container}/*"]


def _created(call: Call) -> list[str]:
    """Return the container, and the new secret: a system policy, that of ALB's service-linked role, grants by name."""
    return [*_container(call), *_secret(call)]


def _secret(call: Call) -> list[str]:
    return [names.secret_arn(call, call.params.get("SecretName", ""))]


def _tagged(call: Call) -> list[str]:
    """Return the secret or the key that TagResource is about."""
    if key_id := call.params.get("KeyId"):
        return [_key_arn(call, key_id)]
    return _secret(call)


def _first_resource(call: Call) -> list[str]:
    ids = repeated(call, "ResourceId")
    return [names.secret_arn(call, ids[0])] if ids else _container(call)


_KEY_ACTIONS = {
    "CreateSecret": "kms:GenerateDataKey",
    "PutSecretValue": "kms:GenerateDataKey",
    "GetSecretValue": "kms:Decrypt",
}
_RESOURCES: dict[str, Callable[[Call], list[str]]] = {
    "CreateSecret": _created,
    "ListSecrets": _container,
    "TagResource": _tagged,
    "UntagResource": _tagged,
    "TagResources": _first_resource,
    "UntagResources": _first_resource,
    "ListTagResources": _first_resource,
}
