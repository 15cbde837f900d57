"""Who signed a request of FC 2.0: `Authorization: FC <access key id>:<signature>`, with HMAC-SHA256.

Source: "Signature authentication" page: what is signed, 403 for what is not signed rightly, and 15 minutes between the
clocks. The codes are of the error code page; those marked "a guess" are not: the page has none for them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.freshness import Freshness
from tests.localcloud.gateway.signature import Keys
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.ram.service import Key

_AUTHORIZATION = re.compile(r"FC ([^:\s]+):(\S+)")


class Fc2Verifier:
    """Tells whose request it is, or refuses it. There is no nonce: a request may be sent twice."""

    def __init__(self, keys: Keys, now: Callable[[], float], cloud_time: Callable[[], float]) -> None:
        self._keys = keys
        self._now = now
        self._freshness = Freshness(now, cloud_time)

    def verify(self, request: HttpRequest) -> Key:
        """Return the key that signed the request."""
        parts = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if parts is None:
            raise ApiError(403, "AccessDenied", "the Authorization header is not FC <accessKeyID>:<signature>")
        access_key_id, signature = parts.groups()
        key = known_key(self._keys, self._now(), access_key_id, request.headers.get("x-fc-security-token", ""))
        self._check_date(request.headers.get("date", ""))
        _check_body(request)
        expected = signature_of(key.credentials.access_key_secret, string_to_sign(request))
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            message = "The request signature we calculated does not match the signature you provided."
            raise ApiError(403, "SignatureNotMatch", message)
        return key

    def _check_date(self, date: str) -> None:
        if not date:
            raise ApiError(400, "MissingRequiredHeader", "required HTTP header Date was not specified")
        try:
            seconds = parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError):
            raise ApiError(400, "InvalidArgument", "the Date header is not an RFC 1123 date") from None
        if not self._freshness.is_near(seconds):
            raise ApiError(403, "AccessDenied", "the Date header is off by more than 15 minutes")


def known_key(keys: Keys, now: float, access_key_id: str, token: str) -> Key:
    """Return the key of this id, if the token is its own and it is not past its time."""
    key = keys.find(access_key_id)
    if key is None:
        raise ApiError(403, "InvalidAccessKeyID", f"invalid access key ID '{access_key_id}'")
    if not hmac.compare_digest((key.credentials.security_token or "").encode(), token.encode()):
        raise ApiError(403, "InvalidSecurityToken", "the security token is not that of the access key")  # a guess
    if key.expired(now):
        raise ApiError(403, "SecurityTokenExpired", "the security token is expired")  # a guess
    return key


def string_to_sign(request: HttpRequest) -> str:
    """Build what is signed; the path is decoded, and its query left out, as for everything but HTTP triggers."""
    headers = request.headers
    named = sorted((name, value) for name, value in headers.items() if name.startswith("x-fc-"))
    canonical = "".join(f"{name}:{value}\n" for name, value in named)
    parts = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), headers.get("date", ""))
    return "\n".join((*parts, canonical + unquote(request.path)))


def signature_of(secret: str, to_sign: str) -> str:
    """Sign."""
    return base64.b64encode(hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).digest()).decode()


def _check_body(request: HttpRequest) -> None:
    """Hold the body to its Content-MD5, which is signed where there is one; otherwise the body is not signed at all."""
    announced = request.headers.get("content-md5")
    given = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
    if announced is not None and announced != given:
        raise ApiError(400, "InvalidArgument", "the body does not have the Content-MD5 that was announced")
