"""The calls that a rotation consists of, and nothing else: the same parameters, through the same clients, made once."""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime, timezone
from typing import Any

from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_cloudsso20210515.client import Client as CloudSso
from alibabacloud_kms20160120 import models as kms
from alibabacloud_kms20160120.client import Client as Kms
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

_OPTIONS = RuntimeOptions()


def handler(event: bytes, context: Any) -> str:  # noqa: ANN401 - the runtime's own
    """Make the calls of a later rotation of `UserName`, whose secret has the versions of those before."""
    asked, directory = json.loads(event), os.environ["CLOUDSSO_DIRECTORY_ID"]
    directories, secrets = _clients(context)
    find = sso.ListUsersRequest(directory_id=directory, filter=f"UserName eq {asked['UserName']}", max_results=100)
    user = directories.list_users_with_options(find, _OPTIONS).body.users[0]
    identity = {"UserName": user.user_name, "DirectoryId": directory, "UserId": user.user_id}
    secret = f"cloudsso/{directory}/{user.user_name}"
    look = kms.ListSecretVersionIdsRequest(secret_name=secret, include_deprecated="true", page_number=1, page_size=20)
    listed = secrets.list_secret_version_ids_with_options(look, _OPTIONS).body.version_ids.version_id
    rotation = 1 + sum("-" not in version.version_id for version in listed)
    claim = kms.PutSecretValueRequest(
        secret_name=secret,
        version_id=f"r{rotation}-c1",
        version_stages='["Rotating"]',
        secret_data=json.dumps({"Claim": {**identity, "Owner": uuid.uuid4().hex}}),
    )
    secrets.put_secret_value_with_options(claim, _OPTIONS)
    reset = sso.ResetUserPasswordRequest(
        directory_id=directory,
        user_id=user.user_id,
        generate_random_password=True,
        require_password_reset_for_next_login=False,
    )
    password = directories.reset_user_password_with_options(reset, _OPTIONS).body.new_password
    published = kms.PutSecretValueRequest(
        secret_name=secret, version_id=f"r{rotation}", secret_data=json.dumps({**identity, "Password": password})
    )
    secrets.put_secret_value_with_options(published, _OPTIONS)
    rotated = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    tags = {"ManagedBy": "cloudsso-rotator", "DirectoryId": directory, "UserId": user.user_id, "RotatedAt": rotated}
    tag = kms.TagResourceRequest(
        secret_name=secret, tags=json.dumps([{"TagKey": key, "TagValue": value} for key, value in tags.items()])
    )
    secrets.tag_resource_with_options(tag, _OPTIONS)
    return "rotated"


_made: list[tuple[CloudSso, Kms]] = []


def _clients(context: Any) -> tuple[CloudSso, Kms]:  # noqa: ANN401 - the runtime's own
    """Return the clients that the first event made, with its credentials: they are valid for long enough."""
    if not _made:
        who = context.credentials
        key = (who.access_key_id, who.access_key_secret, who.security_token)
        _made.append((CloudSso(_config("CLOUDSSO", key)), Kms(_config("KMS", key))))
    return _made[0]


def _config(service: str, key: tuple[str, str, str]) -> Config:
    protocol, _, endpoint = os.environ[f"{service}_ENDPOINT"].partition("://")
    return Config(*key, protocol=protocol, endpoint=endpoint, region_id=os.environ[f"{service}_REGION"])
