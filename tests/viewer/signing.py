"""The signature of a GET to an HTTP trigger of FC 3.0 with `authType: function`.

Source: "Configure signature authentication for HTTP triggers" page and the official openapi-util that its samples call:
ACS3-HMAC-SHA256 over the method, the path with %24 for $, the query, x-acs-date and x-acs-security-token; nothing
stands in place of the body's hash. The samples sign one value for each name of the query, and disagree which: so
a name may stand only once. A blank value is signed as `name=`, as in three of the four; one leaves it out.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "ACS3-HMAC-SHA256"


class NotSignableError(ValueError):
    """A URL that cannot be signed so that every reading of the documentation agrees."""


@dataclass(frozen=True)
class Credentials:
    """An access key; with a security token when it is temporary."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


def signed_headers(url: str, credentials: Credentials, now: datetime) -> dict[str, str]:
    """Return the headers that make a GET of this URL the caller's own; `now` is an aware time.

    Raises NotSignableError for a query in which a name stands twice.
    """
    headers = {
        "x-acs-date": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-security-token": credentials.security_token,
    }
    names = ";".join(sorted(headers))
    parts = urlsplit(url)
    canonical = "\n".join(
        (
            "GET",
            (parts.path or "/").replace("$", "%24"),
            _canonical_query(parts.query),
            "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
            names,
            "",
        )
    )
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(credentials.access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    said = f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": said}


def _canonical_query(query: str) -> str:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        pairs = None
    if pairs is None:
        msg = "the query is not percent-encoded UTF-8"
        raise NotSignableError(msg)
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"the query has {', '.join(twice)} more than once, and only one value would be signed"
        raise NotSignableError(msg)
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(pairs))
