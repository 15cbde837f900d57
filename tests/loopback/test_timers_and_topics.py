from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice, pairwise
from typing import Any, Literal

import pytest

from tests.localcloud.api import ApiError
from tests.localcloud.fc.cron import Schedule
from tests.localcloud.fc.props import TimerConfig, TopicConfig
from tests.loopback.eventbridge import ACCOUNT, FUNCTION, Invocation, World, fail, refuse, running

Strategy = Literal["BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"]


@pytest.fixture
def world() -> Iterator[World]:
    with running() as made:
        yield made


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


# when a timer is due


@pytest.mark.parametrize(
    ("expression", "start", "due"),
    [
        ("0 0 4 * * *", "2026-01-15T03:00", ["2026-01-15T04:00", "2026-01-16T04:00"]),
        ("0 0 4 * * *", "2026-01-15T04:00", ["2026-01-16T04:00"]),
        ("30 */20 * * * *", "2026-01-15T03:00", ["2026-01-15T03:00:30", "2026-01-15T03:20:30", "2026-01-15T03:40:30"]),
        ("0 0 4 ? * MON-FRI", "2026-01-16T05:00", ["2026-01-19T04:00"]),
        ("CRON_TZ=Asia/Shanghai 0 0 2 * * *", "2026-01-15T00:00", ["2026-01-15T18:00", "2026-01-16T18:00"]),
        ("CRON_TZ=Europe/Berlin 0 0 4 * * *", "2026-03-28T00:00", ["2026-03-28T03:00", "2026-03-29T02:00"]),
        ("@every 4m", "2026-01-15T03:01", ["2026-01-15T03:05", "2026-01-15T03:09"]),
        ("@every 1h30m", "2026-01-15T03:00", ["2026-01-15T04:30"]),
    ],
)
def test_a_timer_is_due_when_its_expression_says_so(expression: str, start: str, due: list[str]) -> None:
    found = list(islice(Schedule.parse(expression).after(at(start)), len(due)))
    assert found == [at(each) for each in due]


# firing


def timer(**changes: Any) -> TimerConfig:  # noqa: ANN401 - whatever a config holds
    """Return a timer's config: every day at two in the morning in Shanghai."""
    wanted: dict[str, Any] = {"cron_expression": "CRON_TZ=Asia/Shanghai 0 0 2 * * *", "enable": True, **changes}
    return TimerConfig(**wanted)


def test_a_timer_fires_when_it_is_told_to(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer(payload='{"DryRun": true}'))
    before = world.clock.now().replace(microsecond=0)
    assert world.timers.fire("f", "daily") == "r"
    (invocation,) = world.settle()
    assert invocation.asynchronous
    assert list(invocation.event) == ["triggerTime", "triggerName", "payload"]
    assert before <= at(invocation.event["triggerTime"].rstrip("Z")) <= invocation.at
    assert (invocation.event["triggerName"], invocation.event["payload"]) == ("daily", '{"DryRun": true}')


def test_a_timer_fires_when_time_passes_over_its_instants_once_for_each(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    world.clock.shift(3 * 86_400)
    times = [at(invocation.event["triggerTime"].rstrip("Z")) for invocation in world.settle()]
    assert len(times) == 3
    assert all((each.hour, each.minute, each.second) == (18, 0, 0) for each in times)
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(days=1)] * 2


def test_a_timer_is_no_work_to_wait_for(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    before = world.clock.shifted
    assert world.settle() == []
    assert world.clock.shifted == before


def test_waiting_that_is_skipped_fires_it_too(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    world.timeline.after(86_400, lambda: None)
    assert len(world.settle()) == 1


def test_what_another_thread_finds_due_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    found, passed = threading.Event(), world.timers._pass

    def slowly(now: datetime) -> Any:  # noqa: ANN401 - as it comes
        due = passed(now)
        found.set()
        time.sleep(0.1)
        return due

    monkeypatch.setattr(world.timers, "_pass", slowly)
    tomorrow = world.clock.now() + timedelta(days=1)
    threading.Thread(target=world.timers.enter, args=(tomorrow,)).start()
    assert found.wait(30)
    assert len(world.settle()) == 1


def test_a_timer_fires_in_real_time_too(world: World) -> None:
    fired = threading.Event()

    def respond(_invocation: Invocation) -> None:
        fired.set()

    world.functions.respond = respond
    world.timers.deploy(FUNCTION, "often", timer(cron_expression="* * * * * *"))
    assert fired.wait(10)


def test_a_timer_that_is_not_enabled_does_not_fire(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer(enable=False))
    world.clock.shift(3 * 86_400)
    assert world.settle() == []
    with pytest.raises(ApiError, match="TriggerDisabled"):
        world.timers.fire("f", "daily")


def test_a_timer_that_is_not_there_is_refused(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    world.timers.remove(FUNCTION, "daily")
    with pytest.raises(ApiError, match="TriggerNotFound"):
        world.timers.fire("f", "daily")
    world.clock.shift(86_400)
    assert world.settle() == []


def test_a_clock_that_goes_back_fires_nothing_twice(world: World) -> None:
    world.timers.deploy(FUNCTION, "daily", timer())
    for seconds in (86_400, -86_400, 86_400):
        world.clock.shift(seconds)
    assert len(world.settle()) == 1


# topics


def subscribe(
    world: World, form: Literal["STREAM", "JSON"], strategy: Strategy = "BACKOFF_RETRY", tag: str = ""
) -> None:
    config = TopicConfig(notify_content_format=form, notify_strategy=strategy, filter_tag=tag)
    world.topics.deploy(FUNCTION, "n", "news", config)


def test_a_stream_is_the_body_as_it_is(world: World) -> None:
    subscribe(world, "STREAM")
    world.smq.publish("news", "hello topic")
    (invocation,) = world.settle()
    assert (invocation.payload, invocation.asynchronous) == (b"hello topic", True)


def test_a_stream_with_attributes_has_both(world: World) -> None:
    subscribe(world, "STREAM")
    world.smq.publish("news", "hello topic", {"Extend": '{"key":"value"}'})
    (invocation,) = world.settle()
    assert invocation.event == {"body": "hello topic", "attrs": {"Extend": '{"key":"value"}'}}


def test_json_has_the_systems_fields_and_the_attributes(world: World) -> None:
    subscribe(world, "JSON")
    message = world.smq.publish("news", "hello topic", {"ticket": "SEC-1"})
    (invocation,) = world.settle()
    assert invocation.event == {
        "TopicOwner": ACCOUNT,
        "Message": "hello topic",
        "Subscriber": ACCOUNT,
        "PublishTime": int(message.published.timestamp() * 1000),
        "SubscriptionName": "n",
        "MessageMD5": message.md5,
        "TopicName": "news",
        "MessageId": message.id,
        "ticket": "SEC-1",
    }


def test_a_filter_tag_lets_only_its_messages_through(world: World) -> None:
    subscribe(world, "STREAM", tag="urgent")
    world.smq.publish("news", "one")
    world.smq.publish("news", "two", tag="urgent")
    assert [invocation.payload for invocation in world.settle()] == [b"two"]


@pytest.mark.parametrize(("strategy", "attempts"), [("BACKOFF_RETRY", 4), ("EXPONENTIAL_DECAY_RETRY", 177)])
def test_what_function_compute_does_not_accept_is_published_again(
    world: World, strategy: Strategy, attempts: int
) -> None:
    world.functions.respond = refuse
    subscribe(world, "STREAM", strategy)
    world.smq.publish("news", "one")
    assert len(world.settle()) == attempts
    assert [(ended.end, len(ended.failures)) for ended in world.topics.ends] == [("dropped", attempts)]


def test_what_becomes_of_it_after_that_is_the_functions_business(world: World) -> None:
    world.functions.respond = fail
    subscribe(world, "STREAM")
    world.smq.publish("news", json.dumps({"UserName": "alice"}))
    assert len(world.settle()) == 1
    assert [ended.end for ended in world.topics.ends] == ["delivered"]


def test_a_subscription_that_has_ended_gets_nothing(world: World) -> None:
    subscribe(world, "STREAM")
    world.topics.remove(FUNCTION, "n", "news")
    world.smq.publish("news", "one")
    assert world.settle() == []
