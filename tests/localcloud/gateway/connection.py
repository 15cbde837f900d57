"""uvicorn's HTTP/1.1 protocol, with two additions: an answer leaves in one write, and a connection can be dropped.

uvicorn writes an answer's head and body separately. With keep-alive the second write may wait for the client's delayed
acknowledgement, 40 ms a call, unless TCP_NODELAY is set (asyncio sets it); in one write there is nothing to wait for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
    from uvicorn.config import Config
    from uvicorn.server import ServerState

DROP = "localcloud.drop"  # the key under which a request's scope carries the function that drops its connection


class OneWrite(asyncio.Transport):
    """A transport that gathers what is written in one turn of the event loop and sends it in one piece."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._gathered = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Gather `data`; the event loop sends it as soon as the code now running has written all it has."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered += data

    def flush(self) -> None:
        """Send what was gathered."""
        if self._gathered and not self._transport.is_closing():
            self._transport.write(bytes(self._gathered))
        self._gathered.clear()

    def close(self) -> None:
        """Send what was gathered, then close."""
        self.flush()
        self._transport.close()

    def drop(self) -> None:
        """Send what was gathered, then end the connection whatever state it is in."""
        self.flush()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Tell whether the connection is on its way out."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own signature
        """Return what asyncio knows of the connection."""
        return self._transport.get_extra_info(name, default)


class LocalProtocol(H11Protocol):
    """uvicorn's protocol over a OneWrite transport; each request's scope carries its connection's `drop`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gone = asyncio.Event()
        self._served = self.app
        self.app = self._serve

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Put the gathering transport between uvicorn and the socket."""
        super().connection_made(OneWrite(transport, self.loop))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        super().connection_lost(exc)
        self.gone.set()

    def drop(self) -> None:
        """End the connection at once."""
        if isinstance(self.transport, OneWrite):
            self.transport.drop()

    async def _serve(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._served({**scope, DROP: self.drop}, receive, send)
