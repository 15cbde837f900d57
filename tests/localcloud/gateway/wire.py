"""The RPC wire form: bytes to a request, an answer or a refusal to bytes.

Sources: the common parameters and error body pages of both products (facts: CloudSSO error body; KMS "Common error
codes" page). Codes marked "gateway" are general knowledge of Alibaba Cloud's API gateway, not of a product page.
Answers are always JSON; the XML the wire also knows is asked for by no client of this project.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, quote

from tests.localcloud.api import ApiError, Json

FORM = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json;charset=utf-8"

# Parameters of the protocol itself: no service sees them.
PROTOCOL_PARAMETERS = frozenset(
    {
        "AccessKeyId",
        "Action",
        "Format",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request as it came; its repr shows nothing that may carry a password or a signature."""

    method: str
    path: str
    raw_query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)

    @cached_property
    def query(self) -> Pairs:
        """The decoded query, blank values kept: they are signed like any other."""
        return _decoded(self.raw_query)

    @cached_property
    def form(self) -> Pairs:
        """The decoded form body, if the body is a form."""
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return []
        return _decoded(self.body)

    @cached_property
    def sent(self) -> dict[str, str]:
        """Every parameter, wherever it travelled; the form wins over the query."""
        return dict(self.query) | dict(self.form)

    @cached_property
    def params(self) -> dict[str, str]:
        """The parameters meant for the service."""
        return {name: value for name, value in self.sent.items() if name not in PROTOCOL_PARAMETERS}

    @property
    def action(self) -> str:
        """The action: a header in ACS3 (Common parameters page), a parameter in the legacy form."""
        return self._header("x-acs-action") or self.sent.get("Action", "")

    @property
    def version(self) -> str:
        """The API version, which also names the product: one gateway serves them all here."""
        return self._header("x-acs-version") or self.sent.get("Version", "")

    @property
    def is_legacy(self) -> bool:
        """Whether it is signed in the legacy form, which covers no header: what headers say then says nobody."""
        return "authorization" not in self.headers and "Signature" in self.sent

    def _header(self, name: str) -> str | None:
        return None if self.is_legacy else self.headers.get(name)


@dataclass(frozen=True)
class Answer:
    """What goes back: bytes, and for the call log the error code they carry."""

    status: int
    body: bytes = field(repr=False)
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE


def new_request_id() -> str:
    """Return a request id as the gateway writes them: an upper-case UUID."""
    return str(uuid.uuid4()).upper()


def answered(result: Json, request_id: str) -> Answer:
    """Render a service's result; every answer carries the RequestId (Common parameters page)."""
    return Answer(200, _json({**result, "RequestId": request_id}))


def refused(refusal: ApiError, request_id: str, host: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Render a refusal in the documented error body."""
    body: Json = {
        "HttpStatus": refusal.status,
        "Code": refusal.code,
        "Message": refusal.message,
        "RequestId": request_id,
        "HostId": host,
        "Recommend": f"https://next.api.aliyun.com/troubleshoot?q={quote(refusal.code)}",
        **refusal.extra,
    }
    return Answer(refusal.status, _json(body), refusal.code, headers or {})


def check_form(request: HttpRequest, versions: Iterable[str]) -> None:
    """Refuse what the gateway refuses before it looks at the product."""
    if request.method not in {"GET", "POST"}:
        raise ApiError(403, "UnsupportedHTTPMethod", "This http method is not supported.")  # KMS: common error codes
    if not request.action:
        raise _missing("Action")
    if not request.version:
        raise _missing("Version")
    if request.version not in set(versions):
        raise ApiError(400, "InvalidVersion", "Specified parameter Version is not valid.")  # gateway


def no_such_action() -> ApiError:
    """Return the gateway's answer to an action the product does not have."""
    message = "Specified api is not found, please check your url and method."
    return ApiError(404, "InvalidAction.NotFound", message)  # gateway


def _missing(name: str) -> ApiError:
    message = f"The input parameter {name} that is mandatory for processing this request is not supplied."
    return ApiError(400, "MissingParameter", message)  # KMS: common error codes


def _decoded(encoded: str | bytes) -> Pairs:
    try:
        text = encoded.decode("ascii") if isinstance(encoded, bytes) else encoded
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        failure = ApiError(400, "ParseRequestParameterException", "The parameters are not percent-encoded UTF-8.")
    raise failure  # outside the handler: the decoding error's context holds the bytes


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
