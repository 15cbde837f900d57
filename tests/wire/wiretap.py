"""What clients send to the loopback cloud, byte for byte, and what of it may hold a secret.

A security token is sent in a header of its own. A password is sent in the body, as one parameter of three actions, and
nowhere else (docs/decisions/0005-staged-passwords-in-a-form-body.md). Nothing may hold an access key's secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADERS = frozenset({"x-acs-security-token", "x-fc-security-token"})
PASSWORD_PARAMETERS = {
    "ResetUserPassword": "Password",
    "CreateSecret": "SecretData",
    "PutSecretValue": "SecretData",
}


@dataclass(frozen=True)
class Sent:
    """One request as it came."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    @property
    def action(self) -> str:
        """What is asked for; of Function Compute's APIs, nothing."""
        return next((value for name, value in self.headers if name == "x-acs-action"), "")

    def carries(self, key_id: str) -> bool:
        """Tell whether it was signed with a key."""
        return any(key_id in value for name, value in self.headers if name == "authorization")

    def where_no_secret_may_be(self) -> dict[str, str]:
        """Return its parts, without the one header and the one parameter that may hold a secret."""
        headers = (f"{name}: {value}" for name, value in self.headers if name not in TOKEN_HEADERS)
        return {"URLs": self.url, "headers": "\n".join(headers), "bodies": "\n".join(self._harmless_body())}

    def _harmless_body(self) -> Iterator[str]:
        may_hold = PASSWORD_PARAMETERS.get(self.action)
        if may_hold is None:
            yield self.body.decode("latin-1")
            return
        pairs = parse_qsl(self.body.decode("ascii"), keep_blank_values=True)
        yield from (f"{name}={value}" for name, value in pairs if name != may_hold)


class Wiretap:
    """Middleware that keeps every request (LocalCloud's `middleware`)."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def tapped(scope: Scope, receive: Receive, send: Send) -> None:
            body = bytearray()

            async def received() -> Message:
                message = await receive()
                if message["type"] == "http.request":
                    body.extend(message.get("body", b""))
                    if not message.get("more_body"):
                        self._sent.append(_sent(scope, bytes(body)))
                return message

            await app(scope, received, send)

        return tapped

    def taken(self) -> list[Sent]:
        """Return what was sent since this was asked last."""
        taken, self._sent = self._sent, []
        return taken


def _sent(scope: Scope, body: bytes) -> Sent:
    query = scope["query_string"].decode("latin-1")
    url = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    return Sent(url, headers, body)
