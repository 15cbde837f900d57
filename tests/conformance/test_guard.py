"""Nothing is sent that would touch what is not this suite's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_fc20230330 import models as fc
from alibabacloud_kms20160120 import models as kms
from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from tests.conformance.account import Account, Key
from tests.conformance.gate import Clients, Gate, Pace
from tests.conformance.guard import ACTIONS, READS, Asked, Guard
from tests.conformance.rehearsal import Stage
from tests.conformance.users import User
from tests.conformance.verdicts import ForeignError

DIRECTORY = "d-00fc2p61real"
# Nobody listens there: what is sent all the same does not end in ForeignError.
NOWHERE = Account(
    key=Key("AK", "SK", None),
    directory_id=DIRECTORY,
    directory_region="cn-shanghai",
    kms_region="cn-hangzhou",
    fc_region="cn-hangzhou",
    prefix="rotator-conformance-",
    endpoint="127.0.0.1:9",
)
FOREIGN = ("alice", "cloudsso/d-1/alice", "rotator-conformance", "Rotator-conformance-x", "rotator-conformance-", "")
ARN = "acs:kms:cn-hangzhou:1:secret/rotator-conformance-x"
OPTIONS = RuntimeOptions()


def made(account: Account = NOWHERE) -> tuple[Clients, Gate]:
    gate = Gate(account, Pace(lambda _: None))
    return Clients.of(account, gate), gate


def of_secrets(clients: Clients, name: str) -> dict[str, Callable[[], object]]:
    """Return every operation on a secret."""
    client = clients.kms
    return {
        "CreateSecret": lambda: client.create_secret(kms.CreateSecretRequest(secret_name=name)),
        "DeleteSecret": lambda: client.delete_secret(kms.DeleteSecretRequest(secret_name=name)),
        "DescribeSecret": lambda: client.describe_secret(kms.DescribeSecretRequest(secret_name=name)),
        "GetSecretValue": lambda: client.get_secret_value(kms.GetSecretValueRequest(secret_name=name)),
        "ListSecretVersionIds": lambda: client.list_secret_version_ids(
            kms.ListSecretVersionIdsRequest(secret_name=name)
        ),
        "PutSecretValue": lambda: client.put_secret_value(kms.PutSecretValueRequest(secret_name=name)),
        "RestoreSecret": lambda: client.restore_secret(kms.RestoreSecretRequest(secret_name=name)),
        "TagResource": lambda: client.tag_resource(kms.TagResourceRequest(secret_name=name, tags="[]")),
        "UntagResource": lambda: client.untag_resource(kms.UntagResourceRequest(secret_name=name, tag_keys="[]")),
        "UpdateSecretVersionStage": lambda: client.update_secret_version_stage(
            kms.UpdateSecretVersionStageRequest(secret_name=name)
        ),
    }


def of_users(clients: Clients, user: str, directory: str = DIRECTORY) -> dict[str, Callable[[], object]]:
    """Return every operation that changes a user; the id and the name are both this one."""
    client = clients.sso
    return {
        "CreateUser": lambda: client.create_user(sso.CreateUserRequest(directory_id=directory, user_name=user)),
        "DeleteUser": lambda: client.delete_user(sso.DeleteUserRequest(directory_id=directory, user_id=user)),
        "ResetUserPassword": lambda: client.reset_user_password(
            sso.ResetUserPasswordRequest(directory_id=directory, user_id=user, generate_random_password=True)
        ),
        "UpdateUserStatus": lambda: client.update_user_status(
            sso.UpdateUserStatusRequest(directory_id=directory, user_id=user, new_status="Disabled")
        ),
    }


def of_functions(clients: Clients, name: str) -> dict[str, Callable[[], object]]:
    """Return every operation on a function."""
    client = clients.fc
    body = fc.PutAsyncInvokeConfigRequest(body=fc.PutAsyncInvokeConfigInput(async_task=True))
    return {
        "InvokeFunction": lambda: client.invoke_function(name, fc.InvokeFunctionRequest(body=b"")),
        "GetAsyncTask": lambda: client.get_async_task(name, "t", fc.GetAsyncTaskRequest()),
        "GetAsyncInvokeConfig": lambda: client.get_async_invoke_config(name, fc.GetAsyncInvokeConfigRequest()),
        "PutAsyncInvokeConfig": lambda: client.put_async_invoke_config(name, body),
    }


def of_the_directory(clients: Clients) -> dict[str, Callable[[], object]]:
    request = sso.SetExternalSAMLIdentityProviderRequest(directory_id=DIRECTORY, ssostatus="Enabled")
    return {"SetExternalSAMLIdentityProvider": lambda: clients.sso.set_external_samlidentity_provider(request)}


def every(clients: Clients, name: str) -> dict[str, Callable[[], object]]:
    return {
        **of_secrets(clients, name),
        **of_users(clients, name),
        **of_functions(clients, name),
        **of_the_directory(clients),
    }


@pytest.mark.parametrize("name", FOREIGN)
def test_what_does_not_begin_with_the_prefix_is_never_touched(name: str) -> None:
    clients, gate = made()
    for action, call in every(clients, name).items():
        with pytest.raises(ForeignError, match=action):
            call()
    assert not gate.sent


def test_every_action_that_the_suite_may_use_is_tried_here_or_reads_names_only() -> None:
    assert every(made()[0], "alice").keys() | READS == ACTIONS


def test_a_secret_is_not_touched_by_its_arn() -> None:
    clients, gate = made()
    for call in of_secrets(clients, ARN).values():
        with pytest.raises(ForeignError):
            call()
    assert not gate.sent


def test_a_key_or_certificate_beside_a_secret_of_its_own_is_not_touched() -> None:
    clients, gate = made()
    tagging = kms.TagResourceRequest(secret_name="rotator-conformance-x", key_id="key-1", tags="[]")
    with pytest.raises(ForeignError):
        clients.kms.tag_resource(tagging)
    assert not gate.sent


def test_another_directory_is_not_touched() -> None:
    clients, gate = made()
    for call in of_users(clients, "rotator-conformance-x", directory="d-00fc2p61other").values():
        with pytest.raises(ForeignError):
            call()
    assert not gate.sent


def test_a_user_id_counts_only_once_an_answer_has_shown_whose_it_is() -> None:
    guard = Guard(NOWHERE)
    reset = Asked("ResetUserPassword", "/", {"DirectoryId": DIRECTORY, "UserId": "u-1"})
    for name in ("alice", "rotator-conformance-x"):
        with pytest.raises(ForeignError):
            guard.check(reset)
        guard.learn({"body": {"Users": [{"UserName": name, "UserId": "u-1"}]}})
    guard.check(reset)


def test_a_user_created_by_the_suite_may_be_reset_and_another_may_not(rehearsal: Stage) -> None:
    bench = rehearsal.bench()
    user, alice = bench.users.create(), rehearsal.cloud.cloudsso.add_user("alice")
    bench.users.generate(user)
    rehearsal.cloud.calls.clear()
    with pytest.raises(ForeignError):
        bench.users.generate(User(alice, user.name))
    assert rehearsal.cloud.calls.actions() == []


def test_sso_logon_needs_permission_and_nothing_else_of_the_provider_is_ever_changed() -> None:
    clients, gate = made(replace(NOWHERE, may_enable_sso=True))
    other = {"entity_id": "https://example.com", "directory_id": DIRECTORY, "ssostatus": "Enabled"}
    with pytest.raises(ForeignError):
        clients.sso.set_external_samlidentity_provider(sso.SetExternalSAMLIdentityProviderRequest(**other))
    assert not gate.sent


@pytest.mark.parametrize("path", ["/2023-03-30/functions/alice/invocations", "/2023-03-30/layers/x", "/", ""])
def test_a_path_that_is_not_a_function_of_its_own_is_not_touched(path: str) -> None:
    clients, gate = made()
    params = Params(action="InvokeFunction", version="2023-03-30", pathname=path, method="POST", style="ROA")
    with pytest.raises(ForeignError):
        clients.fc.call_api(params, OpenApiRequest(), OPTIONS)
    assert not gate.sent


@pytest.mark.parametrize(("product", "models"), [("sso", sso), ("kms", kms)])
def test_every_other_operation_of_the_sdks_is_refused(product: str, models: ModuleType) -> None:
    clients, gate = made()
    client = getattr(clients, product)
    tried = 0
    for name in dir(models):
        action = name.removesuffix("Request")
        operation = getattr(client, f"{snake(action)}_with_options", None)
        if operation is None or action in ACTIONS:
            continue
        with pytest.raises(ForeignError):
            operation(getattr(models, name)(), OPTIONS)
        tried += 1
    assert tried > 40
    assert not gate.sent


def snake(action: str) -> str:
    """Return the name of the SDK's method."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).removeprefix("_")


def test_a_real_account_is_reached_over_https_at_the_services_own_endpoints() -> None:
    clients, _ = made(replace(NOWHERE, endpoint=None))
    assert [(client._protocol, client._endpoint) for client in (clients.sso, clients.kms, clients.fc)] == [
        ("HTTPS", "cloudsso.cn-shanghai.aliyuncs.com"),
        ("HTTPS", "kms.cn-hangzhou.aliyuncs.com"),
        ("HTTPS", "fcv3.cn-hangzhou.aliyuncs.com"),
    ]


@pytest.mark.parametrize("product", ["sso", "kms", "fc"])
def test_there_is_no_way_around_the_gate(product: str) -> None:
    clients, gate = made()
    with pytest.raises(ForeignError):
        getattr(clients, product).call_api_async(None, None, None).send(None)
    assert not gate.sent
