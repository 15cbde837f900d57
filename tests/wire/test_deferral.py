"""With the SDKs imported as the functions import them, everything else that they can do is still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.localcloud.server import KMS_REGION, LocalCloud

ROOT = Path(__file__).parents[2]
ASYNCHRONOUS = """
import sys
from shared import deferral

with deferral.active():
    from alibabacloud_kms20160120 import models
    from alibabacloud_kms20160120.client import Client
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.runtime import RuntimeOptions

late = {"aiohttp", "asyncio", "alibabacloud_credentials.client"}
assert not late & sys.modules.keys()
endpoint, region, key, secret, token = sys.argv[1:]
who = {"access_key_id": key, "access_key_secret": secret, "security_token": token}
config = Config(**who, region_id=region, endpoint=endpoint, protocol="HTTP")
client = Client(config)  # which makes a client of the credentials package

import asyncio

async def main():
    made = models.CreateSecretRequest(secret_name="made-later", version_id="v1", secret_data="x")
    await client.create_secret_with_options_async(made, RuntimeOptions())
    put = models.PutSecretValueRequest(secret_name="made-later", version_id="v2", secret_data="y")
    answer = await client.put_secret_value_with_options_async(put, RuntimeOptions())
    print(answer.body.version_id)

asyncio.run(main())
assert late <= sys.modules.keys()
"""


def test_the_asynchronous_calls_work_once_somebody_makes_them() -> None:
    with LocalCloud() as cloud:
        who = cloud.admin
        key = (who.access_key_id, who.access_key_secret, who.security_token or "")
        run = [sys.executable, "-c", ASYNCHRONOUS, cloud.endpoint, KMS_REGION, *key]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this file's own
    assert (done.returncode, done.stdout) == (0, "v2\n"), done.stderr
