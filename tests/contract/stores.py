"""The SecretStore port in both its worlds: what a test may do to each of them, and look at, from outside the port."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Protocol

from alibabacloud_kms20160120 import models as kms

from shared import connections, openapi
from shared.errors import SecretInDeletion, SecretStoreDenied, SecretStoreUnavailable
from shared.kms import KmsSecretStore
from shared.model import DirectoryId, Endpoint, SecretName, SecretValue, VersionId
from shared.openapi import Signer
from shared.ports import SecretStore
from tests.contract.directories import credentials_of
from tests.deployment import CloudClock, Deployment, policy
from tests.fakes import DIRECTORY, FakeClock, FakeStore, Faults
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import KMS_REGION

ACTIONS = {
    "versions": "ListSecretVersionIds",
    "create": "CreateSecret",
    "put": "PutSecretValue",
    "release": "UpdateSecretVersionStage",
    "tag": "TagResource",
    "tags": "DescribeSecret",
    "managed": "ListSecrets",
}
# What the role of the function that rotates may not, and that of the function that scans may.
LISTING = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:ListSecrets", "Resource": "*"}]}


class StoreWorld(Protocol):
    """A store, and the hands and eyes of its administrator."""

    directory_id: DirectoryId

    @property
    def store(self) -> SecretStore:
        """The port."""

    def now(self) -> datetime:
        """Return the present instant by the clock that the port goes by."""

    def secret(self, name: str) -> SecretName:
        """Return a secret's name that the port may use."""

    def value(self, secret: SecretName, version: VersionId) -> SecretValue | None:
        """Return what a version holds; None if there is no such version."""

    def lose_answer(self, method: str) -> None:
        """Let the next call of a method be carried out and its answer be lost for good."""

    def shut_down(self, method: str) -> None:
        """Let the next call of a method be refused because the service has no time for it."""

    def deny(self, method: str) -> None:
        """Let the next call of a method be refused because the caller may not."""

    def schedule_deletion(self, secret: SecretName, method: str) -> None:
        """Schedule a secret for deletion, before the next call of a method."""

    def crowd(self, count: int) -> None:
        """Create very many secrets of this program's."""

    def untag(self, secret: SecretName, key: str) -> None:
        """Take a tag off a secret."""


class FakeStoreWorld:
    """The fake, which the protocol's tests trust."""

    directory_id = DIRECTORY

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._faults = Faults()
        self._fake = FakeStore(self._clock.now, self._faults)

    @property
    def store(self) -> SecretStore:
        return self._fake

    def now(self) -> datetime:
        return self._clock.now()

    def secret(self, name: str) -> SecretName:
        return SecretName(f"cloudsso/{name}")

    def value(self, secret: SecretName, version: VersionId) -> SecretValue | None:
        return next((stored.value for stored in self._fake.secrets[secret] if stored.id == version), None)

    def lose_answer(self, method: str) -> None:
        self._faults.lose.add(self._next(method))

    def shut_down(self, method: str) -> None:
        self._faults.refuse[self._next(method)] = SecretStoreUnavailable("throttled")

    def deny(self, method: str) -> None:
        self._faults.refuse[self._next(method)] = SecretStoreDenied("no permission")

    def schedule_deletion(self, secret: SecretName, method: str) -> None:
        self._faults.refuse[self._next(method)] = SecretInDeletion("scheduled")
        self._fake.leaving.add(secret)

    def crowd(self, count: int) -> None:
        for number in range(count):
            self._fake.keep(self.secret(f"crowd{number:06}"), self.directory_id, None)

    def untag(self, secret: SecretName, key: str) -> None:
        del self._fake.tagged[secret][key]

    def _next(self, method: str) -> tuple[str, int]:
        return method, self._faults.calls[method] + 1


class CloudStoreWorld:
    """The adapter on the loopback cloud, with the function's credentials and so with its permissions."""

    def __init__(self, deployed: Deployment) -> None:
        self._deployed = deployed
        self._clock = CloudClock(deployed.cloud)
        self.directory_id = DirectoryId(deployed.directory_id)
        endpoint = Endpoint(deployed.cloud.endpoint, "HTTP")
        deployed.become(policy(deployed.directory_id), LISTING)
        self._store = KmsSecretStore(KMS_REGION, endpoint, Signer(credentials_of(deployed.credentials)), self._clock)

    @property
    def store(self) -> SecretStore:
        return self._store

    def now(self) -> datetime:
        return self._clock.now()

    def secret(self, name: str) -> SecretName:
        return SecretName(self._deployed.secret_name(name))

    def value(self, secret: SecretName, version: VersionId) -> SecretValue | None:
        client = self._deployed._kms
        listed = kms.ListSecretVersionIdsRequest(secret_name=secret, include_deprecated="true", page_size=100)
        ids = {one.version_id for one in client.list_secret_version_ids(listed).body.version_ids.version_id}
        if version not in ids:
            return None
        asked = kms.GetSecretValueRequest(secret_name=secret, version_id=version)
        return SecretValue(client.get_secret_value(asked).body.secret_data)

    def lose_answer(self, method: str) -> None:
        # So late that it is not tried again.
        cloud = self._deployed.cloud
        cloud.faults.arm(Fault(ACTIONS[method], "drop-after"))
        cloud.faults.after(ACTIONS[method], lambda: cloud.clock.shift(connections.UNHURRIED.total_seconds()))

    def shut_down(self, method: str) -> None:
        self._deployed.cloud.faults.arm(Fault(ACTIONS[method], "throttle", count=openapi.TRIES, retry_after_ms=1))

    def deny(self, method: str) -> None:
        fault = Fault(ACTIONS[method], "error", status=403, code="Forbidden.NoPermission")
        self._deployed.cloud.faults.arm(fault)

    def schedule_deletion(self, secret: SecretName, method: str) -> None:
        self._deployed._kms.delete_secret(kms.DeleteSecretRequest(secret_name=secret))

    def crowd(self, count: int) -> None:
        tags = {"ManagedBy": "cloudsso-rotator", "DirectoryId": self.directory_id}
        self._deployed.cloud.kms.seed_secrets(count, self.secret("crowd"), tags=lambda _position: tags)

    def untag(self, secret: SecretName, key: str) -> None:
        self._deployed._kms.untag_resource(kms.UntagResourceRequest(secret_name=secret, tag_keys=json.dumps([key])))
