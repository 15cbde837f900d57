"""The trigger behind the viewer: one signed GET at a time, and what came of it, without following it anywhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies

from tests.viewer.signing import Credentials, NotSignableError, signed_headers

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SECONDS = (10, 310)  # to connect, and between two bytes: longer than the function may take
_OWN_ERROR = "FcCommonError"  # "HTTP functions: troubleshooting" page
_AGENT = "cloudsso-rotator-viewer"
_DOMAIN_PARTS = 4  # <trigger>.<region>.fcapp.run


class AddressRefusedError(ValueError):
    """A URL that no credentials are sent to; the message says what would do."""


@dataclass(frozen=True)
class Address:
    """Where the trigger answers."""

    origin: str  # scheme, host and port
    path: str  # with the query, where the operator gave one

    @staticmethod
    def parse(url: str) -> Address:
        """Read a URL, or say what is wrong with it."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as problem:
            raise AddressRefusedError(str(problem)) from None
        if not url:
            raise AddressRefusedError("the URL is missing: make status URL=https://....fcapp.run (console: Triggers)")
        if parts.scheme not in ("http", "https") or not host:
            raise AddressRefusedError(f"{url!r} is no URL of a trigger, as https://....fcapp.run is")
        if parts.scheme == "http" and host not in LOOPBACK:
            raise AddressRefusedError(f"{url!r} is not https://, so that others could read the page on its way")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise AddressRefusedError("the URL has a user name or a fragment; leave both out")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Address(f"{parts.scheme}://{parts.netloc.lower()}", path)

    @property
    def region(self) -> str:
        """The region in the trigger's own domain, or "*"."""
        labels = (urlsplit(self.origin).hostname or "").split(".")
        own = len(labels) == _DOMAIN_PARTS and labels[2:] == ["fcapp", "run"]
        return labels[1].removesuffix("-vpc") if own else "*"


@dataclass(frozen=True)
class Fetched:
    """What the trigger answered; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def failed(self) -> bool:
        """Tell whether the function raised; Function Compute's own refusals are FcCommonError, if they have a type."""
        return self.headers.get("x-fc-error-type", _OWN_ERROR) != _OWN_ERROR

    def refusal(self) -> tuple[str, str] | None:
        """Return the code and the message, if Function Compute refused; None of what the function itself answered.

        Two forms are documented: Code and Message (API 2023-03-30), errorCode and errorMessage (error code page).
        """
        if self.status < HTTPStatus.BAD_REQUEST:
            return None
        try:
            said = json.loads(self.body)
        except ValueError:
            return None
        found = {str(name).lower(): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
        for code, message, more in (("code", "message", "requestid"), ("errorcode", "errormessage", "errorcode")):
            if {code, message, more} <= found.keys():
                return found[code], found[message]
        return None


@dataclass(frozen=True)
class Unreached:
    """Why there is no answer."""

    what: str  # "tls", "timeout", "connection" or "unsignable"
    detail: str


class Upstream:
    """One trigger, asked with one key."""

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._now = now

    def get(self, path: str, accept: str) -> Fetched | Unreached:
        """Ask for a path, with its query as the browser sent it.

        May block for five minutes, and raises nothing: what is wrong with the path or the network is the result.
        """
        with requests.Session() as session:
            # A .netrc entry would take the place of the signature; proxies and certificates are taken from the
            # environment all the same.
            session.trust_env = False
            headers = {"User-Agent": _AGENT, "Accept": accept}
            try:
                prepared = session.prepare_request(requests.Request("GET", self.address.origin + path, headers=headers))
                url = prepared.url or ""
                if not url.startswith(f"{self.address.origin}/"):  # a path as a proxy is asked may name another host
                    return Unreached("unsignable", "the path does not begin with a slash")
                prepared.headers.update(signed_headers(url, self._credentials, self._now()))
            except (NotSignableError, requests.exceptions.RequestException, UnicodeError) as problem:
                return Unreached("unsignable", str(problem))
            return self._sent(session, prepared, url)

    def _sent(self, session: requests.Session, prepared: requests.PreparedRequest, url: str) -> Fetched | Unreached:
        loopback = (urlsplit(url).hostname or "") in LOOPBACK
        try:
            response = session.send(
                prepared,
                allow_redirects=False,
                timeout=_SECONDS,
                proxies={} if loopback else get_environ_proxies(url),
                verify=os.environ.get("REQUESTS_CA_BUNDLE") or True,
            )
        except requests.exceptions.SSLError as problem:
            return Unreached("tls", _words(problem))
        except requests.exceptions.Timeout as problem:
            return Unreached("timeout", _words(problem))
        except requests.exceptions.RequestException as problem:
            return Unreached("connection", _words(problem))
        except OSError as problem:  # of REQUESTS_CA_BUNDLE
            return Unreached("tls", str(problem))
        except TypeError:  # of a proxy's URL without a host; it may hold a password
            return Unreached("connection", "the URL of the proxy in the environment names no host")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Fetched(response.status_code, headers, response.content)


def _words(problem: Exception) -> str:
    """Return the innermost reason: what is around it repeats the whole URL."""
    reason: object = problem
    while isinstance(reason, BaseException) and (inner := getattr(reason, "reason", None) or _argument(reason)):
        reason = inner
    return re.sub(r"//[^/\s]*@", "//...@", str(reason))  # a proxy's password, where its address cannot be read


def _argument(problem: BaseException) -> BaseException | None:
    return next((each for each in problem.args if isinstance(each, BaseException)), None)
