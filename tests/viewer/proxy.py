"""The viewer's own side: who may look, and what of the trigger's answer reaches the browser.

Against other web pages: the Host must be ours to the letter (DNS rebinding), and a request that a page of another
origin makes is refused (Sec-Fetch-Site, Origin), also of one on another port of this host. Against other users of this
computer: the first address has a random token, and a cookie carries it on, which no script sees and no other site
sends. What is left: a cookie has no port, so somebody else's server on 127.0.0.1 gets it if this browser is led there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tests.viewer import troubles
from tests.viewer.troubles import Trouble
from tests.viewer.upstream import Unreached, Upstream

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ENTER = "/_enter"
_COOKIE = "viewer"
# What passes of the trigger's headers. Not among them: Content-Disposition, which Function Compute adds and which makes
# browsers save the page; Access-Control-*, which it adds for whoever asks; Set-Cookie and Location.
_PASSED = frozenset(
    {
        "cache-control",
        "content-language",
        "content-security-policy",
        "content-type",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "retry-after",
        "x-content-type-options",
        "x-fc-request-id",
        "x-frame-options",
    }
)
# What holds where the trigger says nothing of its own.
_AT_LEAST: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Viewer:
    """The ASGI application; `host` is set once its port is known, and `told` hears of every trouble."""

    def __init__(self, upstream: Upstream, told: Callable[[Trouble], object]) -> None:
        self.host = ""
        self._upstream = upstream
        self._told = told
        self._token = secrets.token_urlsafe(32)

    @property
    def first_address(self) -> str:
        """The address to open: whoever has it may look."""
        return f"http://{self.host}{ENTER}?token={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        await (await self._response(request))(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return _told(refused)
        if request.scope["path"] == ENTER:
            return self._entered(request)
        if not self._same(request.cookies.get(_COOKIE, "")):
            cure = "Open the address that `make status` printed; it is good until the viewer ends."
            return _told(Trouble(403, "This browser has not been let in.", cure))
        if request.scope["path"] == "/favicon.ico":  # browsers ask on their own; it is not worth an invocation
            return Response(status_code=404, headers=dict(_AT_LEAST))
        return await self._forwarded(request)

    def _refused(self, request: Request) -> Trouble | None:
        own = f"http://{self.host}"
        if request.headers.getlist("host") != [self.host]:
            return Trouble(421, "This is not the viewer's address.", f"Open it at {own}, and under no other name.")
        if request.method != "GET":
            return Trouble(405, "Only looking is possible here.", "Use GET.")
        asked_by = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin", own)
        if asked_by[0] not in ("none", "same-origin") or asked_by[1] != own:
            return Trouble(403, "Another page asked for this.", "Open the address yourself, in a new tab.")
        return None

    def _entered(self, request: Request) -> Response:
        given = parse_qs(request.url.query).get("token", [""])
        if len(given) != 1 or not self._same(given[0]):
            cure = "Take the whole address that `make status` printed; each start has its own."
            return _told(Trouble(403, "The token is not that of this viewer.", cure))
        response = RedirectResponse(self._upstream.address.path, 303, headers=dict(_AT_LEAST))
        response.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict")  # for this session of the browser
        return response

    async def _forwarded(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        accept = request.headers.get("accept", "*/*")
        answer = await run_in_threadpool(self._upstream.get, f"{path}?{query}" if query else path, accept)
        trouble = troubles.of(answer, self._upstream.address)
        if trouble is not None or isinstance(answer, Unreached):
            assert trouble is not None
            self._told(trouble)
            return _told(trouble)
        passed = {name: value for name, value in answer.headers.items() if name in _PASSED}
        return Response(answer.body, answer.status, headers={**_AT_LEAST, **passed})

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


_STYLE = (
    "body{margin:0;font:1rem/1.5 system-ui,sans-serif}main{max-width:42rem;margin:0 auto;padding:12vh 1.5rem}"
    "h1{font-size:1.5rem;line-height:1.25;text-wrap:balance}dt{opacity:.75;margin-top:1rem}dd{margin:0}"
    "code{overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_OWN = {
    **_AT_LEAST,
    "content-security-policy": f"{_AT_LEAST['content-security-policy']}; style-src 'sha256-{_STYLE_HASH}'",
}


def _told(trouble: Trouble) -> Response:
    """Return a trouble as a page of its own, with everything in it escaped."""
    rest = [
        f"<dt>{html.escape(label)}</dt><dd><code>{html.escape(value)}</code></dd>"
        for label, value in (("What it said", trouble.detail), ("Request", trouble.request_id))
        if value
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(trouble.what)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{html.escape(trouble.what)}</h1><p>{html.escape(trouble.cure)}</p>"
        f"<dl>{''.join(rest)}</dl></main></body></html>"
    )
    return HTMLResponse(page, trouble.status, headers=_OWN)
