from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config

from tests.localcloud.__main__ import main
from tests.localcloud.server import ADMIN_POLICY
from tests.loopback import clients
from tests.viewer.signing import Credentials, signed_headers

ROOT = Path(__file__).parents[2]
READ_ONLY = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:Get*", "Resource": "*"}]}


def command(*arguments: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "tests.localcloud", *arguments]


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[SimpleNamespace]:
    """Run the cloud as a process until the block ends; yield the table and the environment by role."""
    process = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        yield read_announcement(process, roles=1 + arguments.count("--policy"))
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")


def read_announcement(process: subprocess.Popen[str], roles: int) -> SimpleNamespace:
    """Read what is printed up to the last role's last line."""
    shared: dict[str, str] = {}
    owned: dict[str, dict[str, str]] = {}
    table, into = "", shared
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("# as role "):
            into = owned.setdefault(line.removeprefix("# as role ").strip(), {})
        elif line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            into[name] = value
        else:
            table += line
        if len(owned) == roles and "ALIBABA_CLOUD_SECURITY_TOKEN" in into:
            break
    return SimpleNamespace(shared=shared, owned=owned, table=table)


def kms(cloud: SimpleNamespace, role: str) -> KmsClient:
    """Return the official client, configured from the environment printed."""
    own = cloud.owned[role]
    return KmsClient(
        Config(
            endpoint=cloud.shared["KMS_ENDPOINT"].removeprefix("http://"),
            protocol="HTTP",
            region_id=cloud.shared["KMS_REGION"],
            access_key_id=own["ALIBABA_CLOUD_ACCESS_KEY_ID"],
            access_key_secret=own["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
            security_token=own["ALIBABA_CLOUD_SECURITY_TOKEN"],
        )
    )


def controls(cloud: SimpleNamespace, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Use a control endpoint of the process."""
    connection = http.client.HTTPConnection(cloud.shared["KMS_ENDPOINT"].removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {cloud.shared['LOCALCLOUD_TOKEN']}"}
    connection.request(verb, f"/_localcloud{path}", json.dumps(body), headers)
    with contextlib.closing(connection):
        return json.loads(connection.getresponse().read())


@contextlib.contextmanager
def signals_as_they_were() -> Iterator[None]:
    """Undo what the program makes of signals when it runs in this very process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def until_there(look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is looked for
    """Look until there is something, for a minute at most."""
    give_up = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found


def test_the_environment_printed_is_all_a_client_needs_and_what_was_answered_survives(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state"))
    with running(*state) as first:
        clients.create_secret(kms(first, "admin"), data="kept")
        assert first.shared["CLOUDSSO_ENDPOINT"] in first.table
        assert (first.shared["CLOUDSSO_REGION"], first.shared["KMS_REGION"]) == ("cn-shanghai", "cn-hangzhou")
        assert first.shared["CLOUDSSO_DIRECTORY_ID"].startswith("d-")
        assert first.shared["LOCALCLOUD_TOKEN"]
    killed = subprocess.Popen(command(*state), cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    second = kms(read_announcement(killed, roles=1), "admin")
    assert clients.current(second) == "kept"
    clients.put(second, "v2", "answered")
    killed.kill()
    killed.communicate(timeout=10)
    with running(*state) as third:
        assert clients.current(kms(third, "admin")) == "answered"


def test_a_role_from_a_policy_file_may_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(READ_ONLY))
    with running("--tls", "--policy", f"reader={tmp_path / 'p.json'}") as cloud:
        assert "https://127.0.0.1:" in cloud.table
        clients.create_secret(kms(cloud, "admin"))
        assert clients.current(kms(cloud, "reader")) == "first"
        with pytest.raises(ClientException) as caught:
            clients.put(kms(cloud, "reader"), "v2", "x")
        assert caught.value.code == "Forbidden.NoPermission"


def test_what_an_s_yaml_declares_is_served_and_runs() -> None:
    with running("--deploy", str(ROOT / "s.yaml")) as cloud:
        assert "cloudsso-rotator-reset-password" in cloud.table
        assert "cloudsso-rotator-requests" in cloud.table
        assert cloud.shared["ROTATION_ENDPOINT"] == cloud.shared["KMS_ENDPOINT"]
        sent = {"QueueName": "cloudsso-rotator-requests", "Body": json.dumps({"UserName": "nobody", "DryRun": True})}
        assert controls(cloud, "POST", "/messages", sent)["MessageId"]
        delivered = until_there(lambda: controls(cloud, "GET", "/deliveries") or controls(cloud, "GET", "/logs"))
        assert "cloudsso-rotator-reset-password" in json.dumps(delivered)
        (page,) = controls(cloud, "GET", "/triggers")
        assert page["URL"] in cloud.table
        assert shown(cloud, page["URL"] + "/").startswith(b"<!doctype html>")


def shown(cloud: SimpleNamespace, url: str) -> bytes:
    """Ask an HTTP trigger as the role admin does."""
    own = cloud.owned["admin"]
    names = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
    headers = signed_headers(url, Credentials(*(own[name] for name in names)), datetime.now(timezone.utc))
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", urlsplit(url).path, headers=headers)
    with contextlib.closing(connection):
        return connection.getresponse().read()


@pytest.mark.parametrize(
    "number", [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
)
def test_an_interrupt_or_a_closed_terminal_ends_it_cleanly(number: signal.Signals) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own module
        command(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    read_announcement(process, roles=1)
    process.send_signal(number)
    assert (process.communicate(timeout=10)[1], process.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "seventy"], "'seventy' is not a port"),
        (["--port", "70000"], "'70000' is not a port"),
        (["--policy", "reader"], "'reader' is not NAME=FILE"),
        (["--policy", "r={tmp}/none.json"], "No such file"),
        (["--policy", "r={tmp}/text.json"], "text.json: not a JSON object"),
        (["--policy", "r={tmp}/list.json"], "list.json: not a JSON object"),
        (["--policy", "r={tmp}/odd.json"], "policy refused: Version is '9'"),
        (["--policy", "r={tmp}/good.json", "--policy", "r={tmp}/good.json"], "role r is given twice"),
        (["--policy", "admin={tmp}/good.json"], "role admin is the cloud's own"),
        (["--state", "{tmp}"], "state file {tmp}: unable to open database file"),
        (["--deploy", "{tmp}/none.yaml"], "--deploy: none.yaml: cannot be read: No such file"),
        (["--deploy", "{tmp}/odd.json"], "--deploy: Version: there is no such key"),
        (["--port", "1", "--state", "{tmp}/none/state"], "state file"),
    ],
)
def test_a_bad_argument_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "odd.json").write_text('{"Version": "9"}')
    (tmp_path / "good.json").write_text(json.dumps(ADMIN_POLICY))
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit) as ended, signals_as_they_were():
        main([each.replace("{tmp}", str(tmp_path)) for each in arguments])
    assert ended.value.code == 2
    assert said.replace("{tmp}", str(tmp_path)) in capsys.readouterr().err


def test_a_port_in_use_is_named() -> None:
    with running() as cloud:
        port = cloud.shared["KMS_ENDPOINT"].rpartition(":")[2]
        done = subprocess.run(  # noqa: S603 - our own module
            command("--port", port), cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert f"port {port}: " in done.stderr
    assert "Traceback" not in done.stderr
