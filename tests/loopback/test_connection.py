from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.localcloud.gateway.connection import LocalProtocol, OneWrite
from tests.localcloud.server import LocalCloud

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what would have been one socket write each."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer as Starlette does: the head in one event, the body in the next."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def conversation(requests: int) -> Wire:
    """Send requests one after the other on one connection."""
    config = uvicorn.Config(hello, http=LocalProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None)
    config.load()
    protocol = LocalProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)
    for _ in range(requests):
        protocol.data_received(GET)
        for _ in range(10):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


def test_every_answer_leaves_in_one_write_and_the_connection_stays() -> None:
    wire = asyncio.run(conversation(3))
    assert [write.partition(b"\r\n\r\n")[2] for write in wire.writes] == [b"hello"] * 3


def test_closing_sends_what_was_gathered() -> None:
    wire = Wire()
    loop = asyncio.new_event_loop()
    try:
        gathering = OneWrite(wire, loop)
        gathering.write(b"a")
        gathering.write(b"b")
        gathering.close()
        gathering.flush()
    finally:
        loop.close()
    assert (wire.writes, wire.closed) == ([b"ab"], True)


def test_one_connection_serves_call_after_call(cloud: LocalCloud) -> None:
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=5)
    connection.connect()
    stream = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        assert connection.getresponse().read()
        assert connection.sock is stream
    connection.close()


async def nodelay_of_a_served_socket() -> int:
    """Connect to a protocol behind asyncio's own listener, as the cloud's is, and ask its socket."""
    config = uvicorn.Config(hello, http=LocalProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LocalProtocol(config, state, {}, loop), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(GET)
    await reader.readuntil(b"hello")
    options = [each.transport.get_extra_info("socket") for each in state.connections if isinstance(each, LocalProtocol)]
    answer: int = options[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    server.close()
    await asyncio.sleep(0.01)
    return answer


def test_sockets_do_not_wait_for_more_to_send() -> None:
    assert asyncio.run(nodelay_of_a_served_socket()) != 0


def test_the_tls_port_speaks_tls_with_a_certificate_for_its_address() -> None:
    with LocalCloud(tls=True) as cloud:
        host, port = cloud.tls_endpoint.split(":")
        pem = ssl.get_server_certificate((host, int(port)))
        context = ssl.create_default_context(cadata=pem)
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 400
        connection.close()


def test_a_cloud_without_tls_says_how_to_get_it(cloud: LocalCloud) -> None:
    with pytest.raises(ValueError, match="tls=True"):
        _ = cloud.tls_endpoint
