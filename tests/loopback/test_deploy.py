"""An s.yaml deployed: its functions as real processes, its triggers at work."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment import Deployment, policy
from tests.localcloud.api import ApiError
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.variables import ManifestRefusedError
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import ACCOUNT_ID, ADMIN_POLICY, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.package import for_this_interpreter

ROOT = Path(__file__).parents[2]
MNS = f"acs:mns:{FC_REGION}:{ACCOUNT_ID}:"
ROLES = {"worker": [ADMIN_POLICY]}
CODE = """
    import json, os, pathlib, signal

    DEATH = pathlib.Path({death!r})

    def handler(event, context):
        print("got", event.decode())
        if b"deadly" in event and not DEATH.exists():
            DEATH.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if b"poison" in event:
            raise RuntimeError("cannot digest it")
        return {"Seen": json.loads(event)}
"""


def trigger(name: str, kind: str, config: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"triggerName": name, "triggerType": kind, "triggerConfig": config, **more}


def eventbridge(name: str, source: dict[str, Any], *, asynchronous: bool, **options: object) -> dict[str, Any]:
    """Return a trigger from the bus, or from a queue."""
    config = {
        "triggerEnable": True,
        "asyncInvocationType": asynchronous,
        "eventRuleFilterPattern": "{}" if source else '{"type": [{"prefix": "test:"}]}',
        "eventSourceConfig": {"eventSourceType": "MNS" if source else "Default", "eventSourceParameters": source},
        "eventSinkConfig": {"deliveryOption": {"eventSchema": "CloudEvents"}},
        "runOptions": {"mode": "event-streaming" if source else "event-driven", **options},
    }
    return trigger(name, "eventbridge", config)


def document(*triggers: dict[str, Any]) -> dict[str, Any]:
    """Return an s.yaml of one function with these triggers."""
    props = {
        "region": "${env('FC_REGION')}",
        "functionName": "worker",
        "runtime": "python3.10",
        "code": "./src",
        "handler": "index.handler",
        "timeout": 10,
        "role": "acs:ram::${config('AccountID')}:role/worker",
        "asyncInvokeConfig": {
            "maxAsyncRetryAttempts": 1,
            "destinationConfig": {
                "onSuccess": {"destination": f"{MNS}/topics/done/messages"},
                "onFailure": {"destination": f"{MNS}/queues/dead/messages"},
            },
        },
        "environmentVariables": {"WHO": "${this.props.functionName}"},
        "triggers": list(triggers),
    }
    return {"edition": "3.0.0", "name": "app", "resources": {"worker": {"component": "fc3", "props": props}}}


STREAM = eventbridge(
    "requests",
    {"sourceMNSParameters": {"QueueName": "work", "IsBase64Decode": False}},
    asynchronous=False,
    errorsTolerance="ALL",
    deadLetterQueue={"Arn": f"{MNS}/queues/dead"},
    batchWindow={"CountBasedWindow": 2, "TimeBasedWindow": 3},
)
ALERTS = eventbridge("alerts", {}, asynchronous=True)
DAILY = trigger("daily", "timer", {"cronExpression": "0 0 2 * * *", "enable": True, "payload": "{}"})
NEWS = trigger(
    "news",
    "mns_topic",
    {"notifyContentFormat": "JSON", "notifyStrategy": "BACKOFF_RETRY"},
    sourceArn=f"{MNS}/topics/news",
)


class Site:
    """A folder with an s.yaml and code, and a cloud to deploy it into."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.cloud = cloud
        self.path = folder / "s.yaml"
        (folder / "src").mkdir()
        code = textwrap.dedent(CODE).replace("{death!r}", repr(str(folder / "death")))
        (folder / "src" / "index.py").write_text(code, encoding="utf-8")
        for name in ("work", "dead"):
            cloud.smq.create_queue(name)
        for name in ("news", "done"):
            cloud.smq.create_topic(name)

    def deploy(self, *triggers: dict[str, Any], **environ: str) -> Manifest:
        self.path.write_text(yaml.safe_dump(document(*triggers)), encoding="utf-8")
        return self.cloud.deploy(self.path, {"FC_REGION": FC_REGION, **environ}, ROLES)

    def seen(self) -> list[Any]:
        """Return every event that the function was given, once nothing is due."""
        self.cloud.timeline.settle()
        lines = [line for record in self.cloud.fc.logs("worker") for line in record.text.splitlines()]
        return [json.loads(line.partition("got ")[2]) for line in lines if line.startswith("got ")]

    def dead(self) -> list[Any]:
        return [json.loads(message.body) for message in self.cloud.smq.queue("dead").messages()]


@pytest.fixture
def site(skipping: LocalCloud, tmp_path: Path) -> Site:
    return Site(skipping, tmp_path)


def test_a_queue_feeds_the_function_and_what_it_cannot_digest_is_kept(site: Site) -> None:
    site.deploy(STREAM)
    with site.cloud.timeline.busy():
        for body in ("one", "two", "poison"):
            site.cloud.smq.send("work", body)
    events = site.seen()
    assert [[event["data"]["messageBody"] for event in batch] for batch in events] == [
        ["one", "two"],
        *[["poison"]] * 4,
    ]
    assert [event["data"]["messageBody"] for event in site.dead()] == ["poison"]
    assert [(ended.end, ended.failures) for ended in site.cloud.eventbridge.ends] == [
        ("delivered", ()),
        ("dead-lettered", ("UnhandledInvocationError",) * 4),
    ]
    assert len(site.cloud.smq.queue("work")) == 0


def test_a_batch_whose_instance_was_killed_is_delivered_again(site: Site) -> None:
    site.deploy(STREAM)
    site.cloud.smq.send("work", "deadly")
    assert site.seen()[-1][0]["data"]["messageBody"] == "deadly"
    assert [(ended.end, len(ended.failures)) for ended in site.cloud.eventbridge.ends] == [("delivered", 1)]
    assert len(site.cloud.smq.queue("work")) == 0


def test_an_alert_that_fails_ends_at_the_destination_of_failures(site: Site) -> None:
    site.deploy(ALERTS)
    event = {"id": "e-1", "source": "acme", "specversion": "1.0", "type": "test:x", "data": {"What": "poison"}}
    site.cloud.eventbridge.put(event)
    site.cloud.eventbridge.put({**event, "type": "other:x"})
    assert [each["id"] for each in site.seen()] == ["e-1", "e-1"]
    (letter,) = site.dead()
    assert letter["requestContext"]["approximateInvokeCount"] == 2
    assert json.loads(letter["requestPayload"])["id"] == "e-1"


def test_a_timer_fires_when_it_is_told_to_and_when_its_time_comes(site: Site) -> None:
    site.deploy(DAILY)
    site.cloud.fc.fire("worker", "daily")
    assert [event["triggerName"] for event in site.seen()] == ["daily"]
    site.cloud.clock.shift(86_400)
    first, second = site.seen()
    assert second["triggerTime"].endswith("T02:00:00Z")
    assert first["payload"] == second["payload"] == "{}"
    (done, _) = site.cloud.smq.topic("done").published
    assert json.loads(done.message.body)["requestContext"]["condition"] == ""


def test_what_is_published_to_a_topic_reaches_the_function(site: Site) -> None:
    site.deploy(NEWS)
    site.cloud.smq.publish("news", "hello topic")
    (event,) = site.seen()
    assert (event["Message"], event["SubscriptionName"]) == ("hello topic", "news")


def test_a_trigger_that_is_not_in_the_manifest_any_more_is_gone(site: Site) -> None:
    site.deploy(DAILY, STREAM, NEWS)
    site.deploy(ALERTS)
    site.cloud.smq.send("work", "one")
    site.cloud.smq.publish("news", "two")
    site.cloud.clock.shift(86_400)
    assert site.seen() == []
    assert len(site.cloud.smq.queue("work").peek()) == 1
    with pytest.raises(ApiError, match="TriggerNotFound"):
        site.cloud.fc.fire("worker", "daily")


def test_a_queue_a_topic_or_a_role_that_is_not_there_is_refused(site: Site, skipping: LocalCloud) -> None:
    source = {"sourceMNSParameters": {"QueueName": "none"}}
    with pytest.raises(ManifestRefusedError, match="none of queues does not exist"):
        site.deploy(eventbridge("q", source, asynchronous=False))
    with pytest.raises(ManifestRefusedError, match="none of topics does not exist"):
        site.deploy({**NEWS, "sourceArn": f"{MNS}/topics/none"})
    site.deploy()
    with pytest.raises(ManifestRefusedError, match="there is no role worker"):
        skipping.deploy(site.path, {"FC_REGION": FC_REGION}, {})


# the project's own


def own(cloud: LocalCloud) -> dict[str, str]:
    """Return the environment that s.yaml asks for."""
    return {
        "FC_REGION": FC_REGION,
        "LOG_PROJECT": "loopback",
        "CLOUDSSO_DIRECTORY_ID": cloud.cloudsso.directory_id,
        "CLOUDSSO_REGION": DIRECTORY_REGION,
        "CLOUDSSO_ENDPOINT": f"http://{cloud.endpoint}",
        "KMS_REGION": KMS_REGION,
        "KMS_ENDPOINT": f"http://{cloud.endpoint}",
        "ROTATION_ENDPOINT": f"http://{cloud.endpoint}",
    }


def deploy_own(cloud: LocalCloud) -> Manifest:
    """Deploy the project's own s.yaml, with a role that may do what the rotator's policy says."""
    manifest = Manifest.read(ROOT / "s.yaml", own(cloud), ACCOUNT_ID)
    for name in manifest.queues():
        cloud.smq.create_queue(name)
    for name in manifest.topics():
        cloud.smq.create_topic(name)
    messages = {"Effect": "Allow", "Action": ["mns:SendMessage", "mns:PublishMessage"], "Resource": "*"}
    rotator = [policy(cloud.cloudsso.directory_id), {"Version": "1", "Statement": [messages]}]
    roles: dict[str, list[dict[str, Any]]] = {name: [ADMIN_POLICY] for name in manifest.roles()}
    roles["cloudsso-rotator-reset-password"] = rotator
    return cloud.deploy(ROOT / "s.yaml", own(cloud), roles, code=for_this_interpreter())


def test_a_request_in_the_queue_of_the_projects_own_manifest_rotates_a_password(skipping: LocalCloud) -> None:
    people = Deployment(skipping)
    people.add_user("alice", "Old-Secret-01!")
    deploy_own(skipping)
    skipping.smq.send("cloudsso-rotator-requests", '{"UserName": "alice"}', encoded=True)
    skipping.timeline.settle()
    assert people.current_signs_in("alice") == "ok"
    assert [ended.end for ended in skipping.eventbridge.ends] == ["delivered"]
    assert len(skipping.smq.queue("cloudsso-rotator-dead-letters")) == 0


def test_an_alert_on_the_bus_rotates_a_password_through_the_projects_own_manifest(skipping: LocalCloud) -> None:
    people = Deployment(skipping)
    people.add_user("alice", "Old-Secret-01!")
    deploy_own(skipping)
    skipping.eventbridge.put(json.loads((ROOT / "events" / "security-alert.json").read_bytes()))
    skipping.timeline.settle()
    assert people.current_signs_in("alice") == "ok"
    (result,) = skipping.smq.topic("cloudsso-rotator-results").published
    assert json.loads(result.message.body)["requestContext"]["condition"] == ""


def test_a_manifest_for_another_region_is_refused(skipping: LocalCloud) -> None:
    with pytest.raises(ManifestRefusedError, match="region: is cn-beijing; Function Compute of this cloud is in"):
        skipping.deploy(ROOT / "s.yaml", {**own(skipping), "FC_REGION": "cn-beijing"}, {})


def test_what_failed_for_good_is_rotated_when_it_is_fed_back(skipping: LocalCloud) -> None:
    people = Deployment(skipping)
    for name in ("alice", "bob"):
        people.add_user(name, "Old-Secret-01!")
    deploy_own(skipping)
    requests = skipping.smq.queue("cloudsso-rotator-requests")
    dead_letters = skipping.smq.queue("cloudsso-rotator-dead-letters")
    skipping.faults.arm(Fault("*", "error", status=503, code="ServiceUnavailable", count=100_000))
    with skipping.timeline.busy():
        for name in ("alice", "bob"):
            requests.send(json.dumps({"UserName": name}))
    skipping.timeline.settle()
    assert (len(requests), dead_letters.messages() != []) == (0, True)
    skipping.faults.clear()
    for receipt in dead_letters.receive(limit=16):
        requests.send(receipt.message.body)
        dead_letters.delete(receipt.handle)
    skipping.timeline.settle()
    assert [people.current_signs_in(name) for name in ("alice", "bob")] == ["ok", "ok"]
    assert (len(requests), len(dead_letters)) == (0, 0)
