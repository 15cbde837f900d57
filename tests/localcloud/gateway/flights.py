"""Counts the requests that are under way: while there is one, somebody is at work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Counted:
    """An ASGI application, within a block of `busy` for each request."""

    def __init__(self, app: ASGIApp, busy: Callable[[], AbstractContextManager[None]]) -> None:
        self._app = app
        self._busy = busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        with self._busy():
            await self._app(scope, receive, send)
