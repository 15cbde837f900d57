"""What holds for any bytes at all."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from shared import events
from shared.disclosure import PASSWORD_KEYS
from shared.errors import EventError, PasswordInEvent
from shared.events import Parsed
from shared.model import Origin, PasswordSource, Reason, ResetRequest, UserName, UserRef
from shared.request import FIELDS
from tests.unit.test_events import RECEIVED, SAMPLES, parse

MARKER = "Marker-Passw0rd!"
DOCUMENTS = [json.loads(sample.read_bytes()) for sample in SAMPLES if sample.suffix == ".json"]

# Keys that mean something somewhere are drawn as often as any others: plain text would never get past the first door.
KNOWN_KEYS = sorted(
    {
        *FIELDS,
        *PASSWORD_KEYS,
        "Requests",
        "eventName",
        "errorCode",
        "alert_name",
        "fire_time",
        "labels",
        "status",
        "level",
    }
    | {key for document in DOCUMENTS if isinstance(document, dict) for key in document}
)
texts = st.text(max_size=30) | st.sampled_from(
    ["alice", "alert", "2026-01-15T08:00:00Z", '{"UserName":"bob"}', "security:Alert:x"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.sampled_from(KNOWN_KEYS), inner, max_size=5),
    max_leaves=20,
)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """Draw a sample in which some values, anywhere, have been replaced, removed or wrapped."""
    document = json.loads(json.dumps(draw(st.sampled_from(DOCUMENTS))))
    for _ in range(draw(st.integers(0, 3))):
        document = mutate(document, draw)
    return document


def mutate(value: object, draw: st.DrawFn) -> object:
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: mutate(value[key], draw)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], mutate(value[index], draw), *value[index + 1 :]]
    if isinstance(value, str) and value.startswith(("{", "[")) and draw(st.booleans()):
        return json.dumps(mutate(json.loads(value), draw))
    change: Callable[[object], object] = draw(
        st.sampled_from([lambda _: draw(json_values), lambda v: [v, v], json.dumps])
    )
    return change(value)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def holds(parsed: Parsed) -> None:
    """Check everything that is true of whatever `parse` returns."""
    assert all(isinstance(problem, EventError) for problem in parsed.problems)
    for problem in parsed.problems:
        assert str(problem).isprintable()
        assert not problem.retryable
        assert (problem.__cause__, problem.__context__, problem.__traceback__) == (None, None, None)
    assert all(request.since <= RECEIVED and request.since.tzinfo for request in parsed.requests)
    assert all(request.origins for request in parsed.requests)
    assert all(ignored.where.isprintable() for ignored in parsed.ignored)
    assert parsed.requests or parsed.ignored or parsed.problems  # never silence
    keys = [(request.user.key, request.dry_run) for request in parsed.requests]
    assert len(keys) == len(set(keys))


@given(st.binary(max_size=300))
@example(b'{"UserName":"\\ud83d"}')
@example(b"[[]]")
def test_any_bytes_give_requests_or_event_errors(event: bytes) -> None:
    holds(parse(event))


@given(json_values)
def test_any_json_gives_requests_or_event_errors(value: object) -> None:
    holds(parse(encoded(value)))


@given(
    json_values, texts, st.sampled_from(["security:Alert:x", "sls:AlertEvent:Firing", "mns:Queue:SendMessage"]) | texts
)
def test_any_cloud_event_gives_requests_or_event_errors(data: object, time: str, kind: str) -> None:
    event = {"id": "1", "source": "s", "specversion": "1.0", "type": kind, "time": time, "data": data}
    holds(parse(encoded(event)))


@given(mutated())
def test_any_mutation_of_a_sample_gives_requests_or_event_errors(event: object) -> None:
    holds(parse(encoded(event)))


@given(mutated(), st.randoms(use_true_random=False))
def test_any_damage_to_the_bytes_gives_requests_or_event_errors(event: object, chance: random.Random) -> None:
    data = bytearray(encoded(event))
    for _ in range(3):
        data[chance.randrange(len(data))] = chance.randrange(256)
    holds(parse(bytes(data)))


@given(mutated())
def test_parsing_is_deterministic(event: object) -> None:
    first, second = parse(encoded(event)), parse(encoded(event))
    assert (first.requests, first.ignored, first.http) == (second.requests, second.ignored, second.http)
    assert [(type(p), p.args) for p in first.problems] == [(type(p), p.args) for p in second.problems]


# ---------------------------------------------------------------------------------------------- passwords


def in_base64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def in_list(value: object) -> object:
    return [value]


WRAPS: list[Callable[[object], object]] = [json.dumps, in_base64, in_list]


@st.composite
def poisoned(draw: st.DrawFn) -> object:
    """Draw a sample with a password planted somewhere, in plain sight or in layers of text."""
    return plant(draw(mutated()), draw)


def plant(value: object, draw: st.DrawFn) -> object:
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: plant(value[key], draw)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], plant(value[index], draw), *value[index + 1 :]]
    if isinstance(value, str) and value.startswith(("{", "[")) and draw(st.booleans()):
        return json.dumps(plant(json.loads(value), draw))
    name = draw(st.sampled_from(sorted(PASSWORD_KEYS)))
    secret: object = {
        draw(st.sampled_from([name, name.upper()])): draw(st.sampled_from([MARKER, [MARKER], {"v": MARKER}]))
    }
    for _ in range(draw(st.integers(0, 2))):
        secret = draw(st.sampled_from(WRAPS))(secret)
    return {**value, "extra": secret} if isinstance(value, dict) else secret


@given(poisoned())
def test_a_password_in_an_event_is_found_and_never_repeated(event: object) -> None:
    parsed = parse(encoded(event))
    holds(parsed)
    shown = [*map(repr, parsed.requests), *map(repr, parsed.ignored)]
    shown += [f"{problem} {problem!r} {problem.args} {vars(problem)}" for problem in parsed.problems]
    assert not any(MARKER in text or in_base64(MARKER)[:12] in text for text in shown)


@given(texts, st.sampled_from(sorted(PASSWORD_KEYS)))
def test_a_request_with_a_password_is_refused_for_it(note: str, key: str) -> None:
    parsed = parse(encoded({"UserName": "alice", "note": note, "more": [{key: MARKER}]}))
    assert parsed.requests == ()
    assert any(isinstance(problem, PasswordInEvent) for problem in parsed.problems)


# ---------------------------------------------------------------------------------------------- merging

origins = st.builds(Origin, trigger=st.sampled_from(["timer", "queue"]), event_id=st.text(max_size=3))
requests = st.builds(
    ResetRequest,
    user=st.sampled_from(["alice", "Alice", "bob", "carol"]).map(lambda name: UserRef(name=UserName(name))),
    since=st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001
    reason=st.sampled_from(Reason),
    source=st.none() | st.sampled_from(PasswordSource),
    must_change=st.none() | st.booleans(),
    dry_run=st.booleans(),
    force=st.booleans(),
    origins=st.lists(origins, min_size=1, max_size=2).map(tuple),
)


def asked(merged: tuple[ResetRequest, ...]) -> set[object]:
    return {
        (one.user.key, one.since, one.reason, one.must_change, one.dry_run, one.force, frozenset(one.origins))
        for one in merged
    }


@given(st.lists(requests, max_size=8))
def test_merging_again_changes_nothing(batch: list[ResetRequest]) -> None:
    once = events.merge(batch)
    assert events.merge(once) == once


@given(st.lists(requests, max_size=8), st.randoms(use_true_random=False))
def test_what_is_asked_for_does_not_depend_on_the_order(batch: list[ResetRequest], chance: random.Random) -> None:
    shuffled = chance.sample(batch, len(batch))
    assert asked(events.merge(shuffled)) == asked(events.merge(batch))


@given(st.lists(requests, max_size=8))
def test_merging_loses_no_user_and_weakens_no_request(batch: list[ResetRequest]) -> None:
    merged = {(one.user.key, one.dry_run): one for one in events.merge(batch)}
    urgency = list(Reason).index
    for one in batch:
        kept = merged[(one.user.key, one.dry_run)]
        assert kept.since >= one.since
        assert urgency(kept.reason) >= urgency(one.reason)
        assert kept.force or not one.force
        assert kept.must_change or not one.must_change
        assert set(one.origins) <= set(kept.origins)


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_since_is_never_later_than_the_receipt(ahead: timedelta) -> None:
    stated = (RECEIVED + ahead).isoformat()
    holds(parse(encoded({"UserName": "alice", "RotatedSince": stated})))
    wrapped = {"triggerTime": stated, "triggerName": "t", "payload": '{"UserName": "alice"}'}
    (request,) = parse(encoded(wrapped)).requests
    assert request.since == min(RECEIVED + ahead, RECEIVED)
