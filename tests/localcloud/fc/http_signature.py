"""Who signed a request to an HTTP trigger: ACS3-HMAC-SHA256, in the form that HTTP triggers have of it.

Source: "Configure signature authentication for HTTP triggers" page of FC 3.0: its samples sign the method, the path
with %24 for $, the first value of each query parameter, x-acs-date and x-acs-security-token, and in place of the body's
hash nothing at all, so the body is not signed; there is no nonce, so a request may be sent twice. Its samples write
x-acs-date to the second, the millisecond or the nanosecond. Its questions and answers have the three refusals' texts;
their status is that of the "HTTP functions: troubleshooting" page: 400 for no date or no signature, 403 for a wrong
signature or one older than 15 minutes. The codes are of the error code page; those marked "a guess" are not.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from urllib.parse import urlencode

from tests.localcloud.api import ApiError
from tests.localcloud.fc.signature import known_key
from tests.localcloud.gateway.freshness import Freshness
from tests.localcloud.gateway.signature import AUTHORIZATION, Keys, acs3_signature, acs3_string_to_sign
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.ram.service import Key

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_NO_BODY = ""  # what the samples sign in place of the body's hash


class HttpVerifier:
    """Tells whose request to an HTTP trigger it is, or refuses it."""

    def __init__(self, keys: Keys, now: Callable[[], float], cloud_time: Callable[[], float]) -> None:
        self._keys = keys
        self._now = now
        self._freshness = Freshness(now, cloud_time)

    def verify(self, request: HttpRequest) -> Key:
        """Return the key that signed the request."""
        authorization, stamp = (request.headers.get(name, "") for name in ("authorization", "x-acs-date"))
        if not authorization or not stamp:
            raise ApiError(400, "MissingRequiredHeader", "required HTTP header Date was not specified")
        parts = AUTHORIZATION.fullmatch(authorization)
        if parts is None:  # a guess; the signature of FC 2.0 is not documented for HTTP triggers of FC 3.0
            raise ApiError(403, "AccessDenied", "the Authorization header is not that of ACS3-HMAC-SHA256")
        access_key_id, names, signature = parts.groups()
        token = request.headers.get("x-acs-security-token", "")
        key = known_key(self._keys, self._now(), access_key_id, token)
        self._check_time(stamp)
        signed = names.split(";")
        _check_signed_headers(request, signed)
        expected = acs3_signature(key.credentials.access_key_secret, string_to_sign(request, signed))
        if not hmac.compare_digest(expected, signature):
            message = "The request signature we calculated does not match the signature you provided. "
            raise ApiError(403, "SignatureNotMatch", f"{message}Check your access key and signing method")
        return key

    def _check_time(self, stamp: str) -> None:
        seconds = _seconds(stamp)
        if not self._freshness.is_near(seconds):
            named, now = (datetime.fromtimestamp(each, timezone.utc).strftime(_DATE) for each in (seconds, self._now()))
            message = f"the difference between the request time '{named}' and the current time '{now}' is too large"
            raise ApiError(403, "AccessDenied", message)  # a guess: the code


def string_to_sign(request: HttpRequest, signed: list[str]) -> str:
    """Build what is signed."""
    first: dict[str, str] = {}
    for name, value in request.query:
        first.setdefault(name, value)
    canonical = replace(request, path=request.path.replace("$", "%24"), raw_query=urlencode(first))
    return acs3_string_to_sign(canonical, signed, _NO_BODY)


def _check_signed_headers(request: HttpRequest, signed: list[str]) -> None:
    """Hold the signer to what the samples sign; that nothing else is needed is inferred from them."""
    needed = {"x-acs-date", "x-acs-security-token"} & request.headers.keys()
    left_out = sorted(needed - set(signed))
    if left_out:
        raise ApiError(403, "SignatureNotMatch", f"{', '.join(left_out)} must be among SignedHeaders")  # a guess


def _seconds(stamp: str) -> float:
    found = _STAMP.fullmatch(stamp)
    try:
        return (
            datetime.strptime(found[1] if found else "", "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
        )
    except ValueError:
        raise ApiError(
            400, "InvalidArgument", "x-acs-date is not a time as in 2024-01-01T00:00:00Z"
        ) from None  # a guess
