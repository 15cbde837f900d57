"""The project's own function, deployed from this repository, rotates passwords as a process of its own."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from alibabacloud_fc20230330 import models as fc_models
from alibabacloud_fc20230330.client import Client as FcClient
from darabonba.runtime import RuntimeOptions

from tests import deployment
from tests.deployment import Deployment
from tests.localcloud.fc.backend import AsyncConfig, Result, Target
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import ACCOUNT_ID, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.loopback import clients
from tests.loopback.workshop import BOUND
from tests.package import for_this_interpreter

TARGET = Target("cloudsso-rotator-reset-password")
LEASE = timedelta(seconds=100)
RUNTIMES = pytest.mark.parametrize("runtime", ["python3.10", "python3.12"])


class Rotator:
    """The deployed function, and somebody who looks at what it did."""

    def __init__(self, cloud: LocalCloud, runtime: str = "python3.10", **settings: Any) -> None:  # noqa: ANN401 - FunctionSpec's
        self.cloud = cloud
        self.seen = Deployment(cloud)
        cloud.fc.add_role("cloudsso-rotator-reset-password", deployment.policy(self.seen.directory_id))
        spec = FunctionSpec(
            name=TARGET.function,
            code=for_this_interpreter(),
            handler="functions/reset_password/index.handler",
            runtime=runtime,
            initializer="functions/reset_password/index.initialize",
            initializer_timeout=30,
            timeout=280,
            role=f"acs:ram::{ACCOUNT_ID}:role/cloudsso-rotator-reset-password",
            environment={
                "PYTHONPATH": "/code/python",
                "CLOUDSSO_DIRECTORY_ID": self.seen.directory_id,
                "CLOUDSSO_REGION": DIRECTORY_REGION,
                "CLOUDSSO_ENDPOINT": f"http://{cloud.endpoint}",
                "KMS_REGION": KMS_REGION,
                "KMS_ENDPOINT": f"http://{cloud.endpoint}",
            },
            asynchronous=AsyncConfig(max_retry_attempts=3, max_event_age=86400),
        )
        cloud.fc.deploy(FunctionSpec(**{**vars(spec), **settings}))

    def invoke(self, event: dict[str, Any]) -> Result:
        return self.cloud.fc.invoke(TARGET, json.dumps(event).encode())

    def rotated(self, result: Result) -> str:
        """Return the version that a rotation of one user published."""
        assert result.error_type is None, result.payload
        (outcome,) = json.loads(result.payload)["Outcomes"]
        assert outcome["Outcome"] == "rotated"
        return str(outcome["VersionId"])


@RUNTIMES
def test_a_lost_answer_costs_a_lease_of_the_clouds_time_only(skipping: LocalCloud, runtime: str) -> None:
    rotator = Rotator(skipping, runtime)
    rotator.seen.add_user("alice", "Old-Secret-01!")
    skipping.faults.arm(Fault("ResetUserPassword", "drop-after", where={"UserId": rotator.seen.user_ids["alice"]}))
    began = skipping.clock.now()
    assert rotator.rotated(rotator.invoke({"UserName": "alice"})) == "r1"
    assert LEASE - timedelta(seconds=5) < skipping.clock.now() - began < LEASE + timedelta(seconds=BOUND)
    assert rotator.seen.current_signs_in("alice") == "ok"


def test_the_official_sdk_invokes_it(skipping: LocalCloud) -> None:
    rotator = Rotator(skipping)
    rotator.seen.add_user("alice", "Old-Secret-01!")
    skipping.faults.arm(Fault("ResetUserPassword", "drop-after"))  # the lease is waited out behind the SDK's back
    answer = FcClient(clients.config(skipping, FC_REGION)).invoke_function_with_options(
        TARGET.function,
        fc_models.InvokeFunctionRequest(body=b'{"UserName": "alice"}'),
        fc_models.InvokeFunctionHeaders(),
        RuntimeOptions(read_timeout=int(BOUND * 1000)),
    )
    assert "x-fc-error-type" not in answer.headers
    (outcome,) = json.loads(answer.body.read())["Outcomes"]
    assert outcome["Outcome"] == "rotated"
    assert rotator.seen.current_signs_in("alice") == "ok"


def test_a_bad_setting_fails_every_invocation_and_names_it(skipping: LocalCloud) -> None:
    rotator = Rotator(skipping, environment={"PYTHONPATH": "/code/python"})
    result = rotator.invoke({"UserName": "alice"})
    assert result.error_type == "UnhandledInvocationError"
    assert json.loads(result.payload)["errorType"] == "SettingsError"
    assert b"CLOUDSSO_DIRECTORY_ID" in result.payload
