"""Whom the gateways' connections trust, what they share, and what they do not keep."""

from __future__ import annotations

import pickle
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import darabonba.core
import pytest
import requests

from shared import connections, openapi
from shared.errors import SecretStoreUnavailable
from shared.kms import KmsSecretStore
from shared.model import Endpoint, SecretName
from tests.contract.directories import credentials_of
from tests.deployment import CloudClock
from tests.fakes import FakeClock
from tests.localcloud.server import KMS_REGION, LocalCloud

NOBODYS = SecretName("nobodys")


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have connections made as by an instance that has just started, and forgotten afterwards."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    connections._shared.cache_clear()
    darabonba.core.DaraCore._sessions.clear()


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(tls=True) as cloud:
        yield cloud


def store(cloud: LocalCloud, host: str) -> KmsSecretStore:
    signer = openapi.Signer(credentials_of(cloud.admin))
    return KmsSecretStore(KMS_REGION, Endpoint(host, "HTTPS"), signer, CloudClock(cloud))


def trusting(cloud: LocalCloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the cloud's certificate the way that OpenSSL documents."""
    host, _, port = cloud.tls_endpoint.partition(":")
    bundle = folder / "cloud.pem"
    bundle.write_text(ssl.get_server_certificate((host, int(port))), encoding="ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


def test_a_server_that_no_authority_vouches_for_is_sent_nothing(cloud: LocalCloud) -> None:
    with pytest.raises(SecretStoreUnavailable):
        store(cloud, cloud.tls_endpoint).versions(NOBODYS)
    assert len(cloud.calls) == 0


def test_a_certificate_in_ssl_cert_file_is_trusted(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(cloud, tmp_path, monkeypatch)
    assert store(cloud, cloud.tls_endpoint).versions(NOBODYS) is None


def test_folders_of_certificates_in_ssl_cert_dir_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def noted(self: ssl.SSLContext) -> None:
        read.append(self)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", noted)
    for name, value in (
        ("SSL_CERT_DIR", "/one:/two"),
        ("SSL_CERT_FILE", ssl.get_default_verify_paths().openssl_cafile),
    ):
        monkeypatch.setenv(name, value)
        _forget()
        connections.prepare(Endpoint(None))
        monkeypatch.delenv(name)
    _forget()
    connections.prepare(Endpoint(None))
    assert len(read) == 2


def test_a_certificate_for_another_host_is_refused_by_whomever_it_is_signed(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(cloud, tmp_path, monkeypatch)
    port = cloud.tls_endpoint.partition(":")[2]
    with pytest.raises(SecretStoreUnavailable):
        store(cloud, f"localhost:{port}").versions(NOBODYS)
    assert len(cloud.calls) == 0


def test_authorities_are_read_once_for_all_endpoints_and_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def counting(self: ssl.SSLContext, *args: str, **kwargs: str) -> None:
        read.append(self)
        load(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counting)
    connections.prepare(Endpoint(None), Endpoint("kms.example"), Endpoint("127.0.0.1:1", "HTTP"))
    connections.make_safe(FakeClock())
    assert len(read) == 1
    for port in (1, 2, 2):  # where nobody listens: a connection is prepared, and refused
        session = darabonba.core.DaraCore._get_session(f"https://127.0.0.1:{port}", "HTTPS", pool_size=40)
        asked = requests.Request("GET", f"https://127.0.0.1:{port}/").prepare()
        with pytest.raises(requests.ConnectionError):
            session.send(asked, verify=True, timeout=1)
        pool = session.get_adapter(asked.url).poolmanager.connection_from_url(asked.url)
        assert pool.ca_certs is None
    assert len(read) == 1


def test_a_version_of_tls_that_somebody_asks_for_is_the_sdks_own_affair() -> None:
    connections.make_safe(FakeClock())
    adapter = darabonba.core.DaraCore.get_adapter("HTTPS", "TLSv1.3")
    assert adapter.ssl_context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert not isinstance(adapter, connections.SharedAdapter)


class Baker(BaseHTTPRequestHandler):
    """A server that gives everybody a cookie, and remembers who brought one."""

    brought: list[str | None]

    def do_GET(self) -> None:
        self.brought.append(self.headers["Cookie"])
        self.send_response(200)
        self.send_header("Set-Cookie", "who=the-last-one; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_a_cookie_is_not_kept_for_the_next_call() -> None:
    Baker.brought = []
    with HTTPServer(("127.0.0.1", 0), Baker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        session = connections.StraightSession()
        for _ in range(2):
            session.send(requests.Request("GET", f"http://127.0.0.1:{server.server_port}/").prepare(), timeout=5)
        server.shutdown()
    assert Baker.brought == [None, None]
    assert len(session.cookies) == 0


def test_what_signs_is_there_during_an_invocation_and_not_before_or_after_it(cloud: LocalCloud) -> None:
    signer = openapi.Signer()
    with signer.signing_as(credentials_of(cloud.admin)):
        key = signer.get_credential()
        assert key.access_key_secret == cloud.admin.access_key_secret
        assert cloud.admin.access_key_secret not in f"{key!r} {key} {signer!r}"
        with pytest.raises(TypeError, match="not serialised"):
            pickle.dumps(key)
    with pytest.raises(RuntimeError, match="outside the invocation"):
        signer.get_credential()


def test_of_two_invocations_that_overlap_the_first_to_end_takes_nothing_from_the_other(cloud: LocalCloud) -> None:
    signer, who = openapi.Signer(), credentials_of(cloud.admin)
    with ExitStack() as longer:
        longer.enter_context(signer.signing_as(who))
        with signer.signing_as(who):
            pass
        assert signer.get_credential().access_key_id == who.access_key_id
    with pytest.raises(RuntimeError):
        signer.get_credential()


def test_a_connection_through_a_proxy_trusts_the_same() -> None:
    adapter = connections.SharedAdapter()
    through = adapter.proxy_manager_for("http://127.0.0.1:1")
    context = adapter.poolmanager.connection_pool_kw["ssl_context"]
    assert through.connection_pool_kw["ssl_context"] is context
    assert adapter.proxy_manager_for("https://127.0.0.1:1").proxy_config.ssl_context is context


def test_a_proxy_that_the_environment_names_is_asked_where_the_caller_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The package for FC 2.0 leaves that to requests; the SDKs do not."""
    Baker.brought = []
    with HTTPServer(("127.0.0.1", 0), Baker) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        connections.StraightSession().send(requests.Request("GET", "http://fc.invalid/").prepare(), timeout=5)
        proxy.shutdown()
    assert Baker.brought == [None]


def test_a_connection_that_has_waited_for_long_is_not_used(cloud: LocalCloud) -> None:
    clock = FakeClock()
    signer = openapi.Signer(credentials_of(cloud.admin))
    asked = KmsSecretStore(KMS_REGION, Endpoint(cloud.endpoint, "HTTP"), signer, clock)
    closed: list[object] = []
    asked.versions(NOBODYS)
    (session,) = darabonba.core.DaraCore._sessions.values()
    session.close = lambda: closed.append(session)
    for seconds in (29, 31):
        clock.advance(seconds)
        asked.versions(NOBODYS)
    assert len(closed) == 1
