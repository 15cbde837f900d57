from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_cloudsso20210515 import models as sso_models
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from darabonba.exceptions import UnretryableException

from tests.localcloud.gateway.effects import EFFECTS
from tests.localcloud.gateway.exchange import Exchange
from tests.localcloud.gateway.faults import KINDS, Fault
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.server import CloudDefectError, LocalCloud
from tests.loopback import clients

if TYPE_CHECKING:
    from alibabacloud_kms20160120.client import Client as KmsClient

SOON = 5.0  # seconds that a test waits for what comes at once, at most


@pytest.fixture
def client(cloud: LocalCloud) -> KmsClient:
    """Return an SDK client of a cloud with one secret."""
    made = clients.kms(cloud)
    clients.create_secret(made)
    return made


def put_raises(client: KmsClient, kind: type[Exception] = UnretryableException) -> ClientException:
    """Put a version, and return what the SDK raises."""
    with pytest.raises(kind) as caught:
        clients.put(client, "v2", "second")
    return caught.value


def test_kms_throttles_with_its_own_code(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle"))
    error = put_raises(client, ClientException)
    assert (error.status_code, error.code) == (429, "Rejected.Throttling")
    assert clients.current(client) == "first"


def test_cloudsso_throttles_with_its_own_code(cloud: LocalCloud) -> None:
    cloud.faults.arm(Fault("GetServiceStatus", "throttle", status=400))
    with pytest.raises(ClientException) as caught:
        clients.cloudsso(cloud).get_service_status()
    assert (caught.value.status_code, caught.value.code) == (400, "Throttling.User")


def test_throttling_can_say_when_to_come_back(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=1500))
    assert put_raises(client, ThrottlingException).retry_after == 1500


@pytest.mark.parametrize(("status", "kind"), [(403, ClientException), (503, ServerException)])
def test_any_error_can_be_asked_for(cloud: LocalCloud, client: KmsClient, status: int, kind: type[Exception]) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "error", status=status, code="Some.Code"))
    error = put_raises(client, kind)
    assert (error.status_code, error.code) == (status, "Some.Code")
    assert error.request_id == cloud.calls.matching("PutSecretValue")[0].request_id
    assert clients.current(client) == "first"


def test_latency_delays_an_answer(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "latency", seconds=0.05))
    assert clients.put(client, "v2", "second").version_id == "v2"
    assert cloud.calls.count(fault="latency", applied=True, status=200) == 1


def test_latency_is_all_that_a_call_takes_and_not_on_top_of_it() -> None:
    async def nothing_comes() -> Any:  # noqa: ANN401 - as ASGI has it
        await asyncio.Event().wait()

    async def nothing_goes(_message: object) -> None: ...

    async def pause_an_hour_that_is_over() -> None:
        an_hour_ago = asyncio.get_running_loop().time() - 3600
        exchange = Exchange(HttpRequest("POST", "/", "", {}, b""), {}, nothing_comes, nothing_goes, an_hour_ago)
        await asyncio.wait_for(exchange.pause(3600), SOON)

    asyncio.run(pause_an_hour_that_is_over())


def test_a_client_that_gives_up_on_a_slow_answer_cannot_tell_that_it_was_applied(
    cloud: LocalCloud, client: KmsClient
) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "latency", seconds=30))
    put_raises(client)
    assert clients.current(client) == "second"


def test_a_slow_call_does_not_hold_up_others(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "latency", seconds=30))
    seen: list[str] = []
    cloud.faults.after("PutSecretValue", lambda: seen.append(clients.current(client)))
    put_raises(client)
    assert seen == ["second"]


def test_a_connection_dropped_before_leaves_nothing(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "drop-before"))
    put_raises(client)
    assert clients.current(client) == "first"


def test_a_connection_dropped_after_leaves_the_effect(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "drop-after"))
    put_raises(client)
    assert clients.current(client) == "second"
    assert cloud.calls.count("PutSecretValue", applied=True, status=None, fault="drop-after") == 1


def test_a_late_call_happens_when_it_is_released(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "late"))
    put_raises(client)
    assert clients.current(client) == "first"
    assert cloud.release_late() == 1
    assert clients.current(client) == "second"
    assert cloud.release_late() == 0


def test_late_calls_happen_in_the_order_they_came(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "late", count=2))
    put_raises(client)
    with pytest.raises(UnretryableException):
        clients.put(client, "v3", "third")
    assert cloud.release_late() == 2
    assert clients.current(client) == "third"


def test_a_late_call_can_come_by_itself(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "late", seconds=0.05))
    put_raises(client)
    assert cloud.calls.wait_for("PutSecretValue", applied=True)
    assert clients.current(client) == "second"


def test_an_answer_can_be_cut_short(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "cut"))
    put_raises(client)
    assert clients.current(client) == "second"


@pytest.mark.parametrize("body", [b"", b"<html>proxy</html>", b'{"VersionId": "v2"'])
def test_an_applied_call_can_be_answered_with_what_is_no_json(
    cloud: LocalCloud, client: KmsClient, body: bytes
) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "garbage", body=body))
    put_raises(client)
    assert clients.current(client) == "second"


def test_an_applied_call_can_be_answered_with_the_start_of_its_answer(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "garbage", keep=20))
    put_raises(client)
    assert cloud.calls.count(fault="garbage", status=200, applied=True) == 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"Code": "X", "Message": "m"}'])
def test_json_that_says_nothing_looks_like_success_to_the_sdk(
    cloud: LocalCloud, client: KmsClient, body: bytes
) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "garbage", body=body))
    assert clients.put(client, "v2", "second").version_id is None


def test_a_proxy_can_refuse_in_html(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "refuse-garbage"))
    put_raises(client)
    assert cloud.calls.count("PutSecretValue", status=502, applied=False) == 1
    assert clients.current(client) == "first"


@pytest.mark.parametrize(("applied", "left"), [(True, "second"), (False, "first")])
def test_a_call_can_hang_whether_applied_or_not(cloud: LocalCloud, client: KmsClient, applied: bool, left: str) -> None:  # noqa: FBT001 - a case of the table
    cloud.faults.arm(Fault("PutSecretValue", "hang", applied=applied))
    put_raises(client)
    assert clients.current(client) == left


def test_a_redirect_is_followed_with_the_secret_and_not_applied_here(cloud: LocalCloud, client: KmsClient) -> None:
    with LocalCloud() as elsewhere:
        location = f"http://{elsewhere.endpoint}/"
        cloud.faults.arm(Fault("PutSecretValue", "redirect", location=location))
        put_raises(client, ClientException)
        assert elsewhere.calls.matching("PutSecretValue")[0].params["SecretData"] == "***"
    assert clients.current(client) == "first"


def outcome(client: KmsClient, version: str) -> str:
    """Put a version, and return "ok" or the error code."""
    try:
        clients.put(client, version, "x")
    except ClientException as error:
        return str(error.code)
    return "ok"


def test_a_fault_strikes_the_nth_call_since_it_was_armed(cloud: LocalCloud, client: KmsClient) -> None:
    clients.put(client, "v2", "second")
    armed = cloud.faults.arm(Fault("PutSecretValue", "throttle", nth=2, count=2))
    outcomes = [outcome(client, f"w{number}") for number in range(4)]
    assert outcomes == ["ok", "Rejected.Throttling", "Rejected.Throttling", "ok"]
    assert armed.struck == 2


def test_a_fault_strikes_only_its_own_action(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle"))
    assert clients.current(client) == "first"
    put_raises(client, ClientException)


def test_a_fault_can_strike_every_action(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("*", "throttle"))
    with pytest.raises(ClientException):
        clients.current(client)


def test_a_fault_can_be_meant_for_one_secret(cloud: LocalCloud, client: KmsClient) -> None:
    clients.create_secret(client, "other")
    cloud.faults.arm(Fault("PutSecretValue", "throttle", where={"SecretName": "other"}))
    assert clients.put(client, "v2", "second").version_id == "v2"
    with pytest.raises(ClientException):
        clients.put(client, "v2", "second", "other")


def test_of_two_faults_on_one_call_the_one_armed_first_strikes(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "error", status=400, code="First"))
    cloud.faults.arm(Fault("PutSecretValue", "error", status=400, code="Second"))
    assert put_raises(client, ClientException).code == "First"


def test_cleared_faults_strike_no_more(cloud: LocalCloud, client: KmsClient) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle"))
    cloud.faults.clear()
    assert clients.put(client, "v2", "second").version_id == "v2"


def test_who_cannot_sign_meets_no_fault(cloud: LocalCloud) -> None:
    armed = cloud.faults.arm(Fault("ListSecrets", "throttle"))
    with pytest.raises(ClientException) as caught:
        clients.kms(cloud, access_key_secret="wrong").list_secrets(kms_models.ListSecretsRequest())
    assert caught.value.code == "SignatureDoesNotMatch"
    assert armed.seen == 0


def test_a_fault_that_applies_does_so_with_the_roles_permissions_only(cloud: LocalCloud, client: KmsClient) -> None:
    nobody = cloud.role("nobody", {"Version": "1", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    cloud.faults.arm(Fault("PutSecretValue", "drop-after"))
    put_raises(clients.kms(cloud, nobody))
    assert clients.current(client) == "first"


def test_a_hook_before_sees_the_world_without_the_call_and_may_call_the_cloud(
    cloud: LocalCloud, client: KmsClient
) -> None:
    seen: list[str] = []
    cloud.faults.before("PutSecretValue", lambda: seen.append(clients.current(client)))
    clients.put(client, "v2", "second")
    assert seen == ["first"]


def test_a_hook_after_sees_the_effect_before_the_caller_has_the_answer(cloud: LocalCloud, client: KmsClient) -> None:
    seen: list[tuple[str, int]] = []
    answered = {"status": 200}
    cloud.faults.after(
        "PutSecretValue",
        lambda: seen.append((clients.current(client), cloud.calls.count("PutSecretValue", **answered))),
    )
    clients.put(client, "v2", "second")
    assert seen == [("second", 0)]


def call_with_a_failing_hook() -> None:
    """Run a cloud whose only call meets a hook that fails; the caller sees an internal failure."""
    with LocalCloud() as cloud:
        cloud.faults.before("GetServiceStatus", lambda: 1 // 0)
        with pytest.raises(ServerException):
            clients.cloudsso(cloud).get_service_status()


def test_a_hook_that_fails_fails_the_cloud_not_only_the_call() -> None:
    with pytest.raises(CloudDefectError, match="ZeroDivisionError in <lambda>"):
        call_with_a_failing_hook()


def test_an_answer_to_a_generated_reset_can_be_lost_while_the_password_is_live(cloud: LocalCloud) -> None:
    client = clients.cloudsso(cloud)
    made = client.create_user(
        sso_models.CreateUserRequest(directory_id=cloud.cloudsso.directory_id, user_name="alice")
    ).body.user
    cloud.faults.arm(Fault("ResetUserPassword", "drop-after"))
    with pytest.raises(UnretryableException):
        client.reset_user_password(
            sso_models.ResetUserPasswordRequest(
                directory_id=cloud.cloudsso.directory_id, user_id=made.user_id, generate_random_password=True
            )
        )
    assert len(cloud.cloudsso.resets(made.user_id)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explode"},
        {"kind": "throttle", "nth": 0},
        {"kind": "throttle", "count": 0},
        {"kind": "latency", "seconds": -1.0},
        {"kind": "error", "status": 400},
        {"kind": "redirect"},
        {"kind": "garbage"},
        {"kind": "garbage", "body": b"x", "keep": 1},
    ],
)
def test_a_fault_that_makes_no_sense_cannot_be_armed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault("PutSecretValue", **wrong)


def test_every_kind_of_fault_has_an_effect() -> None:
    assert set(EFFECTS) == set(KINDS)
