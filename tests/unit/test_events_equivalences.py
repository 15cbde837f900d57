"""What must make no difference to what an event asks for: how it is written, wrapped and put together."""

from __future__ import annotations

import base64
import codecs
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared import events
from shared.documents import NotJson, read
from shared.events import Parsed
from tests.unit.test_events import parse
from tests.unit.test_events_properties import asked, encoded, holds, json_values, mutated

Write = Callable[[object], str]
WRITINGS: list[Write] = [
    partial(json.dumps, ensure_ascii=False),
    partial(json.dumps, indent="\t"),
    partial(json.dumps, separators=(",", ":")),
]
CLOSING = {"[": "]", '{"a":': "}", '{"Requests":[': "]}"}
some = settings(max_examples=60)
# One text that is no JSON makes everything in the list with it unreadable.
objects = mutated().filter(lambda event: isinstance(event, dict) and not isinstance(read(encoded(event)), NotJson))


def told(parsed: Parsed) -> tuple[object, ...]:
    """Return everything that is told of an event, to the letter."""
    problems = [(type(problem), problem.args) for problem in parsed.problems]
    return parsed.requests, parsed.ignored, problems, parsed.http


def gist(parsed: Parsed) -> tuple[object, ...]:
    """Return what is asked for, and how much of what else there is; the words name places, which may be others."""
    return asked(parsed.requests), len(parsed.ignored), Counter(type(problem) for problem in parsed.problems)


@some
@given(mutated() | json_values, st.sampled_from(WRITINGS), st.text(" \t\r\n", max_size=3))
def test_how_the_json_is_written_makes_no_difference(event: object, write: Write, blank: str) -> None:
    try:
        otherwise = f"{blank}{write(event)}{blank}".encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no other way to be written
        return
    assert gist(parse(otherwise)) == gist(parse(encoded(event)))
    if not isinstance(read(otherwise), NotJson):
        assert told(parse(otherwise)) == told(parse(encoded(event)))


@some
@given(mutated(), st.randoms(use_true_random=False))
def test_the_order_of_keys_makes_no_difference(event: object, chance: random.Random) -> None:
    assert gist(parse(shuffled(event, chance))) == gist(parse(event))


def shuffled(value: object, chance: random.Random) -> object:
    if isinstance(value, list):
        return [shuffled(inner, chance) for inner in value]
    if not isinstance(value, dict):
        return value
    keys = chance.sample(list(value), len(value))
    return {key: shuffled(value[key], chance) for key in keys}


@some
@given(mutated())
def test_a_whole_event_in_base64_is_the_event(event: object) -> None:
    plain = encoded(event)
    in_base64 = base64.b64encode(plain)
    assert gist(parse(in_base64)) == gist(parse(plain))
    if not isinstance(read(plain), NotJson):
        assert told(parse(in_base64)) == told(parse(plain))


@some
@given(objects)
def test_a_list_of_one_event_asks_for_what_the_event_asks_for(event: object) -> None:
    assert gist(parse([event])) == gist(parse(event))


@some
@given(objects, objects)
def test_a_list_asks_for_what_each_of_its_events_asks_for(first: object, second: object) -> None:
    each = [parse(first), parse(second)]
    both = parse([first, second])
    assert asked(both.requests) == asked(events.merge(one for parsed in each for one in parsed.requests))
    assert len(both.problems) == sum(len(parsed.problems) for parsed in each)


@some
@given(mutated() | json_values)
def test_nobody_is_rotated_whom_the_event_does_not_name(event: object) -> None:
    said = list(texts_in(event))
    for request in parse(event).requests:
        whom = request.user.name or request.user.id or ""
        assert whom
        assert any(whom in text for text in said)


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in an event, in whatever layers of JSON and base64."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif isinstance(value, str):
        yield value
        inner = read(value)
        if not isinstance(inner, NotJson):
            yield from texts_in(inner)


@some
@given(st.text(max_size=60) | mutated().map(json.dumps), st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-7"]))
@example('{"UserName": "alice"}', "utf-8-sig")
def test_other_encodings_than_utf8_are_told_and_never_guessed(text: str, encoding: str) -> None:
    try:
        event = text.encode(encoding)
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    parsed = parse(event)
    holds(parsed)
    if event.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16, codecs.BOM_UTF32)):
        assert parsed.requests == ()


@some
@given(st.integers(1, 400), st.sampled_from(sorted(CLOSING)), st.sampled_from([0, 1]))
def test_any_depth_is_requests_or_event_errors(depth: int, opening: str, closed: int) -> None:
    holds(parse((opening * depth + '{"UserName": "alice"}' + CLOSING[opening] * depth * closed).encode()))
