"""The naive script's peer on another cloud: boto3 with two clients, a new password, a put."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from typing import Any

import boto3  # type: ignore[import-not-found]  # it is in a folder of its own only


def handler(event: bytes, context: Any) -> str:  # noqa: ANN401 - the runtime's own
    """Set the password of `UserName` and put it into `SecretName`."""
    asked, who = json.loads(event), context.credentials
    given = {
        "endpoint_url": os.environ["PEER_ENDPOINT"],
        "region_name": "us-east-1",
        "aws_access_key_id": who.access_key_id,
        "aws_secret_access_key": who.access_key_secret,
        "aws_session_token": who.security_token,
    }
    users, store = boto3.client("iam", **given), boto3.client("secretsmanager", **given)
    password = secrets.token_urlsafe(24)
    users.update_login_profile(UserName=asked["UserName"], Password=password)
    value = json.dumps({"Password": password})
    store.put_secret_value(SecretId=asked["SecretName"], ClientRequestToken=str(uuid.uuid4()), SecretString=value)
    return "rotated"
