"""A leak by any channel is heard, and found: without this, what finds nothing would prove nothing."""

from __future__ import annotations

import faulthandler
import http.client
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from urllib3.util import parse_url

from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import LocalCloud
from tests.wire.findings import Findings, Mint
from tests.wire.heard import CHANNELS, Eavesdropper
from tests.wire.wiretap import Wiretap

pytestmark = pytest.mark.evidence  # docs/evidence.md says that these leaks are found
KEYS = Credentials("STS.leaky", "key-secret-0123456789abcdef", "security-token-0123456789abcdef")


@dataclass
class Leaky:
    """A function that has a password, and gives it away by one channel."""

    password: str
    endpoint: str
    folder: Path

    def answers(self) -> str:
        return f"it is {self.password}"

    def exceptions(self) -> None:
        raise ValueError(f"it is {self.password}")

    def standard_output(self) -> None:
        sys.stdout.write(self.password)

    def standard_error(self) -> None:
        sys.stderr.write(self.password)

    def audit_lines(self) -> None:
        print(json.dumps({"Invocation": "1", "Message": self.password}))  # noqa: T201 - the leak

    def log_records(self) -> None:
        logging.getLogger("urllib3.connectionpool").debug("it is %s", self.password)

    def warnings(self) -> None:
        warnings.warn(f"it is {self.password}", DeprecationWarning, stacklevel=1)

    def files_written(self) -> None:
        (self.folder / "kept").write_text(self.password, encoding="utf-8")

    def urls(self) -> None:
        self.send(f"/?it={self.password.encode().hex()}", "", {})

    def headers(self) -> None:
        self.send("/", "", {"x-acs-it": self.password.encode().hex()})

    def bodies(self) -> None:
        self.send("/", self.password, {"x-acs-action": "TagResource"})

    def send(self, path: str, body: str, headers: dict[str, str]) -> None:
        connection = http.client.HTTPConnection(str(parse_url(self.endpoint)))
        connection.debuglevel = 0  # or else it is printed, too
        connection.request("POST", path, body.encode(), headers)
        connection.getresponse().read()
        connection.close()


WAYS: dict[str, Callable[[Leaky], object]] = {
    "answers": Leaky.answers,
    "exceptions": Leaky.exceptions,
    "standard output": Leaky.standard_output,
    "standard error": Leaky.standard_error,
    "audit lines": Leaky.audit_lines,
    "log records": Leaky.log_records,
    "warnings": Leaky.warnings,
    "files written": Leaky.files_written,
    "URLs": Leaky.urls,
    "headers": Leaky.headers,
    "bodies": Leaky.bodies,
}
# What is heard by another channel as well.
ALSO = {"audit lines": {"standard output"}, "log records": {"standard error"}}


@dataclass
class Ear:
    """An eavesdropper on a function that leaks."""

    cloud: LocalCloud
    leaky: Leaky
    findings: Findings
    eavesdropper: Eavesdropper

    def hear(self, leak: Callable[[Leaky], object]) -> set[str]:
        """Return the channels in which something was found."""
        self.findings.search("it", self.eavesdropper.hear(lambda: leak(self.leaky)))
        return {leak.rpartition(" in ")[2] for leak in self.findings.leaks}


@pytest.fixture
def ear(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Ear]:
    """Listen to a function that leaks."""
    tap, mint = Wiretap(), Mint()
    with LocalCloud(middleware=tap) as cloud:
        findings = Findings(mint)
        findings.know(KEYS)
        leaky = Leaky(mint.generated(""), cloud.endpoint, tmp_path)
        yield Ear(cloud, leaky, findings, Eavesdropper(capfd, tap, frozenset({cloud.admin.access_key_id})))


def test_every_channel_has_a_way_to_leak_by_it() -> None:
    assert set(WAYS) == set(CHANNELS)


@pytest.mark.parametrize("channel", WAYS)
def test_a_leak_by_each_channel_is_found_in_it_and_in_no_other(ear: Ear, channel: str) -> None:
    assert ear.hear(WAYS[channel]) == {channel} | ALSO.get(channel, set())


def test_a_function_that_says_nothing_is_clean(ear: Ear) -> None:
    assert ear.hear(lambda _leaky: None) == set()


def test_a_stack_that_is_dumped_is_heard(ear: Ear) -> None:
    heard = ear.eavesdropper.hear(lambda: faulthandler.dump_traceback(2))
    assert "most recent call first" in heard.said["standard error"]


@pytest.mark.parametrize("secret", [KEYS.access_key_secret, KEYS.security_token])
def test_a_credential_is_found_even_where_a_password_may_be(ear: Ear, secret: str) -> None:
    body = f"SecretData={secret}"
    assert ear.hear(lambda leaky: leaky.send("/", body, {"x-acs-action": "PutSecretValue"})) == {"bodies"}


def test_a_password_may_be_in_the_one_parameter_that_carries_it(ear: Ear) -> None:
    def put(leaky: Leaky) -> None:
        form = {"x-acs-action": "PutSecretValue", "content-type": "application/x-www-form-urlencoded"}
        leaky.send("/", f"SecretData={leaky.password.encode().hex()}&VersionId=r1", form)

    assert ear.hear(put) == set()


@pytest.mark.parametrize("header", ["x-acs-security-token", "x-fc-security-token"])
def test_a_security_token_may_be_in_its_own_header(ear: Ear, header: str) -> None:
    assert ear.hear(lambda leaky: leaky.send("/", "", {header: str(KEYS.security_token)})) == set()


def test_what_an_earlier_invocation_knew_is_looked_for_as_well(ear: Ear) -> None:
    before = ear.leaky.password
    ear.leaky.password = "harmless"
    assert ear.hear(lambda _leaky: sys.stdout.write(before)) == {"standard output"}


def test_what_an_administrator_sends_is_not_the_functions(ear: Ear) -> None:
    key = ear.cloud.admin.access_key_id
    headers = {"authorization": f"ACS3-HMAC-SHA256 Credential={key}"}
    assert ear.hear(lambda leaky: leaky.send(f"/?Password={leaky.password.encode().hex()}", "", headers)) == set()
