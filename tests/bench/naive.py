"""What one would write instead: two clients, a reset, a put. It loses the password if either answer gets lost."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_cloudsso20210515.client import Client as CloudSso
from alibabacloud_kms20160120 import models as kms
from alibabacloud_kms20160120.client import Client as Kms
from alibabacloud_tea_openapi.utils_models import Config


def handler(event: bytes, context: Any) -> str:  # noqa: ANN401 - the runtime's own
    """Rotate the password of `UserId` into `SecretName`."""
    asked, directory = json.loads(event), os.environ["CLOUDSSO_DIRECTORY_ID"]
    directories, secrets = CloudSso(_config("CLOUDSSO", context)), Kms(_config("KMS", context))
    reset = sso.ResetUserPasswordRequest(directory_id=directory, user_id=asked["UserId"], generate_random_password=True)
    value = {"Password": directories.reset_user_password(reset).body.new_password}
    secrets.put_secret_value(
        kms.PutSecretValueRequest(
            secret_name=asked["SecretName"], version_id=str(uuid.uuid4()), secret_data=json.dumps(value)
        )
    )
    return "rotated"


def _config(service: str, context: Any) -> Config:  # noqa: ANN401 - the runtime's own
    protocol, _, endpoint = os.environ[f"{service}_ENDPOINT"].partition("://")
    who, region = context.credentials, os.environ[f"{service}_REGION"]
    key = (who.access_key_id, who.access_key_secret, who.security_token)
    return Config(*key, protocol=protocol, endpoint=endpoint, region_id=region)
