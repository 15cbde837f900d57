"""Who signed a request: ACS3-HMAC-SHA256, and the legacy RPC signature with HMAC-SHA1.

Sources: "Common parameters" page and the official SDK (both forms), the latter also for which headers are signed.
Codes marked "gateway" are general knowledge of Alibaba Cloud's API gateway: official SDKs list them without a page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.freshness import Freshness
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.ram.service import Key

_ALGORITHM = "ACS3-HMAC-SHA256"
AUTHORIZATION = re.compile(rf"{_ALGORITHM} Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{{64}})")
_BLANKS = " \t"  # of HTTP; anything else that Unicode calls a blank is part of the value
_KMS_VERSION = "2016-01-20"


class Keys(Protocol):
    """Where keys are looked up."""

    def find(self, access_key_id: str) -> Key | None:
        """Look a key up by its public part."""

    def find_token(self, security_token: str) -> Key | None:
        """Look a key up by its security token."""


class Verifier:
    """Tells whose request it is, or refuses it; a nonce counts as used only once its signature was right."""

    def __init__(
        self, keys: Keys, now: Callable[[], float] = time.time, cloud_time: Callable[[], float] | None = None
    ) -> None:
        self._keys = keys
        self._now = now  # the clients' time: their clocks do not shift with the cloud's
        self._freshness = Freshness(now, cloud_time or now)  # functions live by the cloud's time

    def verify(self, request: HttpRequest) -> Key:
        """Return the key that signed the request."""
        if "authorization" in request.headers:
            return self._verify_acs3(request)
        if request.is_legacy:
            return self._verify_legacy(request)
        raise _incomplete("there is neither an Authorization header nor a Signature parameter")

    def _verify_acs3(self, request: HttpRequest) -> Key:
        parts = AUTHORIZATION.fullmatch(request.headers["authorization"])
        if parts is None:
            raise _incomplete(f"the Authorization header is not {_ALGORITHM} Credential=,SignedHeaders=,Signature=")
        access_key_id, names, signature = parts.groups()
        key = self._key(access_key_id, request.headers.get("x-acs-security-token", ""), request.version)
        signed = names.split(";")
        _check_signed_headers(request.headers, signed)
        stamp, nonce = request.headers.get("x-acs-date", ""), request.headers.get("x-acs-signature-nonce", "")
        self._freshness.check_time(stamp)
        to_sign = acs3_string_to_sign(request, signed)
        _check_body_hash(request, to_sign)
        _compare(acs3_signature(key.credentials.access_key_secret, to_sign), signature, to_sign)
        self._freshness.use(access_key_id, nonce, stamp)
        return key

    def _verify_legacy(self, request: HttpRequest) -> Key:
        sent = request.sent
        _check_legacy_method(sent)
        key = self._key(sent.get("AccessKeyId", ""), sent.get("SecurityToken", ""), request.version)
        stamp, nonce = sent.get("Timestamp", ""), sent.get("SignatureNonce", "")
        self._freshness.check_time(stamp)
        expected = legacy_signature(key.credentials.access_key_secret, legacy_string_to_sign(request.method, sent))
        # The real gateway quotes the string to sign, parameters and all; a password may be among them, so not here.
        _compare(expected, sent["Signature"], f"{request.method}&%2F&***")
        self._freshness.use(key.credentials.access_key_id, nonce, stamp)
        return key

    def _key(self, access_key_id: str, token: str, version: str) -> Key:
        key = self._keys.find(access_key_id)
        if key is None:
            raise _unknown_key()
        self._check_token(key, token)
        if key.expired(self._now()):
            raise _expired(version)
        return key

    def _check_token(self, key: Key, token: str) -> None:
        """Hold a temporary key to its own token (codes: gateway)."""
        expected = key.credentials.security_token or ""
        if hmac.compare_digest(expected.encode(), token.encode()):
            return
        if not token:
            raise ApiError(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
        if not expected or self._keys.find_token(token) is not None:
            message = "Specified SecurityToken mismatch with the AccessKey."
            raise ApiError(400, "InvalidSecurityToken.MismatchWithAccessKey", message)
        raise ApiError(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")


def acs3_string_to_sign(request: HttpRequest, signed: Iterable[str], hashed_body: str | None = None) -> str:
    """Build the canonical request and hash it ("Common parameters" page, V3 signature).

    `hashed_body` stands in for the hash of the body, where something else is signed in its place.
    """
    names = sorted(name.lower() for name in signed)
    canonical = "\n".join(
        (
            request.method,
            request.path,
            "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(request.query)),
            "".join(f"{name}:{request.headers.get(name, '').strip(_BLANKS)}\n" for name in names),
            ";".join(names),
            hashlib.sha256(request.body).hexdigest() if hashed_body is None else hashed_body,
        )
    )
    return f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def acs3_signature(secret: str, to_sign: str) -> str:
    """Sign in the V3 form."""
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


def legacy_string_to_sign(method: str, sent: Mapping[str, str]) -> str:
    """Build the legacy string to sign: form parameters count like query parameters (official SDK)."""
    signed = sorted((name, value) for name, value in sent.items() if name != "Signature")
    return f"{method}&%2F&" + _encoded("&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in signed))


def legacy_signature(secret: str, to_sign: str) -> str:
    """Sign in the legacy form: the key is the secret and an ampersand."""
    return base64.b64encode(hmac.new(f"{secret}&".encode(), to_sign.encode(), hashlib.sha1).digest()).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _check_signed_headers(headers: Mapping[str, str], signed: list[str]) -> None:
    """Hold the signer to the documented minimum: host, content-type and every x-acs-* header that is there."""
    required = {name for name in headers if name in {"host", "content-type"} or name.startswith("x-acs-")}
    required |= {"x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
    left_out = sorted(required - set(signed))
    if left_out:
        raise _incomplete(f"{', '.join(left_out)} must be among SignedHeaders")


def _check_body_hash(request: HttpRequest, to_sign: str) -> None:
    """Refuse a body other than the one announced; the canonical form uses the body's own hash in any case."""
    announced = request.headers.get("x-acs-content-sha256", "")
    _compare(hashlib.sha256(request.body).hexdigest(), announced, to_sign)


def _check_legacy_method(sent: Mapping[str, str]) -> None:
    if (sent.get("SignatureMethod"), sent.get("SignatureVersion")) != ("HMAC-SHA1", "1.0"):
        raise ApiError(400, "InvalidSignatureMethod", "HMAC-SHA1, version 1.0, is the legacy signature.")  # gateway


def _compare(expected: str, given: str, to_sign: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        # The old SDK takes this text apart at its colon.
        message = f"Specified signature is not matched with our calculation. server string to sign is:{to_sign}"
        raise ApiError(400, "SignatureDoesNotMatch", message)  # gateway


def _unknown_key() -> ApiError:
    """Return the refusal of an unknown key (KMS "Common error codes" page)."""
    return ApiError(404, "InvalidAccessKeyId.NotFound", "The Access Key ID provided does not exist in our records.")


def _expired(version: str) -> ApiError:
    """Return the refusal of an expired token: KMS says unknown key ("Common error codes" page), others say expired."""
    if version == _KMS_VERSION:
        return _unknown_key()
    return ApiError(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")  # gateway


def _incomplete(reason: str) -> ApiError:
    """Return the refusal of a signature that cannot be checked (KMS "Common error codes" page)."""
    return ApiError(400, "IncompleteSignature", f"The request signature does not conform to standards: {reason}.")
