"""The viewer: whom it lets look, what of the page arrives, and what it says when there is none."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.props import HttpConfig
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.gateway.listener import Listener
from tests.localcloud.ram.service import Credentials as Key
from tests.localcloud.server import ADMIN_POLICY, LocalCloud
from tests.viewer import troubles
from tests.viewer.__main__ import CredentialsMissingError, credentials_of, main, said
from tests.viewer.proxy import Viewer
from tests.viewer.signing import Credentials
from tests.viewer.troubles import Trouble
from tests.viewer.upstream import Address, AddressRefusedError, Fetched, Unreached, Upstream

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ROOT = Path(__file__).parents[2]
CSP = "default-src 'none'; style-src 'sha256-x'"
CODE = f"""
    import json

    def handler(event, context):
        asked = json.loads(event)
        if "raise" in asked["queryParameters"]:
            raise RuntimeError("a-detail-for-the-log")
        status = int(asked["queryParameters"].get("status", "200"))
        headers = {{
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": {CSP!r},
            "Cache-Control": "private",
            "X-Frame-Options": "DENY",
            "Set-Cookie": "a=b",
            "Location": "https://elsewhere.example/",
        }}
        return {{"statusCode": status, "headers": headers, "body": json.dumps(asked)}}
"""
NOBODY = "http://127.0.0.1:9"  # a port on which nobody listens


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str = field(repr=False)


class Browser:
    """What an operator's browser does: it keeps cookies, and follows nothing by itself."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.cookie = ""

    def get(self, target: str, *, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        connection.putrequest(method, target, skip_host="Host" in named)
        for name, value in {**cookie, **named}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        reply = Reply(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read().decode(),
        )
        connection.close()
        return reply

    def enter(self, first_address: str) -> Reply:
        reply = self.get(first_address.removeprefix(f"http://{self.host}"))
        self.cookie = reply.headers.get("set-cookie", "").partition(";")[0]
        return reply


@dataclass
class Shown:
    """A running viewer, a browser, and what the viewer told its terminal."""

    viewer: Viewer
    browser: Browser
    told: list[Trouble]


@contextlib.contextmanager
def showing(upstream: Upstream, *, entered: bool = True) -> Iterator[Shown]:
    told: list[Trouble] = []
    viewer = Viewer(upstream, told.append)
    listener = Listener(viewer, 0, None)
    viewer.host = listener.endpoints[0]
    listener.start()
    browser = Browser(viewer.host)
    if entered:
        browser.enter(viewer.first_address)
    try:
        yield Shown(viewer, browser, told)
    finally:
        listener.stop()


class Place:
    """A function behind a signed trigger."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.cloud = cloud
        (folder / "index.py").write_text(textwrap.dedent(CODE), encoding="utf-8")
        spec = FunctionSpec("status", folder, "index.handler", timeout=60)
        cloud.fc.deploy(spec)
        self.target = spec.target
        self.configure(methods=["GET"])
        self.url = cloud.fc.url("status", "page")

    def configure(self, **config: object) -> None:
        known = {"auth_type": "function", "methods": ["GET"], **config}
        self.cloud.http.deploy(self.target, "page", HttpConfig(**known))  # type: ignore[arg-type]

    def upstream(
        self, key: Key | None = None, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc), path: str = ""
    ) -> Upstream:
        used = key or self.cloud.admin
        signer = Credentials(used.access_key_id, used.access_key_secret, used.security_token or "")
        return Upstream(Address.parse(self.url + path), signer, now)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with LocalCloud(skip_waiting=True) as cloud:
        yield Place(cloud, tmp_path)


def test_the_page_behind_a_signed_trigger_is_shown(place: Place) -> None:
    with showing(place.upstream()) as shown:
        reply = shown.browser.get("/?view=status&q=%C3%A9+x&state=", Accept="text/html")
    asked = json.loads(reply.body)
    assert (reply.status, asked["rawPath"]) == (200, "/")
    assert asked["queryParameters"] == {"view": "status", "q": "é x", "state": ""}
    assert asked["headers"]["Accept"] == "text/html"
    assert "Cookie" not in asked["headers"]
    assert reply.headers["content-security-policy"] == CSP
    assert (reply.headers["cache-control"], reply.headers["x-frame-options"]) == ("private", "DENY")
    assert reply.headers["x-fc-request-id"] == asked["requestContext"]["requestId"]


def test_what_would_save_the_page_or_open_it_to_others_does_not_pass(place: Place) -> None:
    with showing(place.upstream()) as shown:
        reply = shown.browser.get("/")
    assert not {"content-disposition", "access-control-expose-headers", "set-cookie", "location"} & reply.headers.keys()
    assert (reply.headers["x-content-type-options"], reply.headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("status", [404, 503])
def test_the_functions_own_page_passes_with_its_status(place: Place, status: int) -> None:
    with showing(place.upstream()) as shown:
        reply = shown.browser.get(f"/?status={status}")
    assert (reply.status, json.loads(reply.body)["rawPath"]) == (status, "/")
    assert shown.told == []


def test_the_first_address_lets_the_browser_in_and_leads_to_the_page(place: Place) -> None:
    with showing(place.upstream(path="/there?a=1"), entered=False) as shown:
        outside = shown.browser.get("/")
        reply = shown.browser.enter(shown.viewer.first_address)
        inside = shown.browser.get("/")
    assert (outside.status, "make status" in outside.body) == (403, True)
    assert (reply.status, reply.headers["location"]) == (303, "/there?a=1")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert inside.status == 200


@pytest.mark.parametrize("token", ["", "?token=", "?token=x", "?token={}&token={}", "?token=%C3%A9"])
def test_a_token_that_is_not_the_viewers_lets_nobody_in(place: Place, token: str) -> None:
    with showing(place.upstream(), entered=False) as shown:
        own = urlsplit(shown.viewer.first_address).query.removeprefix("token=")
        reply = shown.browser.enter(f"http://{shown.viewer.host}/_enter{token.replace('{}', own)}")
        assert (reply.status, shown.browser.cookie) == (403, "")
        assert shown.browser.get("/", Cookie="viewer=x").status == 403
    assert place.cloud.fc.logs() == []


@pytest.mark.parametrize("path", ["/", "/_enter"])
def test_another_name_for_the_viewers_address_is_refused(place: Place, path: str) -> None:
    with showing(place.upstream()) as shown:
        port = shown.viewer.host.rpartition(":")[2]
        for host in ("evil.example", f"evil.example:{port}", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{port}."):
            assert shown.browser.get(path, Host=host).status == 421
    assert place.cloud.fc.logs() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://127.0.0.1:1"},
    ],
)
def test_what_another_page_asks_for_is_refused(place: Place, headers: dict[str, str]) -> None:
    with showing(place.upstream()) as shown:
        assert shown.browser.get("/", **headers).status == 403
        own = f"http://{shown.viewer.host}"
        assert shown.browser.get("/", Sec_Fetch_Site="same-origin", Origin=own).status == 200
        assert shown.browser.get("/", Sec_Fetch_Site="none").status == 200
    assert len(place.cloud.fc.logs()) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_looking_is_possible(place: Place, method: str) -> None:
    with showing(place.upstream()) as shown:
        assert shown.browser.get("/", method=method).status == 405
    assert place.cloud.fc.logs() == []


def test_an_icon_is_not_asked_of_the_function(place: Place) -> None:
    with showing(place.upstream()) as shown:
        assert shown.browser.get("/favicon.ico").status == 404
    assert place.cloud.fc.logs() == []


@pytest.mark.parametrize("target", ["http://evil.example/", ".evil.example/", "@evil.example/", "*"])
def test_no_path_leads_a_signature_to_another_host(place: Place, target: str) -> None:
    with showing(place.upstream()) as shown:
        assert shown.browser.get(target, Host=shown.viewer.host).status == 400
    assert place.cloud.fc.logs() == []


def test_one_value_for_each_name_of_the_query(place: Place) -> None:
    with showing(place.upstream()) as shown:
        reply = shown.browser.get("/?a=1&a=2")
    assert (reply.status, "a more than once" in reply.body) == (400, True)


# what is said when there is no page


def test_a_key_without_the_permission_is_told_the_statement_that_gives_it(place: Place) -> None:
    nothing = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
    with showing(place.upstream(place.cloud.role("viewer", nothing))) as shown:
        reply = shown.browser.get("/")
    assert reply.status == 403
    assert "fc:InvokeFunction" in reply.body
    (style,) = re.findall("<style>(.*)</style>", reply.body)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in reply.headers["content-security-policy"]
    assert [trouble.status for trouble in shown.told] == [403]
    assert shown.told[0].request_id


def test_the_statement_that_is_told_is_enough_once_the_functions_name_is_in_it(place: Place) -> None:
    nothing = {"Version": "1", "Statement": [{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}]}
    with showing(place.upstream(place.cloud.role("viewer", nothing))) as shown:
        shown.browser.get("/")
    told = shown.told[0].cure.replace("<the function's name>", "status")
    statement = json.loads(told[told.index("{") :])
    key = place.cloud.role("viewer", {"Version": "1", "Statement": [statement]})
    with showing(place.upstream(key)) as shown:
        assert shown.browser.get("/").status == 200


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_that_is_off_is_named(place: Place, minutes: int) -> None:
    off = place.upstream(now=lambda: datetime.now(timezone.utc) + timedelta(minutes=minutes))
    with showing(off) as shown:
        reply = shown.browser.get("/")
    assert (reply.status, "clock is off" in reply.body) == (403, True)


def test_keys_that_are_wrong_each_in_its_own_way_are_told_apart(place: Place) -> None:
    key = place.cloud.role("viewer", ADMIN_POLICY)
    expired = place.cloud.role("viewer", ADMIN_POLICY)
    place.cloud.ram.expire(expired.access_key_id)
    for used, words in (
        (Key(key.access_key_id, "other", key.security_token), "the secret does not belong"),
        (Key("LTAIother", key.access_key_secret, key.security_token), "Nobody knows this access key"),
        (Key(key.access_key_id, key.access_key_secret, "other"), "token does not belong"),
        (expired, "past its time"),
    ):
        with showing(place.upstream(used)) as shown:
            reply = shown.browser.get("/")
        assert reply.status == 403
        assert words in reply.body
        assert "export" in reply.body.lower()
        assert key.access_key_secret not in reply.body


def test_a_trigger_that_is_gone_disabled_or_not_for_get_is_named(place: Place) -> None:
    with showing(place.upstream()) as shown:
        place.configure(disable_url_internet=True)
        assert "disableURLInternet" in shown.browser.get("/").body
        place.configure(methods=["POST"])
        assert "does not accept GET" in shown.browser.get("/").body
        place.cloud.http.remove(place.target, "page")
        gone = shown.browser.get("/")
    assert (gone.status, "no such trigger" in gone.body) == (404, True)


def test_a_function_that_fails_is_named_by_its_request_and_not_by_its_exception(place: Place) -> None:
    with showing(place.upstream()) as shown:
        reply = shown.browser.get("/?raise=1")
    (record,) = place.cloud.fc.logs()
    assert (reply.status, record.request_id in reply.body) == (502, True)
    assert "a-detail-for-the-log" not in reply.body


def test_a_function_under_load_and_a_platform_that_fails_are_told_apart(place: Place) -> None:
    with showing(place.upstream()) as shown:
        place.cloud.faults.arm(Fault("InvokeFunction", "throttle"))
        throttled = shown.browser.get("/")
        place.cloud.faults.arm(Fault("InvokeFunction", "error", status=503, code="ServiceUnavailable"))
        down = shown.browser.get("/")
        place.cloud.faults.arm(Fault("InvokeFunction", "error", status=418, code="Other<b>"))
        other = shown.browser.get("/")
    assert (throttled.status, "Wait a few seconds" in throttled.body) == (429, True)
    assert (down.status, "problem of its own" in down.body) == (503, True)
    assert (other.status, "Other&lt;b&gt;" in other.body) == (418, True)


@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "cut"])
def test_a_connection_that_breaks_is_named(place: Place, kind: str) -> None:
    place.cloud.faults.arm(Fault("InvokeFunction", kind))  # type: ignore[arg-type]
    with showing(place.upstream()) as shown:
        reply = shown.browser.get("/")
    assert (reply.status, "cannot be reached" in reply.body) == (502, True)


def test_a_host_on_which_nobody_listens_is_named() -> None:
    with showing(Upstream(Address.parse(NOBODY), Credentials("ak", "sk"))) as shown:
        reply = shown.browser.get("/")
    assert (reply.status, "cannot be reached" in reply.body) == (502, True)
    assert "refused" in reply.body


def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        headers = [(b"location", b"/other")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    with serving(elsewhere) as url, showing(Upstream(Address.parse(url), Credentials("ak", "sk"))) as shown:
        reply = shown.browser.get("/first")
    assert (reply.status, seen) == (502, ["/first"])
    assert "location" not in reply.headers


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    listener = Listener(app, 0, None)
    listener.start()
    try:
        yield f"http://{listener.endpoints[0]}"
    finally:
        listener.stop()


def test_a_certificate_that_nobody_vouches_for_is_named() -> None:
    with LocalCloud(tls=True) as cloud:
        upstream = Upstream(Address.parse(f"https://{cloud.tls_endpoint}"), Credentials("ak", "sk"))
        answer = upstream.get("/", "*/*")
    assert isinstance(answer, Unreached)
    assert answer.what == "tls"


def test_a_file_of_certificates_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there.pem")
    answer = Upstream(Address.parse("https://127.0.0.1:1"), Credentials("ak", "sk")).get("/", "*/*")
    assert isinstance(answer, Unreached)
    assert (answer.what, "/not/there.pem" in answer.detail) == ("tls", True)


def test_a_proxys_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:Marker-0@proxy.example:99999")
    answer = Upstream(Address.parse("https://x.cn-shanghai.fcapp.run"), Credentials("ak", "sk")).get("/", "*/*")
    assert answer == Unreached("connection", "Failed to parse: http://...@proxy.example:99999")


def test_a_proxy_without_a_host_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:Marker-0@")
    answer = Upstream(Address.parse("https://x.cn-shanghai.fcapp.run"), Credentials("ak", "sk")).get("/", "*/*")
    assert answer == Unreached("connection", "the URL of the proxy in the environment names no host")


@pytest.mark.parametrize(
    "body",
    [
        b'{"RequestId": "r", "Code": "AccessDenied", "Message": "no"}',
        b'{"errorCode": "AccessDenied", "errorMessage": "no"}',
    ],
)
def test_a_refusal_is_known_in_both_documented_forms(body: bytes) -> None:
    for headers in ({}, {"x-fc-error-type": "FcCommonError"}):
        answer = Fetched(403, headers, body)
        assert (answer.failed, answer.refusal()) == (False, ("AccessDenied", "no"))


@pytest.mark.parametrize("status", [200, 502])
def test_an_exception_is_the_functions_failure_whatever_its_status(status: int) -> None:
    """No page of FC 3.0 has the status of a function error behind an HTTP trigger; elsewhere it is 200."""
    answer = Fetched(status, {"x-fc-error-type": "UnhandledInvocationError"}, b'{"errorMessage": "secret"}')
    trouble = troubles.of(answer, Address.parse(NOBODY))
    assert trouble is not None
    assert (trouble.status, "secret" in repr(trouble)) == (502, False)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"Code": "x"}', b"<html>"])
def test_an_error_that_is_not_the_platforms_is_the_functions_own(body: bytes) -> None:
    assert Fetched(404, {}, body).refusal() is None


# how it is started


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "the URL is missing"),
        ("status.cn-hangzhou.fcapp.run", "is no URL of a trigger"),
        ("ftp://a", "is no URL of a trigger"),
        ("https://", "is no URL of a trigger"),
        ("http://a.cn-hangzhou.fcapp.run", "is not https://"),
        ("http://127.0.0.1.evil.example", "is not https://"),
        ("https://me:secret@a.fcapp.run", "leave both out"),
        ("https://a.fcapp.run/#x", "leave both out"),
        ("https://a.fcapp.run:port", "port"),
        ("https://[::1", "IPv6"),
    ],
)
def test_a_url_that_no_credentials_are_sent_to_is_refused(url: str, said: str) -> None:
    with pytest.raises(AddressRefusedError, match=re.escape(said)):
        Address.parse(url)


@pytest.mark.parametrize(
    ("url", "origin", "path", "region"),
    [
        ("https://p-abc.cn-hangzhou.fcapp.run", "https://p-abc.cn-hangzhou.fcapp.run", "/", "cn-hangzhou"),
        ("HTTPS://P.cn-hangzhou-vpc.FCapp.run/a?b", "https://p.cn-hangzhou-vpc.fcapp.run", "/a?b", "cn-hangzhou"),
        ("https://status.example.com/", "https://status.example.com", "/", "*"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", "/", "*"),
        ("http://[::1]:8080", "http://[::1]:8080", "/", "*"),
    ],
)
def test_a_url_is_an_origin_a_first_path_and_a_region(url: str, origin: str, path: str, region: str) -> None:
    address = Address.parse(url)
    assert (address.origin, address.path, address.region) == (origin, path, region)


def test_what_is_missing_to_sign_with_is_named() -> None:
    with pytest.raises(
        CredentialsMissingError, match="ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    ):
        credentials_of({})
    with pytest.raises(CredentialsMissingError, match=r"^ALIBABA_CLOUD_ACCESS_KEY_SECRET not set"):
        credentials_of({"ALIBABA_CLOUD_ACCESS_KEY_ID": "ak"})
    found = credentials_of({"ALIBABA_CLOUD_ACCESS_KEY_ID": "ak", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk"})
    assert (found, "sk" in repr(found)) == (Credentials("ak", "sk", ""), False)


def test_without_a_url_it_ends_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "make status URL=https://" in capsys.readouterr().err


def test_the_program_shows_the_page_and_ends_cleanly_at_ctrl_c(place: Place) -> None:
    key = place.cloud.admin
    environ = {
        **os.environ,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": key.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": key.security_token or "",
        "HTTP_PROXY": NOBODY,  # what is on this computer is not asked through a proxy
    }
    command = [sys.executable, "-m", "tests.viewer", place.url]
    program = subprocess.Popen(  # noqa: S603 - our own module
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        address = next(line.strip() for line in program.stdout if line.startswith("http://"))
        browser = Browser(urlsplit(address).netloc)
        assert browser.enter(address).headers["location"] == "/"
        assert browser.get("/").status == 200
        held = socket.create_connection(("127.0.0.1", urlsplit(address).port or 0))  # as a browser keeps one open
    finally:
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=60)
    held.close()
    assert (program.returncode, rest.strip(), errors) == (0, "The viewer has ended.", "")


def test_a_trouble_is_told_as_text_whatever_is_in_it() -> None:
    console = Console(record=True, width=200)
    console.print(said(Trouble(403, "What [red]is[/red].", "The cure.", "", "1-a")), soft_wrap=True)
    assert console.export_text().strip() == "403 What [red]is[/red]. The cure. Request 1-a."
