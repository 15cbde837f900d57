"""The sockets: uvicorn's protocol on 127.0.0.1, served from a background thread, started and stopped at once.

uvicorn's own server loop is left out: it wakes every 0.1 s to look whether it should stop, and waits for connections to
finish. A test stops its cloud in the middle of a call and wants the next one now.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from tests.localcloud.gateway.connection import LocalProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOOPBACK = "127.0.0.1"
_LONGEST_HEAD = 256 * 1024  # the old SDK sends SecretData, up to 30 KB, percent-encoded in the URL
_TURNS = 8  # twice what a request needs from its connection to its first line of code
_TURN_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 75  # long enough that no client's pooled connection is closed under its next request


class Listener:
    """An application on one plain port and, if asked for, one TLS port."""

    def __init__(self, app: ASGIApp, port: int, tls: ssl.SSLContext | None) -> None:
        self._app = app
        self._ready = threading.Event()
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None]] = [(_bound(port), None)]
        if tls is not None:
            self._sockets.append((_bound(0), tls))
        self.endpoints = [f"{_LOOPBACK}:{each.getsockname()[1]}" for each, _ in self._sockets]
        self._thread = threading.Thread(target=self._run, name="loopback cloud", daemon=True)

    def start(self) -> None:
        """Accept connections from here on."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Drop every connection and give the ports back."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def turn(self) -> None:
        """Wait until every request that was sent before has been taken in; whoever sent it waits for the answer now.

        One turn of the event loop accepts a connection, one reads from it, one begins to serve what it read.
        """
        with contextlib.suppress(TimeoutError, FutureTimeoutError, RuntimeError):  # stopping: nobody is served any more
            asyncio.run_coroutine_threadsafe(_turns(_TURNS), self._loop).result(_TURN_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        state = ServerState()
        protocol = partial(LocalProtocol, self._config(), state, {}, self._loop)
        servers = [await self._loop.create_server(protocol, sock=each, ssl=tls) for each, tls in self._sockets]
        self._ready.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        await _dropped(state)

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._app,
            http=LocalProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        return config


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _dropped(state: ServerState) -> None:
    connections = [each for each in state.connections if isinstance(each, LocalProtocol)]
    for connection in connections:
        connection.drop()
    await asyncio.gather(*(connection.gone.wait() for connection in connections), *state.tasks)


def _bound(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(listening.close)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart on the same port need not wait
        listening.bind((_LOOPBACK, port))
        undo.pop_all()
    return listening
