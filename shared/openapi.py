"""What both official SDKs share: the runtime they are generated for (alibabacloud_tea_openapi on darabonba).

Its manners are made safe here, once: it logs too much, follows redirects with the secret and the security token in
hand, and raises exceptions that carry the whole request.
"""

from __future__ import annotations

import http.client
import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

import certifi
import darabonba.core
import msgspec
import requests
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.exceptions import ResponseException
from darabonba.policy.retry import RetryOptions
from darabonba.runtime import RuntimeOptions

from shared.model import Credentials, Endpoint
from shared.ports import Clock

CONNECT_TIMEOUT = timedelta(seconds=5)
READ_TIMEOUT = timedelta(seconds=10)
LONGEST_DELAY = timedelta(seconds=3)  # between a refusal and the next try, whatever x-acs-retry-after says
TRIES = 5
LONGEST_ADVICE = timedelta(minutes=1)  # of a server's on when to come back; no claim waits longer
LONGEST_IDLE = timedelta(seconds=30)  # of a connection
MOST_CONNECTIONS = 64  # to one endpoint; settings.MOST_PARALLEL
UNHURRIED = timedelta(seconds=20)  # how long a call that no claim waits for may be tried again

Answer = TypeVar("Answer")
Shape = TypeVar("Shape")


class _Deadline(msgspec.Struct, frozen=True):
    """Until when the call at hand may be sent, and by whose clock."""

    clock: Clock
    send_by: datetime

    def passed(self, ahead: timedelta = timedelta()) -> bool:
        return self.clock.now() + ahead > self.send_by


_deadline: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


class Failure(msgspec.Struct, frozen=True):
    """All that may be known of a failed call: never the SDK's exception, which can hold the password and the token."""

    code: str
    status: int | None  # None: no answer, or none that could be read; the call may have been carried out
    request_id: str
    retry_after: timedelta | None = None  # the service's own advice (x-acs-retry-after)

    def __str__(self) -> str:
        if self.status is None:
            return "no readable answer"
        return f"{self.status} {self.code}, request {self.request_id}"

    @property
    def throttled(self) -> bool:
        """Tell whether the call was refused for its rate, and so was not carried out. A 5xx never says that surely."""
        return self.refused and (self.status == requests.codes.too_many_requests or "Throttling" in self.code)

    @property
    def refused(self) -> bool:
        """Tell whether the answer says that the call was not carried out, and why."""
        return self.status is not None and 400 <= self.status < 500 and self.status != requests.codes.request_timeout  # noqa: PLR2004 - HTTP's own numbers


UNANSWERED = Failure("unknown", None, "unknown")


def attempt(send: Callable[[], Answer]) -> Answer | Failure:
    """Make one SDK call: return its answer, or what is safe to know of its failure.

    The SDK's exception does not outlive this function, so an error raised on the result has it neither as its cause nor
    as its context.
    """
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - whatever it is, it may carry the request: nothing of it may go on
        failure = _failure(error)
    return failure


def _failure(error: Exception) -> Failure:
    if not isinstance(error, ResponseException):
        return UNANSWERED
    facts = (getattr(error, name, None) for name in ("status_code", "code", "request_id", "retry_after"))
    return answered(*facts)


def answered(status: object, code: object, request_id: object, retry_after: object = None) -> Failure:
    """Return what is safe to know of an answer other than the one hoped for: a server decides what is in it."""
    return Failure(
        code=_token(code),
        status=status if isinstance(status, int) else None,
        request_id=_token(request_id),
        retry_after=_advice(retry_after),
    )


def _advice(milliseconds: object) -> timedelta | None:
    # A server decides it: bounded before it becomes a timedelta, which overflows.
    longest = LONGEST_ADVICE // timedelta(milliseconds=1)
    return timedelta(milliseconds=min(milliseconds, longest)) if isinstance(milliseconds, int) else None


def _token(value: object) -> str:
    # A server decides what these contain; only what looks like a code or an id is passed on to logs.
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", value) else "unknown"


@contextmanager
def sending_until(clock: Clock, send_by: datetime | None) -> Iterator[None]:
    """Let nothing be sent within the block after `send_by`; None: a call that no claim waits for."""
    token = _deadline.set(_Deadline(clock, send_by or clock.now() + UNHURRIED))
    try:
        yield
    finally:
        _deadline.reset(token)


class _Throttling:
    """Every error code that speaks of throttling; the services name it differently, and no list is complete."""

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and "Throttling" in code


class _Retries(RetryOptions):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's retries of throttled and of unanswered calls, ended by the deadline of the call at hand."""

    def __init__(self) -> None:
        backoff = {"policy": "ExponentialWithFullJitter", "period": 100, "cap": 2000}  # milliseconds
        usual = {
            "maxAttempts": TRIES,
            "maxDelay": int(LONGEST_DELAY.total_seconds() * 1000),
            "backoff": backoff,
        }
        throttled = {**usual, "exception": ["ThrottlingException"], "errorCode": _Throttling()}
        # After a freeze every pooled connection may be dead; each such try fails at once, and takes one away.
        lost = {**usual, "exception": ["RetryError", "ServerException"]}
        super().__init__({"retryCondition": [throttled, lost]})

    @property
    def retryable(self) -> bool:
        """Tell whether a try that may begin after the longest delay would still be in time. Asked before each."""
        deadline = _deadline.get()
        return deadline is not None and not deadline.passed(LONGEST_DELAY)

    @retryable.setter
    def retryable(self, value: bool) -> None:
        """Ignore what the base class sets once and for all."""


class Unreadable(msgspec.Struct, frozen=True):
    """What is wrong with the shape of an answer: the types and places, never the values."""

    what: str


def answer_shape(shape: type[Shape]) -> type[Shape]:
    """Have msgspec make what it knows of a type now, while its module is imported and one thread is at work.

    It would be made at the first answer, and users are rotated in parallel: two threads that come first together end
    the process with a segmentation fault (msgspec 0.22.0; tests/contract/test_first_answers.py).
    """
    msgspec.json.Decoder(shape)
    return shape


def shaped(answer: Any, shape: type[Shape]) -> Shape | Unreadable:  # noqa: ANN401 - the SDK is untyped
    """Return an answer's body in its shape. The SDK passes on whatever comes with status 200."""
    body = answer.body.to_map() if answer.body is not None else None
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        return Unreadable(str(error))


class AccessKey:
    """What the SDK asks for when it signs a call, like its own CredentialModel; nothing is in its repr."""

    __slots__ = ("access_key_id", "access_key_secret", "security_token", "type")
    provider_name = None  # the SDK would send it along

    def __init__(self, who: Credentials) -> None:
        self.access_key_id = who.access_key_id
        self.access_key_secret = who.access_key_secret.reveal()
        self.security_token = who.security_token and who.security_token.reveal()
        self.type = "sts" if who.security_token else "access_key"


class Signer:
    """Signs the calls of clients that are made once, with the credentials that come with each invocation.

    The SDK asks it at every call (ICredentialsProvider). Between invocations it has none: an idle instance keeps
    connections and clients, and nothing that could sign.
    """

    def __init__(self, who: Credentials | None = None) -> None:
        self._who = who

    @contextmanager
    def signing_as(self, who: Credentials) -> Iterator[None]:
        """Sign with these credentials within the block, and with none after it."""
        self._who = who
        try:
            yield
        finally:
            self._who = None

    def get_credential(self) -> AccessKey:
        """Return what a call is signed with. Raises a RuntimeError outside every invocation."""
        if self._who is None:
            message = "a call was made outside the invocation that it belongs to"
            raise RuntimeError(message)
        return AccessKey(self._who)


def config(signer: Signer, region: str, endpoint: Endpoint, *, repeat: bool) -> Any:  # noqa: ANN401 - the SDK is untyped
    """Return an SDK configuration; with `repeat`, for calls that the SDK tries again when throttled or unanswered.

    `repeat` is for reads and for writes that take effect once, however often they are sent. The SDK decides by code and
    kind of exception alone, blind to the status: a 503 that calls itself throttling would be tried again.
    """
    return Config(
        credential=signer,
        region_id=region,
        endpoint=endpoint.host,
        protocol=endpoint.protocol,
        connect_timeout=int(CONNECT_TIMEOUT.total_seconds() * 1000),
        read_timeout=int(READ_TIMEOUT.total_seconds() * 1000),
        retry_options=_Retries() if repeat else None,
        user_agent="cloudsso-rotator",
    )


def runtime(answer_within: timedelta | None = None) -> Any:  # noqa: ANN401 - the SDK is untyped
    """Return the options of one call: as configured, or with a shorter time to wait for its answer."""
    return RuntimeOptions(read_timeout=int(answer_within.total_seconds() * 1000)) if answer_within else _AS_CONFIGURED


_AS_CONFIGURED = RuntimeOptions()  # read by the SDK and not changed


def load_models(package: ModuleType, operations: Iterable[str]) -> None:
    """Import the SDK's types for these operations, each in a module of its own (deferral.py)."""
    mine = tuple(f"{name}{kind}" for name in operations for kind in ("Request", "Response", "ShrinkRequest"))
    for name in dir(package):
        if name.startswith(mine):
            getattr(package, name)


def prepare(*endpoints: Endpoint) -> None:
    """Read what connections to these endpoints will trust."""
    for endpoint in endpoints:
        _connections(endpoint.protocol)


class StraightSession(requests.Session):
    """A session that refuses redirects, keeps no cookies, and sends nothing late.

    The SDK would post the password and the security token to wherever a redirect points. And it sleeps between tries
    without looking at the clock afterwards; here it is looked at, before name resolution and connecting, which
    LONGEST_EFFECT (rotation.py) has to cover.
    """

    def __init__(self) -> None:
        super().__init__()
        self.used_at: datetime | None = None

    def idle(self, now: datetime) -> bool:
        """Tell whether its connections have not been used for so long that they may be dead."""
        return self.used_at is not None and now - self.used_at > LONGEST_IDLE

    def send(
        self,
        request: requests.PreparedRequest,
        *,
        allow_redirects: bool = False,  # noqa: ARG002 - they never are
        **kwargs: Any,  # noqa: ANN401 - as inherited
    ) -> requests.Response:
        """Send within the time of the call at hand, or not at all."""
        deadline = _deadline.get()
        if deadline is not None:
            if deadline.passed():
                message = "the time for sending it was over"
                raise requests.Timeout(message)
            self.used_at = deadline.clock.now()
        # Without what requests does between this and the connection: redirects, cookies and hooks.
        response = self.get_adapter(request.url or "").send(request, **kwargs)
        if response.is_redirect:
            response.close()
            message = "the answer was a redirect"
            raise requests.TooManyRedirects(message)
        if not kwargs.get("stream"):
            response.content  # noqa: B018 - the SDK reads it where nothing is caught
        return response


class SharedAdapter(requests.adapters.HTTPAdapter):
    """The connections to every endpoint, made with one TLS context.

    The SDK makes a context for each endpoint, and reads the system's certificate authorities and certifi's into it;
    requests then reads certifi's again for each connection. That is 25 ms of CPU each time. Here certifi's are read
    once. Whoever sets SSL_CERT_FILE or SSL_CERT_DIR, as OpenSSL names them, has those trusted as well.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as inherited
        """Have each pool use the one context."""
        super().init_poolmanager(*args, ssl_context=_tls_context(), **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:  # noqa: ANN401, FBT001 - as inherited
        """Verify the server by what the context trusts, which need not be read again."""
        super().cert_verify(conn, url, verify, cert)
        if verify is True and url.startswith("https://"):
            conn.ca_certs = conn.ca_cert_dir = None


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    paths = ssl.get_default_verify_paths()
    if paths.cafile not in (None, paths.openssl_cafile) or paths.capath not in (None, paths.openssl_capath):
        context.load_default_certs()  # somebody has set one of the two variables
    return context


_adapter_of_sdk = darabonba.core.DaraCore.get_adapter


@cache
def _connections(protocol: str) -> requests.adapters.HTTPAdapter:
    kind = SharedAdapter if protocol == "HTTPS" else requests.adapters.HTTPAdapter
    return kind(pool_maxsize=MOST_CONNECTIONS)


def _adapter(protocol: str, tls_min_version: str | None = None, pool_size: int | None = None) -> Any:  # noqa: ANN401 - as the SDK's
    if tls_min_version is not None:  # nobody here asks for one
        return _adapter_of_sdk(protocol, tls_min_version, pool_size)
    return _connections(protocol.upper())


def make_safe(clock: Clock) -> None:
    """Close what the SDK's runtime leaves open. To be called before the calls of each invocation."""
    darabonba.core.Session = StraightSession
    darabonba.core.DaraCore.get_adapter = staticmethod(_adapter)
    # The runtime shares sessions between all clients of an endpoint. One made before this may follow redirects; and an
    # instance is frozen between events, while servers and gateways forget connections without a word.
    sessions = darabonba.core.DaraCore._sessions  # noqa: SLF001 - there is no public way to give a client its session
    for key, session in list(sessions.items()):
        if not isinstance(session, StraightSession) or session.idle(clock.now()):
            sessions.pop(key, None)  # another thread of this process may have been first
            session.close()
    # darabonba: DEBUG=sdk prints the query, the Authorization header and the security token, by a handler of its own.
    # urllib3: its debug log has every URL, and warns about broken headers with the URL.
    for name in ("darabonba-core", "urllib3", "requests"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False  # a descendant whose level somebody lowered ends here too
        logger.setLevel(logging.CRITICAL + 1)
    # The standard library's own debug level prints every request, head and body.
    http.client.HTTPConnection.debuglevel = 0
