"""An operator's hands: what the doctor writes, done as it is written, on a loopback cloud.

`s` invokes and deploys the functions of this process; `aliyun` sends the call by the SDK's generic client, with the
administrator's key, and the parameters as they stand there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from tests.wire.surveys import Surveys

VERSIONS = {"cloudsso": "2021-05-15", "kms": "2016-01-20"}


class Hands:
    """Types commands."""

    def __init__(self, surveys: Surveys) -> None:
        self._surveys = surveys
        self._exported: dict[str, str] = {}

    def type(self, lines: Iterable[str]) -> None:
        """Type one line after the other."""
        for line in lines:
            words = shlex.split(line, comments=True)
            match words:
                case ["s", "reset_password", "invoke", "--event", event]:
                    self._surveys.invoke(json.loads(event))
                case ["s", "rotation_status", "invoke", "--event", event]:
                    self._surveys.show(**json.loads(event))
                case ["s", "scan_expiring", "invoke", "--event", '{"DryRun": true}'] | ["s", _, "logs", "--search", _]:
                    pass  # what it prints is for people
                case ["s", "deploy", "-y"]:
                    self._surveys.restart(**self._exported)
                case ["export", *pairs]:
                    self._exported |= dict(pair.split("=", 1) for pair in pairs)
                case ["aliyun", product, action, *options]:
                    self._call(product, action, dict(zip(options[::2], options[1::2], strict=True)))
                case _:
                    raise AssertionError(f"nobody can type {line!r}")

    def _call(self, product: str, action: str, options: dict[str, str]) -> None:
        assert all(name.startswith("--") for name in options)
        parameters = {name.removeprefix("--"): value for name, value in options.items()}
        admin, cloud = self._surveys.cloud.admin, self._surveys.cloud
        client: Any = Client(
            Config(
                endpoint=cloud.endpoint,
                protocol="HTTP",
                region_id=parameters.pop("RegionId"),
                access_key_id=admin.access_key_id,
                access_key_secret=admin.access_key_secret,
                security_token=admin.security_token,
            )
        )
        how = Params(
            action=action,
            version=VERSIONS[product],
            protocol="HTTP",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        client.call_api(how, OpenApiRequest(query=parameters), RuntimeOptions())
