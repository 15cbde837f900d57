from __future__ import annotations

import base64
import re

import pytest

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.smq.service import Smq
from tests.localcloud.smq.topics import Published, Subscription

ARN = "acs:mns:cn-shanghai:1510000000000001:/{}/{}/messages"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def smq(clock: Clock) -> Smq:
    """Return queues and topics, of which one each exists."""
    made = Smq(clock)
    made.create_queue("work")
    made.create_topic("news")
    return made


# queues


def test_messages_come_oldest_first_and_stay_until_they_are_deleted(smq: Smq) -> None:
    queue = smq.queue("work")
    first, second = queue.send("one"), queue.send("two")
    receipts = queue.receive(limit=16)
    assert [receipt.message for receipt in receipts] == [first, second]
    assert queue.receive() == []
    assert len(queue) == 2
    queue.delete(receipts[0].handle)
    assert queue.messages() == [second]


def test_a_message_that_is_not_deleted_comes_back(smq: Smq, clock: Clock) -> None:
    queue = smq.queue("work")
    queue.send("one")
    (receipt,) = queue.receive(visibility=3600)
    clock.shift(3000)
    assert queue.peek() == []
    clock.shift(700)
    assert [message.body for message in queue.peek()] == ["one"]
    (again,) = queue.receive()
    assert (again.message.id, again.count) == (receipt.message.id, 2)


def test_only_the_last_receipt_deletes(smq: Smq) -> None:
    queue = smq.queue("work")
    queue.send("one")
    (receipt,) = queue.receive(visibility=0)
    (again,) = queue.receive()
    with pytest.raises(ApiError, match="MessageNotExist"):
        queue.delete(receipt.handle)
    queue.delete(again.handle)
    with pytest.raises(ApiError, match="MessageNotExist"):
        queue.delete(again.handle)


def test_what_is_hidden_without_end_comes_back_when_it_is_released(smq: Smq, clock: Clock) -> None:
    queue = smq.queue("work")
    queue.send("one")
    (receipt,) = queue.receive(visibility=None)
    clock.shift(86_400)
    assert queue.peek() == []
    queue.release(receipt.handle)
    assert len(queue.peek()) == 1


def test_whoever_watches_is_told_of_what_became_visible(smq: Smq) -> None:
    queue, told = smq.queue("work"), []
    queue.watch(lambda: told.append(len(queue.peek())))
    queue.send("one")
    (receipt,) = queue.receive(visibility=None)
    queue.release(receipt.handle)
    assert told == [1, 1]


def test_a_body_may_be_sent_as_the_python_sdk_sends_it(smq: Smq) -> None:
    message = smq.send("work", '{"UserName": "alice"}', encoded=True)
    assert base64.b64decode(message.body) == b'{"UserName": "alice"}'
    assert message.text == '{"UserName": "alice"}'
    assert smq.send("work", "{}").text == "{}"


def test_a_message_has_an_id_a_checksum_and_a_time(smq: Smq, clock: Clock) -> None:
    clock.shift(-3600)
    before = clock.now()
    message = smq.send("work", "TEST")
    assert re.fullmatch(r"[0-9A-F]{32}", message.id)
    assert message.md5 == "033BD94B1168D7E4F0D644C3C95E35BF"
    assert before <= message.published <= clock.now()


def test_a_value_is_not_in_what_is_printed_of_a_message(smq: Smq) -> None:
    assert "hush" not in repr(smq.send("work", "hush"))


@pytest.mark.parametrize("body", ["", "x" * 65_537])
@pytest.mark.parametrize("where", ["queues", "topics"])
def test_a_body_that_smq_does_not_take_is_refused(smq: Smq, where: str, body: str) -> None:
    with pytest.raises(ApiError, match="InvalidArgument"):
        smq.send(ARN.format(where, {"queues": "work", "topics": "news"}[where]), body)


# names


def test_a_queue_and_a_topic_are_found_by_arn(smq: Smq) -> None:
    smq.send(ARN.format("queues", "work"), "one")
    assert [message.body for message in smq.queue("work").messages()] == ["one"]
    smq.send(ARN.format("topics", "news"), "two")
    assert [each.message.body for each in smq.topic("news").published] == ["two"]
    assert smq.queue("acs:mns:cn-shanghai:1510000000000001:queues/work") is smq.queue("work")


def test_creating_again_changes_nothing(smq: Smq) -> None:
    smq.send("work", "one")
    assert len(smq.create_queue("work")) == 1
    assert smq.create_topic("news") is smq.topic("news")
    assert ([each.name for each in smq.queues()], [each.name for each in smq.topics()]) == (["work"], ["news"])


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("none", "QueueNotExist"),
        (ARN.format("queues", "none"), "QueueNotExist"),
        (ARN.format("topics", "none"), "TopicNotExist"),
        ("acs:mns:cn-shanghai:1:/queue/jobs/messages", "InvalidArgument"),
        ("acs:kms:cn-shanghai:1:secret/work", "InvalidArgument"),
    ],
)
def test_sending_to_what_is_not_there_is_refused(smq: Smq, where: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        smq.send(where, "x")
    assert caught.value.code == code


def test_a_topic_is_no_queue(smq: Smq) -> None:
    with pytest.raises(ApiError, match="not one of queues"):
        smq.queue(ARN.format("topics", "news"))


@pytest.mark.parametrize("name", ["", "a_b", "-a", "a" * 121])
def test_a_name_that_smq_does_not_take_is_refused(smq: Smq, name: str) -> None:
    with pytest.raises(ApiError, match="InvalidArgument"):
        smq.create_queue(name)


# topics


def test_what_is_published_goes_to_every_subscription_that_wants_it(smq: Smq) -> None:
    got: dict[str, list[Published]] = {"all": [], "tagged": []}
    smq.topic("news").subscribe(Subscription("all", got["all"].append))
    smq.topic("news").subscribe(Subscription("tagged", got["tagged"].append, filter_tag="urgent"))
    smq.publish("news", "one")
    smq.publish("news", "two", {"Extend": "{}"}, tag="urgent")
    assert [each.message.body for each in got["all"]] == ["one", "two"]
    assert [(each.message.body, each.attributes) for each in got["tagged"]] == [("two", {"Extend": "{}"})]
    smq.topic("news").unsubscribe("all")
    smq.publish("news", "three")
    assert len(got["all"]) == 2
