from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest

from tests.localcloud.api import ApiError
from tests.localcloud.eventbridge.push import delays
from tests.localcloud.switches import Switches
from tests.loopback.eventbridge import ACCOUNT, DEAD, FUNCTION, Invocation, World, config, fail, refuse, running

ALERT = {"id": "e-1", "source": "acme", "specversion": "1.0", "type": "security:Alert:Leak", "data": {"UserName": "a"}}
DECAY = [1, 2, 4, 8, 16, 32, 64, 128, 256, *[512] * 167]


@pytest.fixture
def world() -> Iterator[World]:
    with running() as made:
        yield made


def bodies(world: World) -> list[list[str]]:
    """Return the messages of each invocation, once nothing is due."""
    return [invocation.bodies for invocation in world.settle()]


def seconds_between(invocations: list[Invocation]) -> list[float]:
    return [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(invocations)]


def ends(world: World) -> list[tuple[str, int]]:
    """Return how each delivery ended, and how many attempts failed."""
    return [(ended.end, len(ended.failures)) for ended in world.eventbridge.ends]


# the events of a queue


def test_a_message_becomes_an_array_of_one_event_and_leaves_the_queue(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config())
    message = world.work.send("TEST")
    (invocation,) = world.settle()
    (event,) = invocation.event
    assert (invocation.target, invocation.asynchronous) == (FUNCTION, False)
    assert event["data"] == {
        "requestId": event["data"]["requestId"],
        "messageId": message.id,
        "messageBody": "TEST",
    }
    assert event["type"] == "mns:Queue:SendMessage"
    assert event["subject"] == f"acs:mns:cn-hangzhou:{ACCOUNT}:queues/work"
    assert event["source"] == event["aliyuneventbusname"] == "MNS-Function-q"
    assert event["time"].endswith("Z")
    assert len(world.work) == 0
    assert ends(world) == [("delivered", 0)]


def test_the_keys_of_an_event_are_the_documented_ones(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config())
    world.work.send("TEST")
    ((event,),) = [invocation.event for invocation in world.settle()]
    assert list(event) == [
        "id",
        "source",
        "specversion",
        "type",
        "datacontenttype",
        "subject",
        "time",
        "aliyunaccountid",
        "aliyunpublishtime",
        "aliyunoriginalaccountid",
        "aliyuneventbusname",
        "aliyunregionid",
        "aliyunpublishaddr",
        "data",
    ]


def test_raw_data_is_the_data_of_each_event(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(schema="RawData"))
    message = world.work.send("TEST")
    ((element,),) = [invocation.event for invocation in world.settle()]
    assert element.keys() == {"requestId", "messageId", "messageBody"}
    assert element["messageId"] == message.id


def test_in_event_mode_each_message_comes_alone_and_without_an_array(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(mode="event-driven"))
    with world.timeline.busy():
        world.work.send("one")
        world.work.send("two")
    events = [invocation.event for invocation in world.settle()]
    assert [event["data"]["messageBody"] for event in events] == ["one", "two"]


def test_what_was_in_the_queue_before_is_delivered_too(world: World) -> None:
    world.work.send("early")
    world.eventbridge.deploy(FUNCTION, "q", config())
    assert bodies(world) == [["early"]]


@pytest.mark.parametrize(
    ("decode", "undecodable", "sent", "encoded", "seen"),
    [
        (False, "kept", '{"a": 1}', False, '{"a": 1}'),
        (False, "kept", "TEST", True, base64.b64encode(b"TEST").decode()),
        (True, "kept", "TEST!", True, "TEST!"),
        (True, "kept", '{"a": 1}', False, '{"a": 1}'),
        (True, "mangled", '{"a": 1}', False, "k"),
    ],
)
def test_a_body_in_base64_is_decoded_where_the_trigger_says_so(  # noqa: PLR0913 - an example's columns
    world: World, *, decode: bool, undecodable: Literal["kept", "mangled"], sent: str, encoded: bool, seen: str
) -> None:
    world.switches = replace(Switches(), undecodable_body=undecodable)
    world.eventbridge.deploy(FUNCTION, "q", config(decode=decode))
    world.work.send(sent, encoded=encoded)
    assert bodies(world) == [[seen]]


def test_a_message_that_the_pattern_is_not_about_leaves_the_queue_undelivered(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(pattern={"data": {"messageBody": [{"prefix": "yes"}]}}))
    with world.timeline.busy():
        for body in ("no", "yes-1", "no"):
            world.work.send(body)
    assert bodies(world) == [["yes-1"]]
    assert len(world.work) == 0


# batches


def test_a_full_batch_leaves_at_once(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(batchWindow={"CountBasedWindow": 3, "TimeBasedWindow": 15}))
    with world.timeline.busy():
        before = world.clock.shifted
        for number in range(6):
            world.work.send(str(number))
    assert bodies(world) == [["0", "1", "2"], ["3", "4", "5"]]
    assert world.clock.shifted == before


def test_a_batch_that_does_not_fill_leaves_when_its_time_is_over(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(batchWindow={"CountBasedWindow": 3, "TimeBasedWindow": 15}))
    with world.timeline.busy():
        first = world.work.send("0")
        world.work.send("1")
    (invocation,) = world.settle()
    assert invocation.bodies == ["0", "1"]
    assert (invocation.at - first.published).total_seconds() >= 15


def test_the_time_of_a_batch_counts_from_its_first_message(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(batchWindow={"CountBasedWindow": 9, "TimeBasedWindow": 10}))
    with world.timeline.busy():
        world.timeline.after(7, lambda: world.work.send("later"))
        first = world.work.send("first")
        world.timeline.after(12, lambda: world.work.send("last"))
    one, two = world.settle()
    assert (one.bodies, two.bodies) == (["first", "later"], ["last"])
    assert (one.at - first.published).total_seconds() >= 10


def test_without_a_window_in_time_a_batch_takes_what_is_there(world: World) -> None:
    for number in range(5):
        world.work.send(str(number))
    world.eventbridge.deploy(FUNCTION, "q", config(batchWindow={"CountBasedWindow": 4, "TimeBasedWindow": 0}))
    assert bodies(world) == [["0", "1", "2", "3"], ["4"]]


def most_at_once(world: World, wanted: int) -> int:
    """Return how many batches were on their way at once, where each waits until so many are."""
    together, most, lock = [0], [0], threading.Condition()

    def respond(_invocation: Invocation) -> str | None:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
            lock.notify_all()
        with world.timeline.waiting(), lock:
            lock.wait_for(lambda: most[0] >= wanted, timeout=20)
        with lock:
            together[0] -= 1
        return None

    world.functions.respond = respond
    world.timeline.watch(lambda: together[0] == 0)  # no time passes while a function is at work
    with world.timeline.busy():
        for number in range(6):
            world.work.send(str(number))
    assert sorted(sum(bodies(world), [])) == ["0", "1", "2", "3", "4", "5"]  # noqa: RUF017 - six
    return most[0]


def test_one_batch_of_a_queue_is_on_its_way_at_a_time(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(concurrency=3))
    assert most_at_once(world, wanted=1) == 1


def test_under_the_other_reading_as_many_as_the_trigger_says_are(world: World) -> None:
    world.switches = replace(Switches(), queue_concurrency=True)
    world.eventbridge.deploy(FUNCTION, "q", config(concurrency=3))
    assert most_at_once(world, wanted=3) == 3


# failure


@pytest.mark.parametrize("failure", [fail, refuse])
def test_a_batch_that_fails_is_tried_three_times_more_after_10_to_20_seconds(
    world: World, failure: Callable[[Invocation], str | None]
) -> None:
    world.functions.respond = failure
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="ALL"))
    world.work.send("poison")
    invocations = world.settle()
    assert len(invocations) == 4
    assert all(seconds >= 10 for seconds in seconds_between(invocations))
    assert ends(world) == [("dropped", 4)]
    assert len(world.work) == 0


def test_a_batch_that_succeeds_at_last_is_delivered(world: World) -> None:
    answers = iter(["UnhandledInvocationError", "UnhandledInvocationError", None])
    world.functions.respond = lambda _invocation: next(answers)
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="ALL"))
    world.work.send("one")
    first, second, third = world.settle()
    assert first.payload == second.payload == third.payload
    assert ends(world) == [("delivered", 2)]


def test_while_a_batch_is_tried_its_messages_stay_in_the_queue_unseen(world: World) -> None:
    seen: list[tuple[int, int]] = []

    def respond(_invocation: Invocation) -> str | None:
        seen.append((len(world.work), len(world.work.receive(limit=16))))
        return "UnhandledInvocationError" if len(seen) < 3 else None

    world.functions.respond = respond
    world.eventbridge.deploy(FUNCTION, "q", config())
    world.work.send("one")
    world.settle()
    assert seen == [(1, 0)] * 3
    assert len(world.work) == 0


def test_what_could_not_be_delivered_goes_as_it_is_into_the_dead_letter_queue(world: World) -> None:
    world.functions.respond = lambda invocation: (
        "UnhandledInvocationError" if "poison" in str(invocation.bodies) else None
    )
    options = {"errorsTolerance": "ALL", "deadLetterQueue": {"Arn": DEAD}, "batchWindow": {"CountBasedWindow": 2}}
    world.eventbridge.deploy(FUNCTION, "q", config(**options))
    for body in ("fine", "poison", "last"):
        world.work.send(body)
    world.settle()
    undelivered = [json.loads(message.body) for message in world.dead.messages()]
    tried = [event for invocation in world.functions.invocations for event in invocation.event]
    assert "poison" in [event["data"]["messageBody"] for event in undelivered]
    assert all(event in tried for event in undelivered)
    assert ends(world).count(("dead-lettered", 4)) == 1
    assert len(world.work) == 0


def test_under_the_other_reading_a_dead_letter_is_a_whole_batch(world: World) -> None:
    world.switches = replace(Switches(), dead_letters="whole-batch")
    world.functions.respond = fail
    options = {"errorsTolerance": "ALL", "deadLetterQueue": {"Arn": DEAD}, "batchWindow": {"CountBasedWindow": 2}}
    for body in ("one", "two"):
        world.work.send(body)
    world.eventbridge.deploy(FUNCTION, "q", config(**options))
    world.settle()
    (letter,) = world.dead.messages()
    assert [event["data"]["messageBody"] for event in json.loads(letter.body)] == ["one", "two"]


def test_without_tolerance_the_stream_blocks_and_loses_nothing(world: World) -> None:
    world.functions.respond = fail
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="NONE", deadLetterQueue={"Arn": DEAD}))
    with world.timeline.busy():
        world.work.send("poison")
        world.work.send("behind")
    assert {body for (body,) in bodies(world)} == {"poison"}
    assert (world.eventbridge.blocked(), ends(world)) == (["f/q"], [("blocked", 4)])
    assert (len(world.work), len(world.dead)) == (2, 0)
    world.functions.respond = lambda _invocation: None
    world.eventbridge.resume("f", "q")
    assert bodies(world)[-2:] == [["poison"], ["behind"]]
    assert (world.eventbridge.blocked(), len(world.work)) == ([], 0)


def test_a_blocked_stream_gives_its_batch_back_to_the_one_that_takes_its_place(world: World) -> None:
    world.functions.respond = fail
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="NONE"))
    world.work.send("poison")
    world.settle()
    assert world.eventbridge.blocked() == ["f/q"]
    world.functions.respond = lambda _invocation: None
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="ALL"))
    assert bodies(world)[-1] == ["poison"]
    assert (world.eventbridge.blocked(), len(world.work)) == ([], 0)


def test_a_stream_that_was_removed_blocks_nothing(world: World) -> None:
    def respond(_invocation: Invocation) -> str:
        world.eventbridge.remove(FUNCTION, "q")
        return "UnhandledInvocationError"

    world.functions.respond = respond
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="NONE"))
    world.work.send("poison")
    world.settle()
    assert [message.body for message in world.work.peek()] == ["poison"]


def test_what_a_dead_letter_queue_has_no_room_for_is_lost_and_the_stream_goes_on(world: World) -> None:
    world.functions.respond = lambda made: fail(made) if len(made.bodies[0]) > 1 else None
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="ALL", deadLetterQueue={"Arn": DEAD}))
    world.work.send("x" * 65_536)  # the envelope makes it larger
    world.work.send("y")
    world.settle()
    lost, delivered = world.eventbridge.ends
    assert (lost.end, lost.failures[-1], delivered.end) == (
        "dropped",
        "dead-letter queue: InvalidArgument",
        "delivered",
    )
    assert (len(world.work), len(world.dead)) == (0, 0)


def test_no_tolerance_is_the_default(world: World) -> None:
    world.functions.respond = fail
    world.eventbridge.deploy(FUNCTION, "q", config())
    world.work.send("poison")
    world.settle()
    assert world.eventbridge.blocked() == ["f/q"]


def test_exponential_decay_goes_on_for_a_day(world: World) -> None:
    world.functions.respond = fail
    retry = {"PushRetryStrategy": "EXPONENTIAL_DECAY_RETRY"}
    world.eventbridge.deploy(FUNCTION, "q", config(errorsTolerance="ALL", retryStrategy=retry))
    message = world.work.send("poison")
    invocations = world.settle()
    assert len(invocations) == 177
    assert all(found >= wanted for found, wanted in zip(seconds_between(invocations), DECAY, strict=True))
    assert (invocations[-1].at - message.published).total_seconds() >= sum(DECAY)


def test_an_invocation_that_is_accepted_for_later_counts_as_delivered(world: World) -> None:
    world.functions.respond = fail
    world.eventbridge.deploy(FUNCTION, "q", config(asynchronous=True))
    world.work.send("one")
    (invocation,) = world.settle()
    assert invocation.asynchronous
    assert (ends(world), len(world.work)) == ([("delivered", 0)], 0)


def test_an_invocation_that_is_not_accepted_for_later_is_tried_again(world: World) -> None:
    world.functions.respond = refuse
    world.eventbridge.deploy(FUNCTION, "q", config(asynchronous=True, errorsTolerance="ALL"))
    world.work.send("one")
    assert len(world.settle()) == 4
    (ended,) = world.eventbridge.ends
    assert ended.failures == ("ResourceThrottled",) * 4


def test_under_the_other_reading_true_means_synchronous(world: World) -> None:
    world.switches = replace(Switches(), async_invocation_type="true is sync")
    world.eventbridge.deploy(FUNCTION, "q", config(asynchronous=True))
    world.work.send("one")
    (invocation,) = world.settle()
    assert not invocation.asynchronous


def test_nobody_waits_longer_than_five_minutes_for_an_answer(world: World) -> None:
    """The function goes on, and its answer, when it comes, changes nothing: the batch is on its way again."""
    released = threading.Event()

    def respond(_invocation: Invocation) -> str | None:
        if len(world.functions.invocations) == 1:
            with world.timeline.waiting():
                assert released.wait(20)
        else:
            released.set()
        return None

    world.functions.respond = respond
    world.eventbridge.deploy(FUNCTION, "q", config())
    world.work.send("slow")
    first, second = world.settle()
    assert (second.at - first.at).total_seconds() >= 310
    (ended,) = world.eventbridge.ends
    assert (ended.end, ended.failures) == ("delivered", ("no answer within 5 minutes",))


def test_the_delays_of_exponential_decay_are_the_documented_ones() -> None:
    assert list(delays("EXPONENTIAL_DECAY_RETRY", random.Random(7))) == DECAY  # noqa: S311 - no secrets
    assert len(DECAY) == 176
    assert 23.5 < sum(DECAY) / 3600 < 24


def test_the_random_delays_are_those_of_the_seed() -> None:
    drawn = [list(delays("BACKOFF_RETRY", random.Random(7))) for _ in range(2)]  # noqa: S311 - no secrets
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3
    assert all(10 <= seconds <= 20 for seconds in drawn[0])


# the life of a trigger


def test_a_disabled_trigger_delivers_nothing(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(enable=False))
    world.eventbridge.deploy(FUNCTION, "r", config(enable=False, bus=True))
    world.work.send("one")
    world.eventbridge.put(ALERT)
    assert (world.settle(), len(world.work.peek())) == ([], 1)


def test_a_trigger_that_is_removed_gives_back_what_it_had_not_delivered(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config(batchWindow={"CountBasedWindow": 3, "TimeBasedWindow": 15}))
    with world.timeline.busy():
        world.work.send("one")
        assert world.work.peek() == []
        world.eventbridge.remove(FUNCTION, "q")
    assert world.settle() == []
    assert [message.body for message in world.work.peek()] == ["one"]


def test_a_trigger_that_is_deployed_again_takes_the_place_of_the_first(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "q", config())
    world.eventbridge.deploy(FUNCTION, "q", config(schema="RawData"))
    world.work.send("one")
    (invocation,) = world.settle()
    assert "data" not in invocation.event[0]


def test_a_queue_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(ApiError, match="QueueNotExist"):
        world.smq.queue("none")


def test_only_a_stream_can_be_resumed(world: World) -> None:
    with pytest.raises(ApiError, match="EventStreamingNotExist"):
        world.eventbridge.resume("f", "q")


# the bus


def test_an_event_goes_to_every_rule_that_is_about_it(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "alerts", config(bus=True, pattern={"type": [{"prefix": "security:Alert:"}]}))
    world.eventbridge.deploy(FUNCTION, "others", config(bus=True, pattern={"type": ["x"]}))
    assert world.eventbridge.put(ALERT) == "e-1"
    (invocation,) = world.settle()
    assert {key: invocation.event[key] for key in ALERT} == ALERT
    assert invocation.event["aliyuneventbusname"] == "default"
    assert invocation.event["aliyunaccountid"] == ACCOUNT
    assert [ended.trigger for ended in world.eventbridge.ends] == ["f/alerts"]


def test_a_rule_of_raw_data_delivers_the_data(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "r", config(bus=True, schema="RawData"))
    world.eventbridge.put(ALERT)
    assert [invocation.event for invocation in world.settle()] == [{"UserName": "a"}]


def test_the_time_and_the_subject_that_an_event_has_are_kept(world: World) -> None:
    world.eventbridge.deploy(FUNCTION, "r", config(bus=True))
    world.eventbridge.put({**ALERT, "time": "2026-01-15T08:00:00Z", "subject": "s"})
    (invocation,) = world.settle()
    assert (invocation.event["time"], invocation.event["subject"]) == ("2026-01-15T08:00:00Z", "s")


@pytest.mark.parametrize("lacking", ["id", "source", "specversion", "type"])
def test_an_event_without_what_cloudevents_need_is_refused(world: World, lacking: str) -> None:
    with pytest.raises(ApiError, match=f"The event lacks {lacking}"):
        world.eventbridge.put({key: value for key, value in ALERT.items() if key != lacking})


def test_an_event_of_more_than_256_kilobytes_is_refused(world: World) -> None:
    with pytest.raises(ApiError, match="400 InvalidEvent: An event has at most 262144 bytes"):
        world.eventbridge.put({"id": "1", "source": "s", "specversion": "1.0", "type": "t", "data": "x" * 262_144})


def test_an_event_of_another_version_is_refused(world: World) -> None:
    with pytest.raises(ApiError, match="specversion is not"):
        world.eventbridge.put({**ALERT, "specversion": "0.3"})


@pytest.mark.parametrize(("counts", "end", "letters"), [(False, "dropped", 0), (True, "dead-lettered", 1)])
def test_whether_the_run_options_of_a_rule_count_is_a_switch(
    world: World, *, counts: bool, end: str, letters: int
) -> None:
    world.switches = replace(Switches(), run_options_of_rules=counts)
    world.functions.respond = fail
    world.eventbridge.deploy(FUNCTION, "r", config(bus=True, deadLetterQueue={"Arn": DEAD}))
    world.eventbridge.put(ALERT)
    assert len(world.settle()) == 4
    assert ends(world) == [(end, 4)]
    assert [json.loads(message.body)["id"] for message in world.dead.messages()] == ["e-1"] * letters


@pytest.mark.parametrize(("counts", "attempts"), [(False, 4), (True, 177)])
def test_so_it_is_for_single_messages_of_a_queue(world: World, *, counts: bool, attempts: int) -> None:
    world.switches = replace(Switches(), run_options_of_rules=counts)
    world.functions.respond = fail
    retry = {"PushRetryStrategy": "EXPONENTIAL_DECAY_RETRY"}
    world.eventbridge.deploy(FUNCTION, "q", config(mode="event-driven", retryStrategy=retry))
    world.work.send("poison")
    assert len(world.settle()) == attempts
    assert [ended.end for ended in world.eventbridge.ends] == ["dropped"]
