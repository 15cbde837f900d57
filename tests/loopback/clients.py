"""The official SDKs, unmodified, pointed at a loopback cloud; and plain HTTP for what the SDKs would not send."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alibabacloud_cloudsso20210515.client import Client as CloudSSOClient
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import RuntimeOptions

from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import DIRECTORY_REGION, KMS_REGION, LocalCloud

QUICK = RuntimeOptions(connect_timeout=1000, read_timeout=200)


def config(cloud: LocalCloud, region: str, credentials: Credentials | None = None, **more: object) -> Config:
    """Return an SDK configuration for a cloud, as its admin by default."""
    who = credentials or cloud.admin
    settings = {
        "endpoint": cloud.endpoint,
        "protocol": "HTTP",
        "region_id": region,
        "access_key_id": who.access_key_id,
        "access_key_secret": who.access_key_secret,
        "security_token": who.security_token,
    }
    return Config(**(settings | more))


def kms(cloud: LocalCloud, credentials: Credentials | None = None, **more: object) -> KmsClient:
    """Return the official KMS client."""
    return KmsClient(config(cloud, KMS_REGION, credentials, **more))


def cloudsso(cloud: LocalCloud, credentials: Credentials | None = None, **more: object) -> CloudSSOClient:
    """Return the official CloudSSO client."""
    return CloudSSOClient(config(cloud, DIRECTORY_REGION, credentials, **more))


def create_secret(
    client: KmsClient, name: str = "s", data: str = "first", version: str = "v1"
) -> kms_models.CreateSecretResponseBody:
    """Create a secret with one version."""
    return client.create_secret(
        kms_models.CreateSecretRequest(secret_name=name, version_id=version, secret_data=data)
    ).body


def put(client: KmsClient, version: str, data: str, name: str = "s") -> kms_models.PutSecretValueResponseBody:
    """Put a version; at most 200 ms are waited for the answer."""
    request = kms_models.PutSecretValueRequest(secret_name=name, version_id=version, secret_data=data)
    return client.put_secret_value_with_options(request, QUICK).body


def current(client: KmsClient, name: str = "s") -> str:
    """Return the data of ACSCurrent."""
    data = client.get_secret_value(kms_models.GetSecretValueRequest(secret_name=name)).body.secret_data
    assert isinstance(data, str)
    return data


@dataclass(frozen=True)
class Reply:
    """What plain HTTP gave back."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The error code."""
        return str(self.body["Code"])


def send(  # noqa: PLR0913 - the parts of an HTTP request
    cloud: LocalCloud,
    target: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    endpoint: str | None = None,
) -> Reply:
    """Send one plain HTTP request and read the JSON that comes back."""
    connection = http.client.HTTPConnection(endpoint or cloud.endpoint, timeout=5)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, json.loads(response.read()))
    finally:
        connection.close()
