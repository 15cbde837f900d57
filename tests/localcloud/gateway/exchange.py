"""One HTTP exchange over ASGI, including the ways it can go wrong: dropped, cut short, never answered."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.requests import Request

from tests.localcloud.gateway.connection import DROP
from tests.localcloud.gateway.wire import Answer, HttpRequest

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Exchange:
    """A request, and the connection it came on."""

    def __init__(self, request: HttpRequest, scope: Scope, receive: Receive, send: Send, came: float) -> None:
        self.request = request
        self._scope = scope
        self._receive = receive
        self._send = send
        self._came = came  # by the event loop's clock

    @staticmethod
    async def open(scope: Scope, receive: Receive, send: Send) -> Exchange:
        """Read a request to its end."""
        came = asyncio.get_running_loop().time()
        body = await Request(scope, receive).body()
        return Exchange(request_of(scope, body), scope, receive, send, came)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def cut(self, answer: Answer, keep: int) -> None:
        """Announce the whole body, send `keep` bytes of it, and drop the connection."""
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body[:keep], "more_body": True})
        await self.drop()

    async def drop(self) -> None:
        """Drop the connection; what was not sent yet will not be."""
        self._scope[DROP]()
        await self.until_gone()

    async def pause(self, seconds: float | None) -> None:
        """Wait until so long after the request came, or for ever; no longer than the connection lives.

        What the cloud itself was busy with counts, as a service's own work is a part of the time that it takes.
        """
        left = None if seconds is None else self._came + seconds - asyncio.get_running_loop().time()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.until_gone(), left)

    async def until_gone(self) -> None:
        """Wait for the end of the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, answer: Answer) -> None:
        named = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})


def request_of(scope: Scope, body: bytes) -> HttpRequest:
    """Return a request as all of the cloud reads it; of a header that came twice, the last counts."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query, path = scope["query_string"].decode("latin-1"), scope["raw_path"].decode("latin-1")
    return HttpRequest(scope["method"], path, query, headers, body)
