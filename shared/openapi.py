"""What both official SDKs share: the runtime they are generated for (alibabacloud_tea_openapi on darabonba).

Here is what goes into it and comes out of it: who signs, what is tried again, answers in shapes, and failures without
the SDK's exceptions, which carry the whole request. How it talks is connections.py's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any, NoReturn, TypeVar

import msgspec
import requests
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.exceptions import ResponseException
from darabonba.policy.retry import RetryOptions
from darabonba.runtime import RuntimeOptions

from shared.connections import at_hand
from shared.model import Credentials, Endpoint

CONNECT_TIMEOUT = timedelta(seconds=5)
READ_TIMEOUT = timedelta(seconds=10)
LONGEST_DELAY = timedelta(seconds=3)  # between a refusal and the next try, whatever x-acs-retry-after says
TRIES = 5
LONGEST_ADVICE = timedelta(minutes=1)  # of a server's on when to come back; no claim waits longer

Answer = TypeVar("Answer")
Shape = TypeVar("Shape")


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
        deadline = at_hand()
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


def shaped(body: bytes, shape: type[Shape]) -> Shape | Unreadable:
    """Return an answer's body in its shape. The SDK passes on whatever comes with status 200."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UnicodeDecodeError:  # which holds what could not be decoded, and so perhaps a password
        return Unreadable("not UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable(str(error))


class Operation(msgspec.Struct, frozen=True):
    """One call of an RPC style API."""

    action: str
    version: str

    def call(self, client: Any, request: Any, options: Any, *, form: Mapping[str, str] | None = None) -> bytes:  # noqa: ANN401 - the SDK is untyped
        """Return the body of the answer to a request of the SDK's, as it came. To be called within `attempt`.

        The parameters in `form` go into the body: the others are in the URL, and in what logs URLs. The SDK's typed
        calls send the same, but for some passwords in the URL; and they make objects of the answer, of which its text
        would have to be made again to be read here.
        """
        request.validate()
        asked = OpenApiRequest(query=Utils.query(request.to_map()), body=form)
        answered: bytes = client.call_api(self._params, asked, options)["body"]
        return answered

    @property
    def _params(self) -> Params:
        return Params(
            action=self.action,
            version=self.version,
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="binary",
        )


class AccessKey:
    """What the SDK asks for when it signs a call, like its own CredentialModel; nothing is in its repr."""

    __slots__ = ("access_key_id", "access_key_secret", "security_token", "type")
    provider_name = None  # the SDK would send it along

    def __init__(self, who: Credentials) -> None:
        self.access_key_id = who.access_key_id
        self.access_key_secret = who.access_key_secret.reveal()
        self.security_token = who.security_token and who.security_token.reveal()
        self.type = "sts" if who.security_token else "access_key"

    def __reduce__(self) -> NoReturn:  # as Sealed
        message = "an AccessKey is not serialised"
        raise TypeError(message)


class Signer:
    """Signs the calls of clients that are made once, with the credentials that come with each invocation.

    The SDK asks it at every call (ICredentialsProvider). Between invocations it has none: an idle instance keeps
    connections and clients, and nothing that could sign. Function Compute's own runtimes give an instance one event at
    a time; should two overlap, the first to end takes nothing from the other.
    """

    def __init__(self, who: Credentials | None = None) -> None:
        self._who = who
        self._invocations = 0
        self._changing = threading.Lock()

    @contextmanager
    def signing_as(self, who: Credentials) -> Iterator[None]:
        """Sign with these credentials within the block, and with none after it."""
        with self._changing:
            self._who = who
            self._invocations += 1
        try:
            yield
        finally:
            with self._changing:
                self._invocations -= 1
                if self._invocations == 0:
                    self._who = None

    def get_credential(self) -> AccessKey:
        """Return what a call is signed with. Raises a RuntimeError outside every invocation."""
        who = self._who
        if who is None:
            message = "a call was made outside the invocation that it belongs to"
            raise RuntimeError(message)
        return AccessKey(who)


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


def load_requests(package: ModuleType, *operations: Operation) -> None:
    """Import the SDK's requests for these operations, each in a module of its own (deferral.py)."""
    for operation in operations:
        getattr(package, f"{operation.action}Request")
