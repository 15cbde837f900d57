"""Whatever the bytes, the function that shows the state answers or fails with an error of ours; browsers get a page."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import EventError, RotatorError, UserNotFound
from shared.page import HEADERS
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent
from tests.wire.surveys import ROLE, Surveys, http_event
from tests.wire.test_garbage import (
    MARKER,
    SAMPLES,
    encoded,
    everything_without_frames,
    modest,
    password_keys,
    plant,
    texts,
    values,
)

FIELDS = ("Doctor", "UserName", "State", "Search", "Page")
PARAMETERS = ("view", "format", "fresh", "state", "q", "page")
STATUSES = {200, 400, 404}
hints = st.sampled_from(
    ["status", "doctor", "html", "json", "stuck", "fresh", "1", "0", "2", "-1", "1e3", "²", "alice"]
)


@dataclass
class Asked:
    """What one event let out."""

    error: RotatorError | None
    page: int | None  # the status of the answer to a browser
    said: str


class Function:
    """The deployed function, of a directory with a user alice."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.surveys = Surveys(cloud)
        self.surveys.add_user("alice")
        who = self.surveys.status_context.credentials
        self.credentials = {who.access_key_secret, who.security_token or "?"}
        self.surveys.show()  # and for a minute of the cloud's, which does not pass here, it is kept

    def ask(self, event: bytes) -> Asked:
        """Let an event in; any error but ours ends the test. No credential may be told."""
        output, error, page = io.StringIO(), None, None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                answer = json.loads(self.surveys.status.show(event, self.surveys.status_context))
            except RotatorError as raised:
                error = raised
            else:
                output.write(json.dumps(answer))
                page = answer.get("statusCode")
        said = output.getvalue() + ("" if error is None else everything_without_frames(error))
        assert_absent(self.credentials, said, "what was said")
        return Asked(error, page, said)

    def survives(self, event: bytes) -> None:
        """Check that an event is answered, or refused with one of the errors that it can deserve."""
        asked = self.ask(event)
        assert asked.error is None or isinstance(asked.error, EventError | UserNotFound)
        assert asked.page is None or asked.page in STATUSES


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    """Deploy once: nothing is ever written."""
    with pytest.MonkeyPatch.context() as environment, LocalCloud() as cloud:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            environment.delenv(name, raising=False)
        yield Function(cloud)


@modest
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff")
@example(b"null")
@example(b'{"UserName":"\\ud83d"}')
@example(b'{"Search":"\\u0130"}')
@example(b"[" * 5000)
def test_any_bytes(function: Function, event: bytes) -> None:
    function.survives(event)


@modest
@given(values)
def test_any_json(function: Function, value: object) -> None:
    function.survives(encoded(value))


@modest
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values | hints)))
def test_anything_like_a_question(function: Function, value: object) -> None:
    function.survives(encoded(value))


@modest
@given(
    st.dictionaries(st.sampled_from(PARAMETERS) | texts, hints | texts, max_size=4),
    st.sampled_from(["GET", "HEAD", "POST"]) | texts,
    st.sampled_from(["/", ""]) | texts,
    values,
)
def test_any_request_of_a_browser_gets_a_page_or_what_it_asks_for(
    function: Function, query: dict[str, str], method: str, path: str, headers: object
) -> None:
    event = {**http_event(method, path), "queryParameters": query, "headers": headers}
    asked = function.ask(encoded(event))
    assert asked.error is None
    assert asked.page in STATUSES


@modest
@given(st.sampled_from(["version", "rawPath", "body", "queryParameters", "requestContext", "isBase64Encoded"]), values)
def test_any_damage_to_an_http_event_gets_a_page(function: Function, key: str, value: object) -> None:
    asked = function.ask(encoded({**http_event(), key: value}))
    assert asked.error is None
    assert asked.page in STATUSES


@modest
@given(st.sampled_from(SAMPLES), st.booleans())
def test_any_sample_by_a_timer_or_by_itself(function: Function, sample: object, by_timer: bool) -> None:  # noqa: FBT001 - hypothesis's
    timer = {"triggerTime": "2026-01-01T00:00:00Z", "triggerName": "hourly", "payload": json.dumps(sample)}
    function.survives(encoded(timer if by_timer else sample))


@modest
@given(values, password_keys, st.data())
def test_a_password_anywhere_in_a_question_is_refused_and_never_said(
    function: Function, value: object, key: str, data: st.DataObject
) -> None:
    asked = function.ask(encoded(plant(value, {key: MARKER}, data)))
    assert isinstance(asked.error, EventError)
    assert_absent({MARKER}, asked.said, "what was said")


@modest
@given(values, password_keys, st.sampled_from(["body", "headers", "queryParameters"]), st.data())
def test_a_password_anywhere_in_an_http_event_is_refused_and_never_said(
    function: Function, value: object, key: str, where: str, data: st.DataObject
) -> None:
    asked = function.ask(encoded({**http_event(), where: plant(value, {key: MARKER}, data)}))
    assert (asked.error, asked.page) == (None, 400)
    assert_absent({MARKER}, asked.said, "what was said")


def test_what_a_browser_gets_is_a_page_with_its_headers(function: Function) -> None:
    for event in (http_event(), http_event(nonsense="1"), http_event(q="nobody"), http_event("POST")):
        answer = json.loads(function.surveys.status.show(encoded(event), function.surveys.status_context))
        assert answer["headers"] == dict(HEADERS)
        assert answer["body"].startswith("<!doctype html>")


def test_nothing_but_what_it_reads_was_ever_asked_for(function: Function) -> None:
    asked = {call.action for call in function.surveys.cloud.calls.matching(role=ROLE)}
    assert asked <= {
        "GetPasswordPolicy",
        "GetExternalSAMLIdentityProvider",
        "ListUsers",
        "ListSecrets",
        "ListSecretVersionIds",
    }
