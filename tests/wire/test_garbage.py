"""Whatever the bytes, the whole function fails only with errors of ours, and never says a password or a credential."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.disclosure import PASSWORD_KEYS
from shared.errors import (
    EventError,
    PasswordInEvent,
    RotationsFailed,
    RotatorError,
    UserNotFound,
)
from shared.request import FIELDS
from tests.deployment import EVENTS, Deployment
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent, everything_about

MARKER = "Marker-Passw0rd!x9"
SAMPLES = [json.loads(path.read_bytes()) for path in sorted(EVENTS.glob("*.json"))]
KEYS = sorted({*FIELDS, "Requests", "data", "type", "payload", "body", "Message", "messageBody"})
TYPES = ["security:Alert:x", "sls:AlertEvent:Firing", "mns:Queue:SendMessage", "acme:Ping"]
modest = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(max_size=20) | st.sampled_from(["mallory", "nobody@example", "alert", "2026-01-15T08:00:00Z"])
integers = st.integers(-(10**60), 10**60)


def json_of(scalars: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return JSON values, with keys that mean something as often as any others."""
    keys = texts | st.sampled_from(KEYS)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )


finite = json_of(st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts)
values = json_of(st.none() | st.booleans() | st.integers() | st.floats() | texts)
password_keys = st.sampled_from(sorted(PASSWORD_KEYS)).flatmap(
    lambda key: st.sampled_from(
        [key, key.upper(), key.title(), f"a.b.{key}", f"new_{key}"[4:].replace("word", "_word")]
    )
)


@dataclass
class Invoked:
    """What one invocation let out."""

    error: RotatorError | None
    output: str


class Function:
    """The deployed function on a cloud without users."""

    def __init__(self, deployed: Deployment) -> None:
        self.deployed = deployed
        who = deployed.credentials
        self.credentials = {who.access_key_id, who.access_key_secret, who.security_token or "?"}

    def invoke(self, event: bytes) -> Invoked:
        """Invoke it; any error but ours ends the test. Nothing may be reset, and no credential told."""
        output, error = io.StringIO(), None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                answer = self.deployed.app.reset_passwords(event, self.deployed.context)
            except RotatorError as raised:
                error = raised
            else:
                output.write(json.dumps(json.loads(answer)))
        shown = "" if error is None else "".join(map(str, (error, repr(error), error.args, vars(error))))
        assert_absent(self.credentials, output.getvalue() + shown, "the output")
        assert not self.deployed.cloud.calls.matching("ResetUserPassword")
        return Invoked(error, output.getvalue())

    def survives(self, event: bytes) -> None:
        """Check that an event is ignored, or refused with one of the errors that it can deserve."""
        error = self.invoke(event).error
        assert error is None or isinstance(error, EventError | UserNotFound | RotationsFailed)
        for line in str(error).splitlines():
            assert line.isprintable()

    def refuses(self, event: bytes) -> None:
        """Check that an event with the marker in it is refused, for whatever cause, and that the marker is nowhere."""
        invoked = self.invoke(event)
        assert isinstance(invoked.error, EventError | RotationsFailed)
        shown = everything_without_frames(invoked.error)
        assert_absent({MARKER}, invoked.output + shown, "the output or the error")


def everything_without_frames(error: RotatorError) -> str:
    """Return all that can be known of an error but for this test's own frames, which hold the event."""
    return everything_about(error.with_traceback(None))


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    """Deploy once: nothing is ever written."""
    with pytest.MonkeyPatch.context() as environment, LocalCloud() as cloud:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            environment.delenv(name, raising=False)
        yield Function(Deployment(cloud))


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


@modest
@given(st.binary(max_size=200) | values.map(encoded).map(base64.b64encode))
@example(b"")
@example(b"\xff")
@example(b"null")
@example(b'{"UserName":"\\ud83d"}')
@example(b"[" * 5000)
@example(b'{"UserName": "mallory"}')
def test_any_bytes(function: Function, event: bytes) -> None:
    function.survives(event)


@modest
@given(values)
def test_any_json(function: Function, value: object) -> None:
    function.survives(encoded(value))


@modest
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values)))
def test_anything_like_a_request(function: Function, value: object) -> None:
    function.survives(encoded(value))


@modest
@given(values, st.sampled_from(TYPES) | texts, texts)
def test_any_cloud_event(function: Function, data: object, kind: str, time: str) -> None:
    event = {"id": "1", "source": "s", "specversion": "1.0", "type": kind, "time": time, "data": data}
    function.survives(encoded(event))


@modest
@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4))
def test_any_mixture_of_samples(function: Function, events: list[object]) -> None:
    function.survives(encoded(events))


@modest
@given(finite, password_keys, st.data())
def test_a_password_in_a_request_is_the_cause_of_its_refusal(
    function: Function, value: object, key: str, data: st.DataObject
) -> None:
    event = encoded({"UserName": "mallory", "Extra": plant(value, {key: MARKER}, data)})
    function.refuses(event)
    assert "password-in-event" in function.invoke(event).output


@modest
@given(values, password_keys, st.data())
def test_a_password_under_any_key_anywhere_is_refused_and_never_said(
    function: Function, value: object, key: str, data: st.DataObject
) -> None:
    planted = plant(value, {key: MARKER}, data)
    function.refuses(encoded(planted))


@modest
@given(st.sampled_from(SAMPLES), password_keys, st.data())
def test_a_password_anywhere_in_a_sample_is_refused_and_never_said(
    function: Function, sample: object, key: str, data: st.DataObject
) -> None:
    function.refuses(encoded(plant(sample, {key: MARKER}, data)))


@modest
@given(values, st.sampled_from(["UserName", "Reason", "RotatedSince", "Force", "DirectoryId", "Unknown"]))
def test_a_value_is_never_said_whatever_field_it_is_in(function: Function, value: object, field: str) -> None:
    # A marker with a blank is no user name, so that nothing may repeat it: not even as the user that was not found.
    invoked = function.invoke(encoded([value, {"UserName": "mallory", field: MARKER + " x"}]))
    assert isinstance(invoked.error, RotatorError)
    assert_absent({MARKER}, invoked.output + everything_without_frames(invoked.error), "the output or the error")


def test_the_marker_would_be_found(function: Function) -> None:
    invoked = function.invoke(encoded({"UserName": MARKER.replace("!", "")}))
    assert isinstance(invoked.error, UserNotFound)
    with pytest.raises(AssertionError):
        assert_absent({MARKER.replace("!", "")}, invoked.output, "the output")


def test_a_single_password_is_its_own_error(function: Function) -> None:
    assert isinstance(function.invoke(encoded({"UserName": "mallory", "Password": MARKER})).error, PasswordInEvent)


def plant(value: object, password: dict[str, str], data: st.DataObject) -> object:
    """Put a password somewhere into a value: beside it, or into one of its parts, as an object or as its text."""
    draw = data.draw
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: plant(value[key], password, data)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], plant(value[index], password, data), *value[index + 1 :]]
    planted: object = {**value, **password} if isinstance(value, dict) else {"was": value, **password}
    wrapped = draw(st.sampled_from(["plain", "text", "base64"]))
    if wrapped == "plain":
        return planted
    text = json.dumps(planted)
    return text if wrapped == "text" else base64.b64encode(text.encode()).decode()
