"""HTTP to an event and back, as an HTTP trigger does it for an event function of a built-in runtime.

Sources: "Use an HTTP trigger to invoke a function" page of FC 3.0 (both structures); "HTTP triggers overview" page (the
limits, the headers that do not pass, what is added to every answer); "HTTP functions: troubleshooting" page, which is
older (a function's error is 502). Inferred: that header names reach the event as Go writes them (Accept-Encoding),
that a request's own signature is among them, which media types are not binary, and everything marked "a guess".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import Result
from tests.localcloud.fc.invocation import LARGEST_SYNC, invalid
from tests.localcloud.gateway.wire import Answer, HttpRequest

LARGEST_HEADERS = 8 * 1024  # of a request and of an answer: all names and values together
LARGEST_PATH = 4 * 1024  # with the query

_TEXT = re.compile(r"text/.+|application/(.+\+)?(json|xml)|application/(javascript|x-www-form-urlencoded)")
_NOT_PASSED = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "upgrade", "content-disposition"}
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_JSON = "application/json"


@dataclass(frozen=True)
class Domain:
    """The name by which a trigger is reached in reality: <prefix>.<region>.fcapp.run."""

    prefix: str
    region: str
    account_id: str

    @property
    def name(self) -> str:
        """The whole name."""
        return f"{self.prefix}.{self.region}.fcapp.run"


class _Answered(msgspec.Struct, rename="camel"):
    """What a function answers."""

    status_code: Annotated[int, Meta(ge=200, le=599)]
    headers: dict[str, str] = {}
    is_base64_encoded: bool = False
    body: str = ""


@dataclass(frozen=True)
class _Reply:
    """An answer, its body decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def check_limits(request: HttpRequest) -> None:
    """Refuse what is too large for any HTTP trigger."""
    path = request.path + (f"?{request.raw_query}" if request.raw_query else "")
    sizes = {
        "headers": (_size(request.headers.items()), LARGEST_HEADERS),
        "path": (len(path), LARGEST_PATH),
        "body": (len(request.body), LARGEST_SYNC),
    }
    for what, (size, largest) in sizes.items():
        if size > largest:
            raise invalid(f"the {what} of the request exceeds {largest} bytes")


def new_request_id(at: datetime) -> str:
    """Return a request id as HTTP triggers have them: 1-<time>-<random>-<random>, as the sample event shows."""
    return f"1-{int(at.timestamp()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(6)}"


def event_of(request: HttpRequest, domain: Domain, request_id: str, at: datetime) -> bytes:
    """Return the event that a request becomes."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body, encoded = _body(request.body, binary=bool(media_type) and not _TEXT.fullmatch(media_type))
    event: dict[str, Any] = {
        "version": "v1",
        "rawPath": request.path,
        "body": body,
        "isBase64Encoded": encoded,
        "headers": {_as_go_writes(name): value for name, value in request.headers.items() if not _is_own(name)},
        "queryParameters": joined(request.query),
        "requestContext": {
            "accountId": domain.account_id,
            "domainName": domain.name,
            "domainPrefix": domain.prefix,
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "time": at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timeEpoch": str(int(at.timestamp() * 1000)),
        },
    }
    return json.dumps(event, ensure_ascii=False).encode()


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what came twice as one value, with commas between."""
    together: dict[str, list[str]] = {}
    for name, value in pairs:
        together.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in together.items()}


def answer_of(result: Result, origin: str | None) -> Answer:
    """Return the HTTP answer that a function's result becomes."""
    if result.error_type is not None:
        reply = _Reply(502, {"content-type": _JSON, "x-fc-error-type": result.error_type}, result.payload)
    else:
        reply = _reply(result.payload)
    headers = {**always(result.request_id), **_cross_origin(origin), **reply.headers}
    content_type = headers.pop("content-type", _JSON)
    return Answer(reply.status, reply.body, headers=headers, content_type=content_type)


def always(request_id: str) -> dict[str, str]:
    """Return what is added to every answer: a browser downloads it, unless the domain is one's own."""
    return {
        "access-control-expose-headers": "Date,x-fc-request-id",
        "content-disposition": "attachment",
        "x-fc-request-id": request_id,
    }


def _cross_origin(origin: str | None) -> dict[str, str]:
    """Return what is added for another site, where the function says nothing of its own ("CORS" section)."""
    if origin is None:
        return {}
    return {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}


def _reply(payload: bytes) -> _Reply:
    if len(payload) > LARGEST_SYNC:
        raise _bad("its size exceeds the limit")
    try:
        said = json.loads(payload)
    except ValueError:
        said = None
    if not isinstance(said, dict) or "statusCode" not in said:
        return _Reply(200, {"content-type": _JSON}, payload)  # the page's assumptions where statusCode is absent
    try:
        answered = msgspec.convert(said, _Answered)
        body = base64.b64decode(answered.body, validate=True) if answered.is_base64_encoded else answered.body.encode()
    except (msgspec.ValidationError, binascii.Error) as problem:
        reason = str(problem)
    else:
        return _Reply(answered.status_code, _passed(answered.headers), body)
    raise _bad(reason)


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    if _size(headers.items()) > LARGEST_HEADERS:
        raise _bad(f"its headers exceed {LARGEST_HEADERS} bytes")
    wrong = [
        name for name, value in headers.items() if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))
    ]
    if wrong:
        raise _bad("a header is none of HTTP")  # a guess
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name not in _NOT_PASSED and not name.startswith("x-fc-")}


def _bad(reason: str) -> ApiError:
    """Return the refusal of a function's answer; for what is not too large, it is a guess."""
    return ApiError(502, "BadResponse", f"the function's response is invalid: {reason}")


def _body(body: bytes, *, binary: bool) -> tuple[str, bool]:
    if not binary:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _size(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) for name, value in pairs)


def _is_own(name: str) -> bool:
    """Tell whether a request's header is the platform's or the connection's: those are no headers of one's own."""
    return name.startswith("x-fc-") or name in {"connection", "keep-alive"}


def _as_go_writes(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
