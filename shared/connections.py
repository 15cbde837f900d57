"""How the SDKs' runtime talks: over shared connections that trust whom they should, and say what they must and no more.

It follows redirects with the secret and the security token in hand, reads certificate authorities again and again, and
logs too much. `make_safe` closes that, once for both SDKs.
"""

from __future__ import annotations

import http.client
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import certifi
import darabonba.core
import msgspec
import requests

from shared.invocation import ENVIRONMENT
from shared.model import Endpoint
from shared.ports import Clock

LONGEST_IDLE = timedelta(seconds=30)  # of a connection
MOST_CONNECTIONS = 64  # to one endpoint; settings.MOST_PARALLEL
UNHURRIED = timedelta(seconds=20)  # how long a call that no claim waits for may be tried again


class Deadline(msgspec.Struct, frozen=True):
    """Until when the call at hand may be sent, and by whose clock."""

    clock: Clock
    send_by: datetime

    def passed(self, ahead: timedelta = timedelta()) -> bool:
        """Tell whether it is over, or will be in so long."""
        return self.clock.now() + ahead > self.send_by


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def sending_until(clock: Clock, send_by: datetime | None) -> Iterator[None]:
    """Let nothing be sent within the block after `send_by`; None: a call that no claim waits for."""
    token = _deadline.set(Deadline(clock, send_by or clock.now() + UNHURRIED))
    try:
        yield
    finally:
        _deadline.reset(token)


def at_hand() -> Deadline | None:
    """Return the deadline of the call at hand; None outside of `sending_until`."""
    return _deadline.get()


def prepare(*endpoints: Endpoint) -> None:
    """Read what connections to these endpoints will trust."""
    for endpoint in endpoints:
        _shared(endpoint.protocol)


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
            now = deadline.clock.now()
            if self.idle(now):  # since a lease was waited for; calls that are under way keep their connections
                self.close()
            self.used_at = now
        if "proxies" not in kwargs:  # as fc2; the SDKs tell which
            kwargs["proxies"] = requests.utils.resolve_proxies(request, {}, self.trust_env)
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
        self._tls = _tls_context()
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:  # noqa: ANN401 - as inherited
        """Have each pool behind a proxy use it too, and the way to a proxy over TLS."""
        if not proxy.lower().startswith("socks"):
            proxy_kwargs["proxy_ssl_context"] = self._tls
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **proxy_kwargs)

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:  # noqa: ANN401, FBT001 - as inherited
        """Verify the server by what the context trusts, which need not be read again."""
        super().cert_verify(conn, url, verify, cert)
        if verify is True and url.startswith("https://"):
            conn.ca_certs = conn.ca_cert_dir = None


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    if ENVIRONMENT.get("SSL_CERT_FILE") or ENVIRONMENT.get("SSL_CERT_DIR"):
        context.load_default_certs()  # which these two say, as OpenSSL reads them
    return context


_adapter_of_sdk = darabonba.core.DaraCore.get_adapter


@cache
def _shared(protocol: str) -> requests.adapters.HTTPAdapter:
    kind = SharedAdapter if protocol == "HTTPS" else requests.adapters.HTTPAdapter
    return kind(pool_maxsize=MOST_CONNECTIONS)


def _adapter(protocol: str, tls_min_version: str | None = None, pool_size: int | None = None) -> Any:  # noqa: ANN401 - as the SDK's
    if tls_min_version is not None:  # nobody here asks for one
        return _adapter_of_sdk(protocol, tls_min_version, pool_size)
    return _shared(protocol.upper())


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
