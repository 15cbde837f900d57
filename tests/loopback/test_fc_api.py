"""The invocation APIs as the unmodified official SDKs see them, before a backend that runs nothing."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import fc2
import pytest
from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from tests.localcloud.fc.backend import TASK_STATES, AsyncConfig, Result, Target, TaskEvent, throttled
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import FC_REGION, CloudDefectError, LocalCloud
from tests.loopback import clients
from tests.loopback.fc_stub import NOON, StubBackend

THREE = Target("rotator")
TWO = Target("reset", "prod", "rotator")
NOON_MS = int(NOON.timestamp() * 1000)
RAISED = Result("r-2", b'{"errorMessage": "no", "errorType": "KeyError", "stackTrace": []}', "UnhandledInvocationError")


@pytest.fixture
def backend(cloud: LocalCloud) -> StubBackend:
    """Let the cloud have one function of each version."""
    made = cloud.fc.backend = StubBackend({THREE, TWO})
    return made


def three(cloud: LocalCloud, credentials: Credentials | None = None) -> Client:
    return Client(clients.config(cloud, FC_REGION, credentials))


def two(cloud: LocalCloud, credentials: Credentials | None = None) -> fc2.Client:
    who = credentials or cloud.admin
    return fc2.Client(
        endpoint=f"http://{cloud.endpoint}",
        accessKeyID=who.access_key_id,
        accessKeySecret=who.access_key_secret,
        securityToken=who.security_token or "",
    )


def call(cloud: LocalCloud, body: bytes = b"{}", function: str = "rotator", **headers: Any) -> Any:  # noqa: ANN401 - the SDK is untyped
    request = models.InvokeFunctionRequest(body=body)
    named = models.InvokeFunctionHeaders(**headers)
    return three(cloud).invoke_function_with_options(function, request, named, RuntimeOptions())


def queued(cloud: LocalCloud, task_id: str | None = None, body: bytes = b"{}") -> Any:  # noqa: ANN401 - the SDK is untyped
    return call(cloud, body, x_fc_invocation_type="Async", x_fc_async_task_id=task_id)


def refusal(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ClientException) as caught:
        action()
    return caught.value.status_code, caught.value.code


# -------------------------------------------------------------------------------------------------- FC 3.0, invoking


def test_a_synchronous_call_is_answered_with_what_the_function_returned(
    cloud: LocalCloud, backend: StubBackend
) -> None:
    backend.respond = lambda payload: Result("r-1", payload[::-1], headers={"x-fc-invocation-duration": "12"})
    answer = call(cloud, b"\x00abc")
    assert (answer.status_code, answer.body.read()) == (200, b"cba\x00")
    assert (answer.headers["x-fc-request-id"], answer.headers["x-fc-invocation-duration"]) == ("r-1", "12")
    assert "x-fc-error-type" not in answer.headers


def test_that_a_function_raised_only_a_header_says(cloud: LocalCloud, backend: StubBackend) -> None:
    backend.respond = lambda _payload: RAISED
    answer = call(cloud)
    assert (answer.status_code, answer.headers["x-fc-error-type"]) == (200, "UnhandledInvocationError")
    assert json.load(answer.body)["errorType"] == "KeyError"


def test_the_last_4_kb_of_the_log_come_with_the_answer_if_asked_for(cloud: LocalCloud, backend: StubBackend) -> None:
    backend.respond = lambda payload: Result("r-1", payload, log=b"x" + b"y" * 4096)
    assert base64.b64decode(call(cloud, x_fc_log_type="Tail").headers["x-fc-log-result"]) == b"y" * 4096
    assert "x-fc-log-result" not in call(cloud).headers


def test_an_asynchronous_call_is_accepted_and_no_more(cloud: LocalCloud, backend: StubBackend) -> None:
    answer = queued(cloud, "task-1", b"event")
    (task,) = backend.accepted
    assert (answer.status_code, answer.headers["x-fc-request-id"], answer.body.read()) == (202, task.request_id, b"")
    assert (task.task_id, task.payload, task.target) == ("task-1", b"event", THREE)


@pytest.mark.parametrize(
    "code", ["409 StatefulAsyncInvocationAlreadyExists", "409 AsyncTaskAlreadyExists", "409 TaskAlreadyExists"]
)
def test_a_task_id_is_accepted_once_and_then_refused_as_the_switch_says(
    cloud: LocalCloud, backend: StubBackend, code: str
) -> None:
    cloud.switches = replace(cloud.switches, task_exists=code)  # type: ignore[arg-type]  # one of its values
    queued(cloud, "task-1")
    status, spelt = refusal(lambda: queued(cloud, "task-1"))
    assert (f"{status} {spelt}", len(backend.accepted)) == (code, 1)


def test_without_a_task_id_the_backend_makes_one(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud)
    queued(cloud)
    assert len({task.task_id for task in backend.accepted}) == 2


@pytest.mark.parametrize("task_id", ["1-starts-with-a-digit", "-", "has space", "ümlaut", "a" * 129])
def test_a_task_id_must_be_well_formed(cloud: LocalCloud, backend: StubBackend, task_id: str) -> None:
    # The SDK sends headers as they are.
    encoded = task_id.encode().decode("latin-1")
    assert refusal(lambda: queued(cloud, encoded)) == (400, "InvalidArgument")
    assert backend.accepted == []


@pytest.mark.parametrize(
    "headers", [{"x_fc_invocation_type": "async"}, {"x_fc_log_type": "All"}], ids=["type", "log type"]
)
def test_a_header_has_one_of_its_documented_values(
    cloud: LocalCloud, backend: StubBackend, headers: dict[str, Any]
) -> None:
    assert refusal(lambda: call(cloud, **headers)) == (400, "InvalidArgument")
    assert backend.accepted == []


def test_an_asynchronous_payload_has_at_most_128_kb(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, body=b"x" * 131_072)
    assert refusal(lambda: queued(cloud, body=b"x" * 131_073)) == (400, "EntityTooLarge")
    assert call(cloud, b"x" * 131_073).status_code == 200
    assert len(backend.accepted) == 1


@pytest.mark.parametrize("function", ["nobody", "rotator$reset"])
def test_a_function_that_is_not_there_is_not_found(cloud: LocalCloud, backend: StubBackend, function: str) -> None:
    assert refusal(lambda: call(cloud, function=function)) == (404, "FunctionNotFound")
    assert backend.functions == {THREE, TWO}


def test_a_name_that_cannot_be_one_is_refused(cloud: LocalCloud, backend: StubBackend) -> None:
    assert refusal(lambda: call(cloud, function="no/name")) == (400, "InvalidArgument")
    assert backend.accepted == []


def test_a_qualifier_that_cannot_be_one_is_refused(cloud: LocalCloud, backend: StubBackend) -> None:
    request = models.InvokeFunctionRequest(body=b"{}", qualifier="no qualifier")
    assert refusal(lambda: three(cloud).invoke_function("rotator", request)) == (400, "InvalidArgument")
    assert backend.accepted == []


def test_a_function_of_fc2_can_be_named_from_here(cloud: LocalCloud, backend: StubBackend) -> None:
    backend.functions = {Target("reset", "LATEST", "rotator")}
    assert call(cloud, function="rotator$reset").status_code == 200
    assert cloud.ram.decisions[-1].resource.endswith(":services/rotator/functions/reset")


def test_a_refusal_of_the_backend_reaches_the_client(cloud: LocalCloud, backend: StubBackend) -> None:
    def respond(_payload: bytes) -> Result:
        raise throttled()

    backend.respond = respond
    assert refusal(lambda: call(cloud)) == (429, "ResourceThrottled")
    (record,) = cloud.calls
    assert (record.applied, record.status, record.code) == (False, 429, "ResourceThrottled")


def test_a_path_that_no_operation_has_is_refused(cloud: LocalCloud) -> None:
    assert refusal(lambda: three(cloud).list_functions(models.ListFunctionsRequest())) == (400, "PathNotSupported")


# ------------------------------------------------------------------------------------------------ FC 3.0, tasks


def test_a_task_can_be_looked_at(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, "task-1", b'{"UserName": "bob"}')
    (task,) = backend.accepted
    failed = TaskEvent("Failed", NOON + timedelta(seconds=2), '{"Error": "UnhandledInvocationError"}')
    backend.accepted = [
        replace(
            task,
            state="Failed",
            ended=failed.at,
            retries=3,
            error="UnhandledInvocationError",
            instance_id="c-1",
            return_payload=b"why",
            destination_status="Succeeded",
            events=(*task.events, failed),
        )
    ]
    seen = three(cloud).get_async_task("rotator", "task-1", models.GetAsyncTaskRequest()).body.to_map()
    events = seen.pop("events")
    assert seen == {
        "taskId": "task-1",
        "requestId": task.request_id,
        "functionArn": "acs:fc:cn-hangzhou:1510000000000001:functions/rotator",
        "qualifier": "LATEST",
        "status": "Failed",
        "startedTime": NOON_MS,
        "endTime": NOON_MS + 2000,
        "durationMs": 2000,
        "alreadyRetriedTimes": 3,
        "destinationStatus": "Succeeded",
        "instanceId": "c-1",
        "taskErrorMessage": "UnhandledInvocationError",
        "taskPayload": '{"UserName": "bob"}',
        "returnPayload": "why",
    }
    assert [(event["eventId"], event["status"]) for event in events] == [(1, "Enqueued"), (2, "Failed")]


def test_a_task_that_is_not_there_is_not_found(cloud: LocalCloud, backend: StubBackend) -> None:
    request = models.GetAsyncTaskRequest()
    asked = refusal(lambda: three(cloud).get_async_task("rotator", "task-9", request))
    assert (asked, backend.accepted) == ((404, "StatefulAsyncInvocationNotFound"), [])


def listed(cloud: LocalCloud, **asked: object) -> list[str]:
    """Return the ids of all tasks, page by page."""
    ids: list[str] = []
    token = None
    while True:
        request = models.ListAsyncTasksRequest(next_token=token, **asked)
        page = three(cloud).list_async_tasks("rotator", request).body
        ids += [task.task_id for task in page.tasks]
        token = page.next_token
        if not token:
            return ids


def test_tasks_are_listed_in_either_order_and_page_by_page(cloud: LocalCloud, backend: StubBackend) -> None:
    ids = [f"task-{number}" for number in range(7)]
    for task_id in ids:
        queued(cloud, task_id)
    assert len(backend.accepted) == 7
    for limit in (1, 3, 7, 100):
        assert listed(cloud, limit=limit, sort_order_by_time="asc") == ids
        assert listed(cloud, limit=limit, sort_order_by_time="desc") == ids[::-1]


def test_a_list_can_be_narrowed(cloud: LocalCloud, backend: StubBackend) -> None:
    for task_id in ("expiring-a", "expiring-b", "alert-a"):
        queued(cloud, task_id)
    backend.stop_task(THREE, "expiring-b")
    backend.accepted[0] = replace(backend.accepted[0], started=NOON - timedelta(hours=1))
    assert listed(cloud, prefix="expiring-", sort_order_by_time="asc") == ["expiring-a", "expiring-b"]
    assert listed(cloud, status="Stopped") == ["expiring-b"]
    assert listed(cloud, started_time_begin=NOON_MS, sort_order_by_time="asc") == ["expiring-b", "alert-a"]
    assert listed(cloud, started_time_end=NOON_MS - 1) == ["expiring-a"]


def test_payloads_are_listed_only_if_asked_for(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, "task-1", b"event")
    client = three(cloud)
    plain, full = (
        client.list_async_tasks("rotator", models.ListAsyncTasksRequest(include_payload=wanted)).body.tasks[0]
        for wanted in (False, True)
    )
    assert (plain.task_payload, full.task_payload, len(backend.accepted)) == (None, "event", 1)


@pytest.mark.parametrize(
    "asked",
    [{"limit": 0}, {"limit": 101}, {"status": "Lost"}, {"sort_order_by_time": "up"}, {"next_token": "task-9"}],
    ids=str,
)
def test_a_list_is_asked_for_in_the_documented_words(
    cloud: LocalCloud, backend: StubBackend, asked: dict[str, Any]
) -> None:
    request = models.ListAsyncTasksRequest(**asked)
    assert refusal(lambda: three(cloud).list_async_tasks("rotator", request)) == (400, "InvalidArgument")
    assert backend.accepted == []


def test_every_documented_state_can_be_asked_for(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, "task-1")
    (task,) = backend.accepted
    for state in TASK_STATES:
        backend.accepted = [replace(task, state=state)]
        assert listed(cloud, status=state) == ["task-1"]


def test_a_task_can_be_stopped(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, "task-1")
    three(cloud).stop_async_task("rotator", "task-1", models.StopAsyncTaskRequest())
    assert [task.state for task in backend.accepted] == ["Stopped"]


# --------------------------------------------------------------------------------------- FC 3.0, configuration


def configure(cloud: LocalCloud, **given: object) -> Any:  # noqa: ANN401 - the SDK is untyped
    request = models.PutAsyncInvokeConfigRequest(body=models.PutAsyncInvokeConfigInput(**given))
    return three(cloud).put_async_invoke_config("rotator", request).body.to_map()


def test_an_asynchronous_configuration_is_kept(cloud: LocalCloud, backend: StubBackend) -> None:
    arn = "acs:mns:cn-hangzhou:1510000000000001:/queues/dead/messages"
    to = models.DestinationConfig(on_failure=models.Destination(destination=arn))
    put = configure(
        cloud,
        async_task=True,
        max_async_event_age_in_seconds=3600,
        max_async_retry_attempts=0,
        destination_config=to,
    )
    got = three(cloud).get_async_invoke_config("rotator", models.GetAsyncInvokeConfigRequest()).body.to_map()
    assert put == got
    assert got == {
        "functionArn": "acs:fc:cn-hangzhou:1510000000000001:functions/rotator",
        "asyncTask": True,
        "maxAsyncEventAgeInSeconds": 3600,
        "maxAsyncRetryAttempts": 0,
        "destinationConfig": {"onFailure": {"destination": arn}},
        "createdTime": "2026-03-01T12:00:00Z",
        "lastModifiedTime": "2026-03-01T12:00:00Z",
    }
    expected = AsyncConfig(0, 3600, task=True, on_failure=arn, created=NOON, modified=NOON)
    assert backend.configs == {THREE: expected}


def test_what_a_configuration_leaves_out_has_its_documented_default(cloud: LocalCloud, backend: StubBackend) -> None:
    configure(cloud)
    assert backend.configs == {THREE: AsyncConfig(3, 86_400, task=False, created=NOON, modified=NOON)}


def test_where_nothing_was_configured_there_is_no_configuration(cloud: LocalCloud, backend: StubBackend) -> None:
    request = models.GetAsyncInvokeConfigRequest()
    asked = refusal(lambda: three(cloud).get_async_invoke_config("rotator", request))
    assert (asked, backend.configs) == ((404, "AsyncConfigNotExists"), {})


@pytest.mark.parametrize(
    "given",
    [
        {"max_async_retry_attempts": 9},
        {"max_async_retry_attempts": -1},
        {"max_async_event_age_in_seconds": 0},
        {"max_async_event_age_in_seconds": 604_801},
        {"async_task": "yes"},
    ],
    ids=str,
)
def test_a_configuration_out_of_range_is_refused(
    cloud: LocalCloud, backend: StubBackend, given: dict[str, Any]
) -> None:
    assert refusal(lambda: configure(cloud, **given)) == (400, "InvalidArgument")
    assert backend.configs == {}


# ------------------------------------------------------------------------------------------------------- FC 2.0


def invoke2(cloud: LocalCloud, payload: bytes = b"{}", **headers: Any) -> Any:  # noqa: ANN401 - the SDK is untyped
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return two(cloud).invoke_function("rotator", "reset", payload=payload, headers=named, qualifier="prod")


def refusal2(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(fc2.FcError) as caught:
        action()
    return caught.value.status_code, caught.value.err_code


def test_fc2_is_answered_with_what_the_function_returned(cloud: LocalCloud, backend: StubBackend) -> None:
    backend.respond = lambda payload: Result("r-1", payload[::-1])
    answer = invoke2(cloud, b"\x00abc")
    assert (answer.data, answer.headers["X-Fc-Request-Id"]) == (b"cba\x00", "r-1")


def test_fc2_raises_what_a_function_raised(cloud: LocalCloud, backend: StubBackend) -> None:
    backend.respond = lambda _payload: RAISED
    with pytest.raises(fc2.FcError) as caught:
        invoke2(cloud)
    assert caught.value.status_code == 200
    assert json.loads(caught.value.message) == {**json.loads(RAISED.payload), "RequestId": "r-2"}


def test_fc2_queues_a_task_once(cloud: LocalCloud, backend: StubBackend) -> None:
    named: dict[str, Any] = {"x_fc_invocation_type": "Async", "x_fc_stateful_async_invocation_id": "task-1"}
    assert invoke2(cloud, b"event", **named).data == b""
    assert refusal2(lambda: invoke2(cloud, **named)) == (409, "StatefulAsyncInvocationAlreadyExists")
    assert [(task.task_id, task.payload, task.target) for task in backend.accepted] == [("task-1", b"event", TWO)]


def test_fc2_names_a_service_and_no_function_of_fc3(cloud: LocalCloud, backend: StubBackend) -> None:
    client = two(cloud)
    missing = [("rotator", "rotator"), ("rotator", "reset"), ("other", "reset")]  # the second without its qualifier
    for service, function in missing:
        assert refusal2(partial(client.invoke_function, service, function)) == (404, "FunctionNotFound")
    assert backend.accepted == []


def test_fc2_is_told_of_a_path_that_is_not_served(cloud: LocalCloud) -> None:
    assert refusal2(lambda: two(cloud).list_services()) == (400, "PathNotSupported")


# ------------------------------------------------------------------------------------------ both: RAM, log, faults


def test_the_log_of_calls_has_every_name_and_never_the_payload(cloud: LocalCloud, backend: StubBackend) -> None:
    queued(cloud, "task-3", b"payload-marker")
    invoke2(cloud, b"payload-marker", x_fc_invocation_type="Async", x_fc_stateful_async_invocation_id="task-2")
    assert [(record.version, record.action, record.params, record.role) for record in cloud.calls] == [
        (
            "2023-03-30",
            "InvokeFunction",
            {"FunctionName": "rotator", "Qualifier": "LATEST", "InvocationType": "Async", "TaskId": "task-3"},
            "admin",
        ),
        (
            "2016-08-15",
            "InvokeFunction",
            {
                "ServiceName": "rotator",
                "FunctionName": "reset",
                "Qualifier": "prod",
                "InvocationType": "Async",
                "TaskId": "task-2",
            },
            "admin",
        ),
    ]
    assert "payload-marker" not in json.dumps(cloud.calls.as_json())
    assert [record.request_id for record in cloud.calls] == [task.request_id for task in backend.accepted]


ASKED: list[tuple[str, str, Callable[[LocalCloud], object]]] = [
    ("fc:InvokeFunction", "functions/rotator", call),
    ("fc:InvokeFunction", "services/rotator.prod/functions/reset", invoke2),
    ("fc:ListAsyncTasks", "functions/rotator", listed),
    ("fc:PutAsyncInvokeConfig", "functions/rotator", configure),
]


@pytest.mark.parametrize(("action", "resource", "ask"), ASKED, ids=[f"{row[0]} {row[1]}" for row in ASKED])
def test_ram_is_asked_about_the_function(
    cloud: LocalCloud, backend: StubBackend, action: str, resource: str, ask: Callable[[LocalCloud], object]
) -> None:
    ask(cloud)
    decision = cloud.ram.decisions[-1]
    assert (decision.action, decision.resource) == (action, f"acs:fc:cn-hangzhou:1510000000000001:{resource}")
    assert backend.functions == {THREE, TWO}


def test_who_may_not_is_denied_in_each_versions_own_words(cloud: LocalCloud, backend: StubBackend) -> None:
    nobody = cloud.role("nobody", {"Version": "1", "Statement": [_allow("kms:*")]})
    request, headers = models.InvokeFunctionRequest(body=b"{}"), models.InvokeFunctionHeaders()
    with pytest.raises(ClientException) as caught:
        three(cloud, nobody).invoke_function_with_options("rotator", request, headers, RuntimeOptions())
    assert (caught.value.status_code, caught.value.code) == (403, "AccessDenied")
    assert caught.value.access_denied_detail["AuthAction"] == "fc:InvokeFunction"
    denied = refusal2(lambda: two(cloud, nobody).invoke_function("rotator", "reset", qualifier="prod"))
    assert (denied, backend.accepted) == ((403, "AccessDenied"), [])


def _allow(action: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"}


def test_a_fault_strikes_the_calls_that_it_is_about(cloud: LocalCloud, backend: StubBackend) -> None:
    cloud.faults.arm(Fault("InvokeFunction", "throttle", where={"TaskId": "task-2"}))
    queued(cloud, "task-1")
    assert refusal(lambda: queued(cloud, "task-2")) == (429, "ResourceThrottled")
    assert [task.task_id for task in backend.accepted] == ["task-1"]


def test_a_late_call_takes_effect_when_it_is_released(cloud: LocalCloud, backend: StubBackend) -> None:
    cloud.faults.arm(Fault("InvokeFunction", "late"))
    with pytest.raises(UnretryableException):
        queued(cloud, "task-1")
    assert backend.accepted == []
    assert cloud.release_late() == 1
    assert [task.task_id for task in backend.accepted] == ["task-1"]


def test_a_late_call_can_take_effect_by_itself(cloud: LocalCloud, backend: StubBackend) -> None:
    cloud.faults.arm(Fault("InvokeFunction", "late", seconds=0.01))
    with pytest.raises(UnretryableException):
        queued(cloud, "task-1")
    assert cloud.calls.wait_for("InvokeFunction", applied=True)
    assert [task.task_id for task in backend.accepted] == ["task-1"]


def test_a_hook_runs_before_and_after_a_function_is_asked_for(cloud: LocalCloud, backend: StubBackend) -> None:
    seen: list[int] = []
    cloud.faults.before("InvokeFunction", lambda: seen.append(len(backend.accepted)))
    cloud.faults.after("InvokeFunction", lambda: seen.append(len(backend.accepted)))
    queued(cloud)
    assert seen == [0, 1]


def test_a_defect_of_a_backend_is_answered_and_raised_at_the_end() -> None:
    def respond(_payload: bytes) -> Result:
        raise KeyError

    cloud = LocalCloud()
    cloud.start()
    cloud.fc.backend = StubBackend({THREE}, respond)
    with pytest.raises(ServerException) as caught:
        call(cloud)
    assert (caught.value.status_code, caught.value.code) == (500, "InternalServerError")
    with pytest.raises(CloudDefectError, match="KeyError"):
        cloud.__exit__(None, None, None)


# --------------------------------------------------------------------------------------------------- long calls


def test_a_function_may_call_the_cloud_while_its_caller_waits(cloud: LocalCloud, backend: StubBackend) -> None:
    kms = clients.kms(cloud)

    def respond(payload: bytes) -> Result:
        clients.create_secret(kms, payload.decode())
        queued(cloud, "from-within")
        return Result("r-1", b"done")

    backend.respond = respond
    assert call(cloud, b"made-within").body.read() == b"done"
    request = kms_models.GetSecretValueRequest(secret_name="made-within")
    assert kms.get_secret_value(request).body.secret_data == "first"
    assert [task.task_id for task in backend.accepted] == ["from-within"]


def test_many_functions_run_at_once(cloud: LocalCloud, backend: StubBackend) -> None:
    together = threading.Barrier(40, timeout=20)

    def respond(payload: bytes) -> Result:
        together.wait()
        return Result("r-1", payload)

    backend.respond = respond
    callers = [threading.Thread(target=call, args=(cloud,)) for _ in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert cloud.calls.count("InvokeFunction", status=200) == 40


def test_a_function_goes_on_when_its_caller_is_gone(cloud: LocalCloud, backend: StubBackend) -> None:
    go_on = threading.Event()

    def respond(payload: bytes) -> Result:
        go_on.wait(20)
        return Result("r-1", payload)

    backend.respond = respond
    request, headers = models.InvokeFunctionRequest(body=b"{}"), models.InvokeFunctionHeaders()
    with pytest.raises(UnretryableException):
        three(cloud).invoke_function_with_options("rotator", request, headers, clients.QUICK)
    assert cloud.calls.count("InvokeFunction", applied=True) == 0
    go_on.set()
    assert cloud.calls.wait_for("InvokeFunction", applied=True)


def test_a_cloud_stops_while_a_function_is_at_work() -> None:
    go_on = threading.Event()

    def respond(payload: bytes) -> Result:
        go_on.wait(20)
        return Result("r-1", payload)

    with LocalCloud() as cloud:
        cloud.fc.backend = StubBackend({THREE}, respond)
        lost: list[BaseException] = []

        def caller() -> None:
            try:
                call(cloud)
            except UnretryableException as error:
                lost.append(error)

        waiting = threading.Thread(target=caller)
        waiting.start()
        assert cloud.calls.wait_for("InvokeFunction")
    waiting.join(20)
    go_on.set()
    assert len(lost) == 1


# -------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("shift", [0, 86_400, -86_400])
def test_clients_live_by_real_time_however_the_clouds_is_shifted(
    cloud: LocalCloud, backend: StubBackend, shift: float
) -> None:
    cloud.clock.shift(shift)
    assert call(cloud).status_code == 200
    assert invoke2(cloud).data == b"{}"
    assert backend.functions == {THREE, TWO}


def test_half_a_request_is_none(cloud: LocalCloud, backend: StubBackend) -> None:
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=5)
    connection.putrequest("POST", "/2023-03-30/functions/rotator/invocations")
    connection.putheader("content-length", "10")
    connection.endheaders(b"half")
    connection.close()
    assert call(cloud).status_code == 200
    assert (len(cloud.calls), backend.accepted) == (1, [])
