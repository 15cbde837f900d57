"""The cloud's own controls, for other processes: what a test in the same process does on LocalCloud directly.

They answer under /_localcloud/, on loopback like everything here, and only to who knows the token of this start: the
demo's sign-in tries passwords, and a browser page must not be able to.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.switches import Switches

if TYPE_CHECKING:
    from tests.localcloud.server import LocalCloud

Endpoint = Callable[[Request], Awaitable[JSONResponse]]
Control = Callable[[bytes], object]


class _SignIn(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    user_name: str
    password: str


class _Change(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    user_name: str
    old_password: str
    new_password: str


class _Shift(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    seconds: float


class Controls:
    """What each control does; every one takes the request's body and returns what becomes JSON."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def sign_in(self, body: bytes) -> object:
        """Try a password at the user portal."""
        wanted = msgspec.json.decode(body, type=_SignIn)
        return asdict(self._cloud.sign_in(wanted.user_name, wanted.password))

    def change_password(self, body: bytes) -> object:
        """Change a user's own password at the user portal."""
        wanted = msgspec.json.decode(body, type=_Change)
        return asdict(self._cloud.change_password(wanted.user_name, wanted.old_password, wanted.new_password))

    def arm(self, body: bytes) -> object:
        """Arm a fault, given as the fields of faults.Fault; `body` is base64."""
        self._cloud.faults.arm(msgspec.convert(_known_fields(body, Fault), Fault))
        return {"armed": True}

    def disarm(self, _body: bytes) -> object:
        """Disarm every fault and hook."""
        self._cloud.faults.clear()
        return {"armed": False}

    def shift_clock(self, body: bytes) -> object:
        """Move the cloud's clock."""
        self._cloud.clock.shift(msgspec.json.decode(body, type=_Shift).seconds)
        return {"now": self._cloud.clock.now().isoformat()}

    def switches(self, _body: bytes) -> object:
        """Return the readings in force."""
        return asdict(self._cloud.switches)

    def set_switches(self, body: bytes) -> object:
        """Change the switches that are named; the others stay."""
        merged = asdict(self._cloud.switches) | _known_fields(body, Switches)
        self._cloud.switches = msgspec.convert(merged, Switches)
        return asdict(self._cloud.switches)

    def release_late(self, _body: bytes) -> object:
        """Let every late call happen."""
        return {"released": self._cloud.release_late()}

    def calls(self, _body: bytes) -> object:
        """Return the log of calls."""
        return self._cloud.calls.as_json()

    def clear_calls(self, _body: bytes) -> object:
        """Forget the log of calls."""
        self._cloud.calls.clear()
        return []


def control_mount(cloud: LocalCloud, token: str) -> Mount:
    """Return the routes of all controls."""
    controls = Controls(cloud)
    table: list[tuple[str, str, Control]] = [
        ("/sign-in", "POST", controls.sign_in),
        ("/change-password", "POST", controls.change_password),
        ("/faults", "POST", controls.arm),
        ("/faults", "DELETE", controls.disarm),
        ("/clock", "POST", controls.shift_clock),
        ("/switches", "GET", controls.switches),
        ("/switches", "POST", controls.set_switches),
        ("/release-late", "POST", controls.release_late),
        ("/calls", "GET", controls.calls),
        ("/calls", "DELETE", controls.clear_calls),
    ]
    return Mount("/_localcloud", routes=[Route(path, _endpoint(do, token), methods=[verb]) for path, verb, do in table])


def new_token() -> str:
    """Return a token for one start of the cloud."""
    return secrets.token_urlsafe(24)


def _endpoint(control: Control, token: str) -> Endpoint:
    async def endpoint(request: Request) -> JSONResponse:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return JSONResponse({"error": "the control token of this start is needed as a bearer token"}, 401)
        return _controlled(control, await request.body())

    return endpoint


def _controlled(control: Control, body: bytes) -> JSONResponse:
    try:
        return JSONResponse(control(body))
    except ApiError as refusal:
        return JSONResponse({"error": refusal.message, "code": refusal.code}, 400)
    except (ValueError, msgspec.MsgspecError) as problem:
        return JSONResponse({"error": str(problem)}, 400)


def _known_fields(body: bytes, kind: type[Fault | Switches]) -> dict[str, Any]:
    """Decode an object whose every member is a field of the dataclass: a typo must not arm something else."""
    given = msgspec.json.decode(body, type=dict[str, Any])
    unknown = sorted(set(given) - {each.name for each in fields(kind)})
    if unknown:
        msg = f"{', '.join(unknown)}: {kind.__name__} has no such field"
        raise ValueError(msg)
    return given
