"""What the cloud and an instance say to each other over a socket: JSON facts, and bytes that are nobody's business.

Standard library only: an instance has nothing else.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

_SIZES = struct.Struct("!II")

Facts = dict[str, Any]


class Frames:
    """Takes a stream of bytes apart; what is not complete yet waits for the rest."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what has arrived."""
        self._bytes += data

    def take(self) -> tuple[Facts, bytes] | None:
        """Return the next complete frame, if there is one."""
        if len(self._bytes) < _SIZES.size:
            return None
        facts_size, payload_size = _SIZES.unpack_from(self._bytes)
        payload_at = _SIZES.size + facts_size
        if len(self._bytes) < payload_at + payload_size:
            return None
        facts: Facts = json.loads(self._bytes[_SIZES.size : payload_at])
        payload = bytes(self._bytes[payload_at : payload_at + payload_size])
        del self._bytes[: payload_at + payload_size]
        return facts, payload


def packed(facts: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Return one frame as bytes."""
    head = json.dumps(facts).encode()
    return _SIZES.pack(len(head), len(payload)) + head + payload


def received(connection: socket.socket, frames: Frames) -> tuple[Facts, bytes] | None:
    """Wait for the next frame; None: there will be no more."""
    while (frame := frames.take()) is None:
        data = connection.recv(1 << 16)
        if not data:
            return None
        frames.feed(data)
    return frame
