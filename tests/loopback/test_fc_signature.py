"""Who signed a request of FC 2.0, against the rules of the "Signature authentication" page; and of which time."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import format_datetime

import pytest

from tests.localcloud.api import ApiError
from tests.localcloud.fc.signature import Fc2Verifier, signature_of, string_to_sign
from tests.localcloud.gateway.freshness import WINDOW_SECONDS, Freshness
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.ram.service import Credentials, Ram
from tests.localcloud.server import ACCOUNT_ID, ADMIN_POLICY

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
PATH = "/2016-08-15/services/rotator.prod/functions/reset/invocations"


class World:
    """One key, a verifier whose two clocks a test can set, and requests signed with the key."""

    def __init__(self, *, temporary: bool = True) -> None:
        self.now = self.cloud_time = NOON.timestamp()
        self.ram = Ram(lambda: self.now)
        role = self.ram.role("caller", ACCOUNT_ID, ADMIN_POLICY)
        self.key: Credentials = self.ram.issue(role, expires_in=3600.0 if temporary else None)
        self.verifier = Fc2Verifier(self.ram, lambda: self.now, lambda: self.cloud_time)

    def request(self, at: datetime = NOON, body: bytes = b"{}", **headers: str) -> HttpRequest:
        """Return a request, signed."""
        named = {"date": format_datetime(at, usegmt=True), "content-type": "application/json"}
        if self.key.security_token:
            named["x-fc-security-token"] = self.key.security_token
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.signed(HttpRequest("POST", PATH, "", {**named, **more}, body))

    def signed(self, request: HttpRequest) -> HttpRequest:
        signature = signature_of(self.key.access_key_secret, string_to_sign(request))
        return with_headers(request, authorization=f"FC {self.key.access_key_id}:{signature}")

    def refusal(self, request: HttpRequest) -> tuple[int, str]:
        """Return the status and code a request is refused with."""
        with pytest.raises(ApiError) as caught:
            self.verifier.verify(request)
        return caught.value.status, caught.value.code


def with_headers(request: HttpRequest, **headers: str | None) -> HttpRequest:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**request.headers, **changed}
    return replace(request, headers={name: value for name, value in merged.items() if value is not None})


def test_what_is_signed_is_what_the_page_says() -> None:
    headers = {"date": "d", "content-type": "t", "content-md5": "m", "x-fc-b": "2", "x-fc-a": "1", "host": "h"}
    request = HttpRequest("POST", "/2016-08-15/services/s%24x/functions/f", "a=b", headers, b"body")
    assert string_to_sign(request) == "POST\nm\nt\nd\nx-fc-a:1\nx-fc-b:2\n/2016-08-15/services/s$x/functions/f"


@pytest.mark.parametrize("temporary", [True, False], ids=["temporary", "long-lived"])
def test_a_signed_request_is_its_keys(*, temporary: bool) -> None:
    world = World(temporary=temporary)
    assert world.verifier.verify(world.request()).role.name == "caller"


def test_a_request_may_be_sent_twice() -> None:
    world = World()
    request = world.request()
    assert [world.verifier.verify(request).role.name for _ in range(2)] == ["caller", "caller"]


@pytest.mark.parametrize(
    "changed",
    [
        {"x_fc_invocation_type": "Async"},
        {"content_type": "text/plain"},
        {"date": format_datetime(NOON.replace(minute=1), usegmt=True)},
    ],
    ids=str,
)
def test_whatever_is_signed_cannot_be_changed(changed: dict[str, str]) -> None:
    world = World()
    assert world.refusal(with_headers(world.request(), **changed)) == (403, "SignatureNotMatch")


def test_another_path_is_another_request() -> None:
    world = World()
    assert world.refusal(replace(world.request(), path=PATH.replace("reset", "other"))) == (403, "SignatureNotMatch")
    assert world.refusal(replace(world.request(), method="PUT")) == (403, "SignatureNotMatch")


@pytest.mark.parametrize("authorization", [None, "", "FC", "FC key", "ACS3-HMAC-SHA256 Credential=a", "Basic eDp5"])
def test_without_a_signature_nobody_is_let_in(authorization: str | None) -> None:
    world = World()
    request = with_headers(world.request(), authorization=authorization)
    assert world.refusal(request) == (403, "AccessDenied")


def test_an_unknown_key_is_not_let_in() -> None:
    world = World()
    world.ram.revoke(world.key.access_key_id)
    assert world.refusal(world.request()) == (403, "InvalidAccessKeyID")


@pytest.mark.parametrize("token", [None, "another"])
def test_a_temporary_key_goes_with_its_own_token(token: str | None) -> None:
    world = World()
    request = world.signed(with_headers(world.request(), x_fc_security_token=token))
    assert world.refusal(request) == (403, "InvalidSecurityToken")


def test_a_key_runs_out_by_the_clients_time() -> None:
    world = World()
    world.ram.expire(world.key.access_key_id)
    assert world.refusal(world.request()) == (403, "SecurityTokenExpired")


def test_a_date_is_needed_and_must_be_one() -> None:
    world = World()
    assert world.refusal(with_headers(world.request(), date=None)) == (400, "MissingRequiredHeader")
    assert world.refusal(with_headers(world.request(), date="noon")) == (400, "InvalidArgument")


@pytest.mark.parametrize("off", [WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1])
def test_a_date_may_be_off_by_15_minutes_and_no_more(off: float) -> None:
    world = World()
    world.now = world.cloud_time = NOON.timestamp() + off
    assert world.refusal(world.request()) == (403, "AccessDenied")
    world.now -= off / abs(off)
    assert world.verifier.verify(world.request()).role.name == "caller"


@pytest.mark.parametrize("clock", ["now", "cloud_time"])
def test_a_date_is_good_by_the_clients_clocks_and_by_the_clouds(clock: str) -> None:
    world = World(temporary=False)
    world.now = world.cloud_time = NOON.timestamp() + 86_400
    setattr(world, clock, NOON.timestamp())
    assert world.verifier.verify(world.request()).role.name == "caller"


def test_a_body_is_held_to_its_announced_hash() -> None:
    world = World()
    right = base64.b64encode(hashlib.md5(b"{}", usedforsecurity=False).digest()).decode()
    assert world.verifier.verify(world.request(content_md5=right)).role.name == "caller"
    assert world.refusal(world.request(body=b"[]", content_md5=right)) == (400, "InvalidArgument")


def test_a_nonce_is_remembered_as_long_as_its_stamp_is_good_by_either_clock() -> None:
    times = {"outside": NOON.timestamp(), "cloud": NOON.timestamp()}
    fresh = Freshness(lambda: times["outside"], lambda: times["cloud"])
    stamp = NOON.strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh.use("key", "nonce", stamp)
    times["cloud"] += 86_400
    with pytest.raises(ApiError, match="SignatureNonceUsed"):
        fresh.use("key", "nonce", stamp)
    times["outside"] += WINDOW_SECONDS + 1
    fresh.use("key", "another", stamp)
    assert len(fresh) == 1
