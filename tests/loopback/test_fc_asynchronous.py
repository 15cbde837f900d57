"""The asynchronous queue: at least once, retried and given up as documented, in skipped time."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.localcloud.api import ApiError
from tests.localcloud.fc.asynchronous import EXHAUSTED, EXPIRED
from tests.localcloud.fc.backend import AsyncConfig, Target
from tests.localcloud.fc.destinations import Outcome
from tests.localcloud.fc.functions import FunctionRefusedError
from tests.localcloud.fc.invocation import LARGEST_ASYNC, LARGEST_SYNC
from tests.localcloud.server import ACCOUNT_ID, FC_REGION
from tests.localcloud.switches import Switches
from tests.loopback.workshop import BOUND, Workshop, error_of, until

FAILING = """
    def handler(event, context):
        with (SIGNALS / "attempts").open("a") as file:
            file.write(f"{time.time()} {context.retry_count} {context.request_id}\\n")
        raise ValueError(event.decode())
    """
WAITING = """
    def handler(event, context):
        with (SIGNALS / "began").open("a") as file:
            file.write("began\\n")
        while not (SIGNALS / "go").exists():
            pass
        return event
    """
QUEUE = f"acs:mns:{FC_REGION}:{ACCOUNT_ID}:/queues/failed/messages"
TOPIC = f"acs:mns:{FC_REGION}:{ACCOUNT_ID}:/topics/done/messages"


class Messages:
    """What was sent to queues and topics (destinations.Messages)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, arn: str, body: str) -> None:
        if arn.endswith("/queues/full/messages"):
            raise ApiError(403, "QueueFull", "no more")
        self.sent.append((arn, json.loads(body)))


@pytest.fixture
def messages(workshop: Workshop) -> Messages:
    sink = Messages()
    workshop.cloud.fc.send_messages_to(sink)
    return sink


def policy(*actions: str) -> dict[str, Any]:
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def states(workshop: Workshop, target: Target) -> list[str]:
    return [event.state for event in workshop.only(target).events]


def test_an_invocation_that_succeeds_is_done_once(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return event * 2")
    request_id = workshop.queue(target, b"ab")
    workshop.settle()
    record = workshop.only(target)
    assert (record.request_id, record.payload, record.return_payload) == (request_id, b"ab", b"abab")
    assert states(workshop, target) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert record.ended is not None


def test_a_function_error_is_retried_three_times_by_default(workshop: Workshop) -> None:
    target = workshop.deploy(FAILING)
    request_id = workshop.queue(target, b"no")
    workshop.settle()
    attempts = [line.split() for line in workshop.marks("attempts")]
    assert [(retry, whose) for _, retry, whose in attempts] == [(str(number), request_id) for number in range(4)]
    record = workshop.only(target)
    assert (record.state, record.error, record.retries) == ("Failed", "UnhandledInvocationError", 3)
    assert json.loads(record.return_payload)["errorMessage"] == "no"


@pytest.mark.parametrize("attempts", [0, 1, 8])
def test_as_often_as_it_is_told(workshop: Workshop, attempts: int) -> None:
    workshop.queue(workshop.deploy(FAILING, max_retry_attempts=attempts))
    workshop.settle()
    assert len(workshop.marks("attempts")) == attempts + 1


@pytest.mark.parametrize(("delay", "seconds"), [("0 s", 0), ("10 s", 10), ("60 s", 60)])
def test_the_delay_between_retries_is_a_switch(workshop: Workshop, delay: str, seconds: int) -> None:
    workshop.cloud.switches = Switches(async_retry_delay=delay)  # type: ignore[arg-type]
    workshop.queue(workshop.deploy(FAILING))
    workshop.settle()
    times = [float(line.split()[0]) for line in workshop.marks("attempts")]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(waits) == 3
    assert all(seconds <= wait < seconds + BOUND for wait in waits)


def test_a_request_that_lost_its_instance_is_retried_by_another(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60)
    workshop.queue(target, b"done")
    for lost in range(1, 4):
        until(lambda lost=lost: len(workshop.marks("began")) == lost, "not retried")  # type: ignore[misc]
        workshop.the_instance(target).kill()
    workshop.sign("go")
    workshop.settle()
    record = workshop.only(target)
    assert (record.state, record.return_payload, record.retries) == ("Succeeded", b"done", 3)
    assert workshop.cloud.fc.cold_starts(target) == 4


def test_429_is_retried_with_doubled_waits(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=86400, reserved_concurrency=0)
    workshop.queue(target)
    workshop.settle()
    record = workshop.only(target)
    assert (record.state, record.error) == ("Failed", EXHAUSTED)
    refused = [event.at for event in record.events if event.state == "Retrying"]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise([record.started, *refused])]
    assert all(2**number / 4 <= wait < 2**number / 4 + BOUND for number, wait in enumerate(waits) if number)
    assert timedelta(hours=2) < refused[-1] - record.started <= timedelta(hours=5)
    assert {event.detail for event in record.events if event.state == "Retrying"} == {"ResourceThrottled"}
    assert workshop.cloud.fc.cold_starts(target) == 0


def test_what_waits_for_concurrency_runs_when_there_is_some(workshop: Workshop) -> None:
    target = workshop.deploy(
        "def handler(event, context):\n    time.sleep(30)\n    return event", timeout=60, reserved_concurrency=1
    )
    with workshop.cloud.timeline.busy():
        for number in range(5):
            workshop.queue(target, str(number).encode())
    workshop.settle()
    records = workshop.cloud.fc.accepted(target)
    assert [(record.state, record.return_payload) for record in records] == [
        ("Succeeded", str(number).encode()) for number in range(5)
    ]
    assert workshop.cloud.fc.cold_starts(target) == 1


def test_an_event_that_has_grown_too_old_is_not_run(workshop: Workshop, messages: Messages) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:SendMessage"))
    target = workshop.deploy(FAILING, max_event_age=15, max_retry_attempts=8, on_failure=QUEUE, role="worker")
    workshop.queue(target)
    workshop.settle()
    assert len(workshop.marks("attempts")) == 2
    assert (workshop.only(target).state, workshop.only(target).error) == ("Expired", EXPIRED)
    ((_, envelope),) = messages.sent
    assert envelope["requestContext"]["condition"] == EXPIRED


def test_a_used_task_id_is_refused_where_tasks_are_enabled(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return 1", task=True)
    workshop.queue(target, b"", "once")
    workshop.settle()
    with pytest.raises(ApiError, match="409"):
        workshop.queue(target, b"", "once")
    assert [record.task_id for record in workshop.cloud.fc.tasks(target)] == ["once"]
    assert workshop.cloud.fc.task(target, "once").state == "Succeeded"
    with pytest.raises(ApiError, match="404"):
        workshop.cloud.fc.task(target, "never")


def test_task_ids_mean_nothing_where_they_are_not(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return 1")
    workshop.queue(target, b"", "once")
    workshop.queue(target, b"", "once")
    workshop.settle()
    assert len(workshop.cloud.fc.accepted(target)) == 2
    assert workshop.cloud.fc.tasks(target) == []
    with pytest.raises(ApiError, match="404"):
        workshop.cloud.fc.task(target, "once")


def test_a_task_that_waits_can_be_stopped(workshop: Workshop) -> None:
    target = workshop.deploy(FAILING, task=True)
    with workshop.cloud.timeline.busy():
        workshop.queue(target, b"", "stopped")
        until(lambda: workshop.only(target).state == "Retrying", "not tried")
        workshop.cloud.fc.stop_task(target, "stopped")
    workshop.settle()
    assert states(workshop, target)[-2:] == ["Stopping", "Stopped"]
    assert len(workshop.marks("attempts")) == 1


def test_a_task_that_runs_loses_its_instance_and_is_not_retried(workshop: Workshop, messages: Messages) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:*"))
    target = workshop.deploy(WAITING, timeout=60, task=True, on_failure=QUEUE, role="worker")
    workshop.queue(target, b"", "stopped")
    until(lambda: workshop.marks("began") == ["began"], "it does not run")
    workshop.cloud.fc.stop_task(target, "stopped")
    workshop.settle()
    assert states(workshop, target)[-3:] == ["Running", "Stopping", "Stopped"]
    assert workshop.cloud.fc.instances(target) == []
    assert messages.sent == []
    workshop.cloud.fc.stop_task(target, "stopped")
    assert workshop.only(target).state == "Stopped"


def test_a_task_that_is_stopped_before_it_has_an_instance_does_not_run(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60)
    workshop.cloud.fc.cancel("r-1")
    assert "Process exited" in error_of(workshop.cloud.fc.run(target, b"", "r-1", 0))["errorMessage"]
    assert workshop.marks("began") == []


def test_the_configuration_can_be_replaced(workshop: Workshop) -> None:
    target = workshop.deploy(FAILING)
    with pytest.raises(ApiError, match="404 AsyncConfigNotExists"):
        workshop.cloud.fc.async_config(target)
    first = workshop.cloud.fc.set_async_config(target, AsyncConfig(max_retry_attempts=5))
    second = workshop.cloud.fc.set_async_config(target, AsyncConfig(max_retry_attempts=0))
    assert (second.created, workshop.cloud.fc.async_config(target)) == (first.created, second)
    workshop.queue(target)
    workshop.settle()
    assert len(workshop.marks("attempts")) == 1


def test_a_failure_goes_to_the_queue_in_the_documented_envelope(workshop: Workshop, messages: Messages) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:SendMessage"))
    target = workshop.deploy(FAILING, on_failure=QUEUE, on_success=TOPIC, role="worker", max_retry_attempts=2)
    request_id = workshop.queue(target, "grüße".encode())
    workshop.settle()
    ((arn, envelope),) = messages.sent
    assert arn == QUEUE
    body = json.loads(envelope.pop("responsePayload"))
    assert (body["errorMessage"], body["errorType"]) == ("grüße", "ValueError")
    assert abs(envelope.pop("timestamp") / 1000 - workshop.cloud.clock.now().timestamp()) < BOUND
    assert envelope == {
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:functions/f",
            "condition": "UnhandledInvocationError",
            "approximateInvokeCount": 3,
        },
        "requestPayload": "grüße",
        "responseContext": {"statusCode": 200, "functionError": "UnhandledInvocationError"},
    }
    assert workshop.only(target).destination_status == "Succeeded"
    assert ("mns:SendMessage", QUEUE) in workshop.cloud.ram.used("worker")


def test_a_success_goes_to_the_topic(workshop: Workshop, messages: Messages) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:PublishMessage"))
    target = workshop.deploy(
        "def handler(event, context):\n    return {'done': 1}", on_failure=QUEUE, on_success=TOPIC, role="worker"
    )
    workshop.queue(target, b"in")
    workshop.settle()
    ((arn, envelope),) = messages.sent
    assert arn == TOPIC
    assert (envelope["requestPayload"], envelope["responsePayload"]) == ("in", '{"done": 1}')
    assert envelope["requestContext"]["condition"] == ""
    assert envelope["responseContext"] == {"statusCode": 200, "functionError": ""}


def test_a_destination_can_be_another_function(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", policy("fc:InvokeFunction"))
    told = workshop.deploy("def handler(event, context):\n    return event", "told")
    failing = workshop.deploy(
        FAILING, on_failure=f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:functions/told", role="worker", max_retry_attempts=0
    )
    workshop.queue(failing, b"why")
    workshop.settle()
    assert json.loads(workshop.only(told).return_payload)["requestPayload"] == "why"


@pytest.mark.parametrize(
    ("destination", "role", "status"),
    [
        (QUEUE, "nobody", "Failed: AccessDenied"),
        (QUEUE, None, "Failed: AccessDenied"),
        (QUEUE.replace("failed", "full"), "worker", "Failed: QueueFull"),
        (f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:functions/missing", "worker", "Failed: FunctionNotFound"),
    ],
)
def test_what_does_not_reach_its_destination_is_noted(
    workshop: Workshop, messages: Messages, destination: str, role: str | None, status: str
) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:*", "fc:*"))
    workshop.cloud.fc.add_role("nobody", policy("kms:*"))
    target = workshop.deploy(FAILING, on_failure=destination, role=role, max_retry_attempts=0)
    workshop.queue(target)
    workshop.settle()
    assert (workshop.only(target).state, workshop.only(target).destination_status) == ("Failed", status)
    assert messages.sent == []


def test_without_a_message_queue_there_is_no_such_queue(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", policy("mns:*"))
    workshop.cloud.fc.send_messages_to(None)
    target = workshop.deploy(FAILING, on_failure=QUEUE, role="worker", max_retry_attempts=0)
    workshop.queue(target)
    workshop.settle()
    assert workshop.only(target).destination_status == "Failed: QueueNotExist"


def test_an_unknown_kind_of_destination_is_refused(workshop: Workshop) -> None:
    with pytest.raises(Exception, match="no queue, topic or function"):
        workshop.deploy(FAILING, on_failure=f"acs:eventbridge:{FC_REGION}:{ACCOUNT_ID}:eventbus/default")


@pytest.mark.parametrize("config", [AsyncConfig(on_success="nowhere"), AsyncConfig(on_failure="nowhere")])
def test_a_configuration_with_such_a_destination_is_refused(workshop: Workshop, config: AsyncConfig) -> None:
    target = workshop.deploy(FAILING)
    with pytest.raises(ApiError, match="400 InvalidArgument: destination 'nowhere' is no queue, topic or function"):
        workshop.cloud.fc.set_async_config(target, config)


def test_what_a_function_that_is_gone_ended_with_is_sent_nowhere(workshop: Workshop, messages: Messages) -> None:
    outcome = Outcome("r-1", "acs:fc", "UnhandledInvocationError", 1, b"", b"", "UnhandledInvocationError")
    assert workshop.cloud.fc.deliver(Target("gone"), QUEUE, outcome) == "Failed: FunctionNotFound"
    assert messages.sent == []


def test_no_trigger_and_no_destination_has_more_room_than_the_api(workshop: Workshop) -> None:
    told = workshop.deploy("def handler(event, context):\n    return len(event)", "told")
    with pytest.raises(ApiError, match="400 EntityTooLarge"):
        workshop.cloud.fc.invoke_async(told, bytes(LARGEST_ASYNC + 1))
    with pytest.raises(ApiError, match="400 EntityTooLarge"):
        workshop.cloud.fc.invoke(told, bytes(LARGEST_SYNC + 1))
    workshop.cloud.fc.add_role("worker", policy("fc:InvokeFunction"))
    to = f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:functions/told"
    telling = workshop.deploy(
        f"def handler(event, context):\n    return {LARGEST_ASYNC} * 'x'", on_success=to, role="worker"
    )
    workshop.queue(telling)
    workshop.settle()
    assert workshop.only(telling).destination_status == "Failed: EntityTooLarge"
    assert workshop.cloud.fc.accepted(told) == []


def test_an_unknown_role_is_refused(workshop: Workshop) -> None:
    with pytest.raises(FunctionRefusedError, match="there is no role 'stranger'"):
        workshop.deploy(FAILING, role="acs:ram::1:role/stranger")


def test_an_unknown_function_is_not_queued(workshop: Workshop) -> None:
    with pytest.raises(ApiError, match="404 FunctionNotFound"):
        workshop.cloud.fc.invoke_async(Target("nothing"), b"")


def test_hours_of_retries_keep_the_order_of_things(workshop: Workshop) -> None:
    """Two functions fail with different ages: what happens to both is in the order of the clock."""
    workshop.cloud.switches = Switches(async_retry_delay="60 s")
    target = workshop.deploy(FAILING, max_retry_attempts=8)
    with workshop.cloud.timeline.busy():
        workshop.queue(target, b"first")
    workshop.queue(target, b"second")
    workshop.settle()
    times = [float(line.split()[0]) for line in workshop.marks("attempts")]
    assert len(times) == 18
    assert times == sorted(times)
