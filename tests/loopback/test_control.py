from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from alibabacloud_fc20230330.client import Client as FcClient
from alibabacloud_fc20230330.models import InvokeFunctionRequest
from alibabacloud_tea_openapi.exceptions import ClientException
from darabonba.exceptions import UnretryableException

from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.props import HttpConfig, TimerConfig
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import FC_REGION, LocalCloud
from tests.loopback import clients
from tests.loopback.workshop import Workshop


def control(cloud: LocalCloud, verb: str, path: str, body: object = None, token: str | None = None) -> clients.Reply:
    """Use a control as another process would."""
    headers = {"Authorization": f"Bearer {cloud.control_token if token is None else token}"}
    sent = b"" if body is None else json.dumps(body).encode()
    return clients.send(cloud, f"/_localcloud{path}", method=verb, headers=headers, body=sent)


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_token_nothing_is_controlled(cloud: LocalCloud, token: str) -> None:
    assert control(cloud, "POST", "/sign-in", {"UserName": "a", "Password": "b"}, token).status == 401
    assert control(cloud, "DELETE", "/calls", token=token).status == 401


def test_another_process_can_try_a_password(cloud: LocalCloud) -> None:
    reply = control(cloud, "POST", "/sign-in", {"UserName": "nobody", "Password": "x"})
    assert (reply.status, reply.body["answer"]) == (200, "unknown-user")


def test_another_process_can_change_a_users_own_password(cloud: LocalCloud) -> None:
    wanted = {"UserName": "nobody", "OldPassword": "x", "NewPassword": "y"}
    assert control(cloud, "POST", "/change-password", wanted).body["answer"] == "unknown-user"


def test_another_process_can_arm_and_disarm_faults(cloud: LocalCloud) -> None:
    client = clients.kms(cloud)
    clients.create_secret(client)
    fault = {"action": "PutSecretValue", "kind": "error", "status": 409, "code": "X", "where": {"VersionId": "v2"}}
    assert control(cloud, "POST", "/faults", fault).body == {"armed": True}
    with pytest.raises(ClientException) as caught:
        clients.put(client, "v2", "x")
    assert caught.value.code == "X"
    control(cloud, "POST", "/faults", fault)
    assert control(cloud, "DELETE", "/faults").body == {"armed": False}
    assert clients.put(client, "v2", "x").version_id == "v2"


def test_garbage_travels_to_the_controls_as_base64(cloud: LocalCloud) -> None:
    body = base64.b64encode(b"\xff<html>").decode()
    control(cloud, "POST", "/faults", {"action": "*", "kind": "garbage", "body": body})
    with pytest.raises(UnretryableException):
        clients.create_secret(clients.kms(cloud))


def test_another_process_can_move_the_clock(cloud: LocalCloud) -> None:
    before = cloud.clock.now()
    control(cloud, "POST", "/clock", {"Seconds": 86400})
    assert (cloud.clock.now() - before).days == 1


@pytest.mark.parametrize("seconds", [1e300, -1e300, 3e11])
def test_the_clock_is_not_moved_to_where_there_is_no_time(cloud: LocalCloud, seconds: float) -> None:
    assert control(cloud, "POST", "/clock", {"Seconds": seconds}).status == 400
    assert cloud.clock.shifted.total_seconds() == 0


def test_another_process_can_read_and_change_switches(cloud: LocalCloud) -> None:
    assert control(cloud, "GET", "/switches").body["purge"] == "earliest"
    changed = control(cloud, "POST", "/switches", {"purge": "earliest-without-stage"}).body
    assert changed["purge"] == cloud.switches.purge == "earliest-without-stage"
    assert cloud.switches.reset_unlocks is True


def test_another_process_can_release_late_calls(cloud: LocalCloud) -> None:
    control(cloud, "POST", "/faults", {"action": "CreateSecret", "kind": "late"})
    with pytest.raises(UnretryableException):
        clients.create_secret(clients.kms(cloud))
    assert control(cloud, "POST", "/release-late").body == {"released": 1}
    assert clients.current(clients.kms(cloud)) == "first"


def test_a_late_invocation_that_is_released_may_call_the_cloud(workshop: Workshop) -> None:
    cloud = workshop.cloud
    workshop.deploy(
        f"""
        import http.client

        def handler(event, context):
            connection = http.client.HTTPConnection({cloud.endpoint!r}, timeout=5)
            connection.request("GET", "/")
            print("answered", connection.getresponse().status)
        """
    )
    cloud.faults.arm(Fault("InvokeFunction", "late"))
    with pytest.raises(UnretryableException):
        FcClient(clients.config(cloud, FC_REGION)).invoke_function("f", InvokeFunctionRequest())
    assert control(cloud, "POST", "/release-late").body == {"released": 1}
    (record,) = cloud.fc.logs("f")
    assert "answered 400" in record.text


def test_another_process_can_read_and_clear_the_log_of_calls(cloud: LocalCloud) -> None:
    clients.create_secret(clients.kms(cloud))
    logged = control(cloud, "GET", "/calls").body
    assert [(each["action"], each["status"], each["role"]) for each in logged] == [("CreateSecret", 200, "admin")]
    assert control(cloud, "DELETE", "/calls").body == []
    assert len(cloud.calls) == 0


def test_another_process_can_send_to_a_queue_and_read_it(cloud: LocalCloud) -> None:
    assert control(cloud, "POST", "/queues", {"QueueName": "work"}).body == {"QueueName": "work"}
    sent = control(cloud, "POST", "/messages", {"QueueName": "work", "Body": "TEST"}).body
    control(cloud, "POST", "/messages", {"QueueName": "work", "Body": "TEST", "Encoded": True})
    first, second = control(cloud, "GET", "/queues").body["work"]
    assert (first["MessageId"], first["Body"]) == (sent["MessageId"], "TEST")
    assert second["Body"] == base64.b64encode(b"TEST").decode()


def test_another_process_can_publish_to_a_topic_and_see_what_was(cloud: LocalCloud) -> None:
    cloud.smq.create_topic("news")
    sent = control(cloud, "POST", "/topics", {"TopicName": "news", "Body": "TEST", "Attributes": {"a": "b"}}).body
    (published,) = control(cloud, "GET", "/topics").body["news"]
    assert (published["MessageId"], published["Body"]) == (sent["MessageId"], "TEST")


def test_another_process_can_put_an_event_onto_the_bus(cloud: LocalCloud) -> None:
    event = {"id": "e-1", "source": "acme", "specversion": "1.0", "type": "x", "data": {}}
    assert control(cloud, "POST", "/events", event).body == {"EventId": "e-1"}
    assert control(cloud, "GET", "/deliveries").body == []  # no rule is about it


def test_another_process_can_fire_a_timer_and_read_what_came_of_it(skipping: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    print('seen', event)\n", encoding="utf-8")
    target = Target("tick")
    skipping.fc.deploy(FunctionSpec("tick", tmp_path, "index.handler"))
    skipping.timers.deploy(target, "daily", TimerConfig(cron_expression="0 0 2 * * *", enable=True))
    reply = control(skipping, "POST", "/timers", {"FunctionName": "tick", "TriggerName": "daily"})
    skipping.timeline.settle()
    (record,) = control(skipping, "GET", "/logs").body
    assert (record["function"], record["request_id"]) == ("tick", reply.body["RequestId"])
    assert '"triggerName": "daily"' in record["text"]


def test_another_process_learns_where_the_http_triggers_answer(skipping: LocalCloud) -> None:
    assert control(skipping, "GET", "/triggers").body == []
    skipping.http.deploy(Target("status"), "page", HttpConfig(auth_type="function", methods=["GET"]))
    url = skipping.fc.url("status", "page")
    assert control(skipping, "GET", "/triggers").body == [{"FunctionName": "status", "TriggerName": "page", "URL": url}]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/faults", {"action": "X", "kind": "explode"}, "explode"),
        ("/faults", {"action": "X", "kind": "throttle", "nht": 2}, "nht: Fault has no such field"),
        ("/faults", {"action": "X", "kind": "redirect"}, "a redirect needs a location"),
        ("/switches", {"purge": "latest"}, "latest"),
        ("/switches", {"purges": "earliest"}, "purges: Switches has no such field"),
        ("/sign-in", {"UserName": "a"}, "Password"),
        ("/clock", {"Seconds": "soon"}, "Seconds"),
        ("/clock", None, "Input data was truncated"),
        ("/queues", {"QueueName": "a_b"}, "no name for one of queues"),
        ("/messages", {"QueueName": "none", "Body": "x"}, "The queue 'none' does not exist"),
        ("/messages", {"QueueName": "none", "Text": "x"}, "Text"),
        ("/topics", {"TopicName": "none", "Body": "x"}, "The topic 'none' does not exist"),
        ("/events", {"id": "1"}, "The event lacks source"),
        ("/events", [], "Expected `object`"),
        ("/timers", {"FunctionName": "f", "TriggerName": "t"}, "There is no timer t of function f"),
    ],
)
def test_a_control_that_is_not_understood_says_why(cloud: LocalCloud, path: str, body: object, said: str) -> None:
    reply = control(cloud, "POST", path, body)
    assert reply.status == 400
    assert said in reply.body["error"]
