"""What the SDKs' shared runtime is kept from doing: talking, following redirects, sending late, handing on secrets."""

from __future__ import annotations

import gc
import io
import json
import logging
import socket
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import darabonba.core
import pytest
import requests
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client

from shared import connections, openapi
from shared.model import Credentials, Endpoint, Sealed
from shared.openapi import Failure
from shared.ports import Clock
from tests.contract.directories import credentials_of
from tests.deployment import CloudClock
from tests.fakes import FakeClock
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import KMS_REGION, LocalCloud
from tests.wire.leaks import assert_absent, everything_about

SECRET = "Marker-Passw0rd!"
SECRETS = {SECRET, "key-secret-marker", "security-token-marker"}
NOBODY = Credentials("STS.nobody", Sealed("key-secret-marker"), Sealed("security-token-marker"))
LOGGERS = ("darabonba-core", "urllib3", "requests", "urllib3.connectionpool", "urllib3.util.retry", "requests.x")


def client(endpoint: str, credentials: Credentials = NOBODY, *, repeat: bool = False) -> Client:
    connections.make_safe(FakeClock())
    made = Endpoint(endpoint, "HTTP")
    return Client(openapi.config(openapi.Signer(credentials), KMS_REGION, made, repeat=repeat))


def put(made: Client) -> Callable[[], Any]:
    request = models.PutSecretValueRequest(secret_name="s", version_id="v", secret_data=SECRET)
    return lambda: made.put_secret_value_with_options(request, openapi.runtime())


def attempted(cloud: LocalCloud, *, repeat: bool = False, seconds: float = 20, clock: Clock | None = None) -> Failure:
    """Put a secret that is not there; return the failure."""
    time = clock or CloudClock(cloud)
    made = client(cloud.endpoint, credentials_of(cloud.admin), repeat=repeat)
    with connections.sending_until(time, time.now() + timedelta(seconds=seconds)):
        failure = openapi.attempt(put(made))
    assert isinstance(failure, Failure)
    return failure


def closed_port() -> str:
    """Return an endpoint where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


# ---------------------------------------------------------------------------------------------------------- loggers


@pytest.fixture
def root_output() -> Iterator[io.StringIO]:
    """Let the root logger write everything, and every logger of the SDKs' runtime let everything through."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *LOGGERS)}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("name", LOGGERS)
def test_nothing_that_the_runtime_logs_arrives_anywhere(
    root_output: io.StringIO, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    connections.make_safe(FakeClock())
    logging.getLogger(name).setLevel(logging.DEBUG)  # as somebody might, later
    for level in (logging.DEBUG, logging.WARNING, logging.CRITICAL):
        logging.getLogger(name).log(level, SECRET)
    assert root_output.getvalue() + "".join(capfd.readouterr()) == ""


def test_the_loggers_of_others_are_left_alone(root_output: io.StringIO) -> None:
    connections.make_safe(FakeClock())
    logging.getLogger("somebody.else").warning("heard")
    assert root_output.getvalue() == "heard\n"


def test_a_call_logs_nothing_however_loud_everything_is(
    cloud: LocalCloud, root_output: io.StringIO, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", "sdk")
    attempted(cloud)
    assert_absent({SECRET, cloud.admin.access_key_secret}, root_output.getvalue(), "the root logger's output")
    assert "".join(capfd.readouterr()) == ""


# --------------------------------------------------------------------------------------------- redirects and retries


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(cloud: LocalCloud, status: int) -> None:
    with LocalCloud() as elsewhere:
        fault = Fault("PutSecretValue", "redirect", status=status, location=f"http://{elsewhere.endpoint}/")
        cloud.faults.arm(fault)
        failure = attempted(cloud)
        assert len(elsewhere.calls) == 0
    assert failure == Failure("unknown", None, "unknown")
    assert not failure.refused


def test_a_session_sends_nothing_once_its_time_is_over(cloud: LocalCloud) -> None:
    assert attempted(cloud, seconds=-0.001) == Failure("unknown", None, "unknown")
    assert len(cloud.calls) == 0


def test_the_time_is_looked_at_again_after_a_pause(cloud: LocalCloud) -> None:
    clock = FakeClock()
    cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=1, count=9))
    cloud.faults.before("PutSecretValue", lambda: clock.advance(30))
    failure = attempted(cloud, repeat=True, clock=clock, seconds=20)
    assert failure.throttled
    assert cloud.calls.count("PutSecretValue") == 1


@pytest.mark.parametrize(("seconds", "calls"), [(2.9, 1), (20, openapi.TRIES)])
def test_what_is_throttled_is_tried_again_while_the_longest_delay_still_fits(
    cloud: LocalCloud, seconds: float, calls: int
) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=1, count=9))
    assert attempted(cloud, repeat=True, seconds=seconds, clock=FakeClock()).throttled
    assert cloud.calls.count("PutSecretValue") == calls


def test_what_may_not_be_repeated_is_not_tried_again_even_if_it_is_throttled(cloud: LocalCloud) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=250, count=9))
    failure = attempted(cloud, repeat=False)
    assert failure.throttled
    assert failure.retry_after == timedelta(milliseconds=250)
    assert cloud.calls.count("PutSecretValue") == 1


@pytest.mark.parametrize(("repeat", "calls"), [(False, 1), (True, 2)])
@pytest.mark.parametrize(
    "lost",
    [
        Fault("PutSecretValue", "drop-before"),
        Fault("PutSecretValue", "error", status=503, code="ServiceUnavailable", retry_after_ms=1),
    ],
    ids=["dropped", "503"],
)
def test_what_is_lost_is_tried_again_only_where_that_does_no_harm(
    cloud: LocalCloud, lost: Fault, *, repeat: bool, calls: int
) -> None:
    cloud.faults.arm(lost)
    assert attempted(cloud, repeat=repeat).refused is repeat  # the second answer says that there is no such secret
    assert cloud.calls.count("PutSecretValue") == calls


@pytest.mark.parametrize("code", ["Throttling", "Throttling.User", "Rejected.Throttling", "Throttling.Api.Risk"])
def test_every_code_that_speaks_of_throttling_is_throttling(cloud: LocalCloud, code: str) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle", status=400, code=code, retry_after_ms=1))
    assert attempted(cloud, repeat=True).code == "Forbidden.ResourceNotFound"  # the second try was let through
    assert cloud.calls.count("PutSecretValue") == 2


def test_a_call_outside_of_any_block_is_tried_once(cloud: LocalCloud) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "throttle", retry_after_ms=1, count=9))
    failure = openapi.attempt(put(client(cloud.endpoint, credentials_of(cloud.admin), repeat=True)))
    assert isinstance(failure, Failure)
    assert cloud.calls.count("PutSecretValue") == 1


def test_the_services_advice_is_followed_up_to_the_longest_delay() -> None:
    options = openapi._Retries()
    for advised, waited in ((1, 1), (250, 250), (3_600_000, 3000)):
        context = darabonba.core.RetryPolicyContext(retries_attempted=1, exception=_Throttled(advised))
        assert darabonba.core.DaraCore.get_backoff_time(options, context) == waited


def test_without_advice_the_pause_is_short_and_random() -> None:
    options = openapi._Retries()
    context = darabonba.core.RetryPolicyContext(retries_attempted=3, exception=_Throttled(None))
    pauses = {darabonba.core.DaraCore.get_backoff_time(options, context) for _ in range(50)}
    assert len(pauses) > 1
    assert max(pauses) <= 800


class _Throttled(Exception):
    name = "ThrottlingException"
    code = "Throttling.User"

    def __init__(self, retry_after: int | None) -> None:
        self.retry_after = retry_after


# -------------------------------------------------------------------------------------------- what a failure may say


HOSTILE = [
    f"Invalid\nPassword: {SECRET}",
    SECRET,
    f"Invalid.{SECRET}",
    "x" * 129,
    "",
    " ",
    "a b",
    "a/b",
    "Código",
    "٣",
    "a\n",
    12,
    None,
    ["a"],
    {"a": 1},
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_only_what_looks_like_a_code_or_an_id_is_passed_on(cloud: LocalCloud, hostile: object) -> None:
    said = {"Code": hostile, "RequestId": hostile, "Message": SECRET, "Recommend": SECRET, "Detail": SECRET}
    cloud.faults.arm(Fault("PutSecretValue", "refuse-garbage", status=400, body=json.dumps(said).encode()))
    failure = attempted(cloud)
    plain = "None" if hostile in (None, "") else str(hostile) if isinstance(hostile, int) else "unknown"
    assert (failure.code, failure.status, failure.request_id) == (plain, 400, plain)
    assert str(failure) == f"400 {plain}, request {plain}"
    assert SECRET not in repr(failure)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"\xff\xfe", b'"text"', b"17", b"{"])
def test_a_refusal_that_cannot_be_read_may_have_been_none(cloud: LocalCloud, body: bytes) -> None:
    cloud.faults.arm(Fault("PutSecretValue", "refuse-garbage", status=502, body=body))
    assert not attempted(cloud).refused


@pytest.mark.parametrize(
    ("failure", "refused", "throttled"),
    [
        (Failure("Any", None, "1"), False, False),
        (Failure("Any", 400, "1"), True, False),
        (Failure("Any", 408, "1"), False, False),
        (Failure("Any", 429, "1"), True, True),
        (Failure("Throttling.User", 400, "1"), True, True),
        (Failure("Throttling.User", 503, "1"), False, False),
        (Failure("Any", 499, "1"), True, False),
        (Failure("Any", 500, "1"), False, False),
        (Failure("Any", 307, "1"), False, False),
    ],
)
def test_a_failure_tells_what_was_certainly_not_carried_out(
    failure: Failure, *, refused: bool, throttled: bool
) -> None:
    assert (failure.refused, failure.throttled) == (refused, throttled)


# ------------------------------------------------------------------------------------ the SDK's exception stays behind


def refused_connection(_cloud: LocalCloud) -> Callable[[], Any]:
    return put(client(closed_port()))


def unknown_host(_cloud: LocalCloud) -> Callable[[], Any]:
    return put(client("no-such-host.invalid"))


def answered_by(fault: Fault) -> Callable[[LocalCloud], Callable[[], Any]]:
    def struck(cloud: LocalCloud) -> Callable[[], Any]:
        cloud.faults.arm(fault)
        return put(client(cloud.endpoint, credentials_of(cloud.admin)))

    return struck


FAILURES: dict[str, Callable[[LocalCloud], Callable[[], Any]]] = {
    "refused connection": refused_connection,
    "unknown host": unknown_host,
    "dropped": answered_by(Fault("PutSecretValue", "drop-before")),
    "no such secret": answered_by(Fault("Nothing", "drop-before")),
    "garbage": answered_by(Fault("PutSecretValue", "refuse-garbage", status=200, body=b"<html>" + SECRET.encode())),
    "echo": answered_by(Fault("PutSecretValue", "error", status=400, code="Invalid", message=SECRET)),
    "never answered": answered_by(Fault("PutSecretValue", "hang")),
}


@pytest.mark.parametrize("failing", FAILURES)
def test_an_error_raised_on_a_failure_knows_nothing_of_the_sdks(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr(openapi, "READ_TIMEOUT", timedelta(milliseconds=80))
    send = FAILURES[failing](cloud)
    answer = openapi.attempt(send)
    assert isinstance(answer, Failure)
    error = raised_on(answer)
    assert (error.__cause__, error.__context__) == (None, None)
    assert_absent(SECRETS | {cloud.admin.access_key_secret}, everything_about(error) + repr(answer), "the error")


@pytest.mark.parametrize("failing", FAILURES)
def test_the_sdks_exception_does_not_outlive_the_attempt(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr(openapi, "READ_TIMEOUT", timedelta(milliseconds=80))
    send = FAILURES[failing](cloud)
    raised: list[weakref.ref[Exception]] = []

    def watched() -> object:
        try:
            return send()
        except Exception as error:
            raised.append(weakref.ref(error))
            raise

    openapi.attempt(watched)
    gc.collect()
    assert [reference() for reference in raised] == [None]


def raised_on(failure: Failure) -> RuntimeError:
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError(str(failure))
    return raised.value


def test_what_is_no_exception_of_the_sdk_is_told_as_no_answer() -> None:
    def fail() -> None:
        raise KeyError(SECRET)

    assert openapi.attempt(fail) == Failure("unknown", None, "unknown")


def test_an_interrupt_is_not_swallowed() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        openapi.attempt(interrupt)


# -------------------------------------------------------------------------------------------------------- make_safe


def test_making_safe_twice_keeps_the_sessions_that_are_safe(cloud: LocalCloud) -> None:
    attempted(cloud)
    before = dict(darabonba.core.DaraCore._sessions)
    connections.make_safe(FakeClock())
    assert darabonba.core.DaraCore._sessions == before
    assert all(isinstance(session, connections.StraightSession) for session in before.values())


def test_a_session_made_before_is_thrown_away(cloud: LocalCloud) -> None:
    darabonba.core.DaraCore._sessions["http://early:80"] = requests.Session()
    connections.make_safe(FakeClock())
    assert "http://early:80" not in darabonba.core.DaraCore._sessions
