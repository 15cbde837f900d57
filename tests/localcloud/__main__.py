"""`python -m tests.localcloud`: the loopback cloud for the demo, the command line and other processes."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.localcloud.deployed import deploy
from tests.localcloud.fc.functions import FunctionRefusedError
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.variables import ManifestRefusedError
from tests.localcloud.ram.policy import Policy, PolicyRefusedError
from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.localcloud.state import CallStore, MemoryStore, SqliteStore, StateFileError
from tests.package.target import PackageError

_LAST_PORT = 65535

Roles = dict[str, dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP."""
    parser = _parser()
    options = parser.parse_args(arguments)
    roles = _roles(parser, options.policy)
    stopping = _stop_signal()
    try:
        with LocalCloud(port=options.port, tls=options.tls, store=_store(options.state)) as cloud:
            manifest = _deployed(cloud, options.deploy, roles) if options.deploy else None
            _announce(cloud, roles, manifest, tls=options.tls)
            if sys.stderr.isatty():
                kept = (
                    f"users and secrets stay in {options.state}" if options.state else "then all that is in it is gone"
                )
                sys.stderr.write(f"Serving until Ctrl-C; {kept}.\n")
            stopping.wait()
    except (ManifestRefusedError, FunctionRefusedError, PackageError) as refusal:
        parser.error(f"--deploy: {refusal}")
    except (StateFileError, OSError) as problem:
        parser.error(_problem(problem, options.port))
    return 0


def _deployed(cloud: LocalCloud, manifest: Path, roles: Roles) -> Manifest:
    with Console(stderr=True).status(Text(f"Deploying {manifest} …")):  # seconds; with a package to build, longer
        return deploy(cloud, manifest, os.environ, roles)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.localcloud", description="CloudSSO, KMS, RAM and Function Compute on loopback."
    )
    parser.add_argument("--port", type=_port, default=0, help="plain HTTP port; 0 picks a free one")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep users and secrets in this SQLite file")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS too, with a self-signed certificate")
    parser.add_argument(
        "--policy", type=_policy, action="append", default=[], metavar="NAME=FILE", help="a role, and its RAM policy"
    )
    parser.add_argument("--deploy", type=Path, metavar="S.YAML", help="run the functions of this manifest")
    return parser


def _roles(parser: argparse.ArgumentParser, policies: list[tuple[str, dict[str, Any]]]) -> Roles:
    roles: Roles = {}
    for name, document in policies:
        if name == "admin":
            parser.error("--policy: role admin is the cloud's own")
        if name in roles:
            parser.error(f"--policy: role {name} is given twice")
        roles[name] = document
    return roles


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        msg = f"{text!r} is not a port: 0 to {_LAST_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _policy(text: str) -> tuple[str, dict[str, Any]]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        msg = f"{text!r} is not NAME=FILE"
        raise argparse.ArgumentTypeError(msg)
    try:
        document = json.loads(Path(file).read_bytes())
        Policy.parse(document)
    except (OSError, ValueError, AttributeError) as problem:
        msg = f"{file}: {problem if isinstance(problem, (OSError, PolicyRefusedError)) else 'not a JSON object'}"
        raise argparse.ArgumentTypeError(msg) from None
    return name, document


def _store(path: Path | None) -> CallStore:
    return MemoryStore() if path is None else SqliteStore(path)


def _problem(problem: Exception, port: int) -> str:
    if isinstance(problem, StateFileError):
        return f"{problem}; nothing was started"
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return f"port {port}: another program listens there; nothing was started. Take another, or 0 for a free one"
    return f"port {port}: {problem}"


def _stop_signal() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # the last: its terminal was closed
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: stopping.set())
    return stopping


def _announce(cloud: LocalCloud, roles: Roles, manifest: Manifest | None, *, tls: bool) -> None:
    """Print what the cloud is, then, to copy, the environment of each role."""
    credentials = {"admin": cloud.admin} | {name: cloud.role(name, document) for name, document in roles.items()}
    table = _table(cloud, credentials, tls=tls)
    if manifest:
        _add_deployed(table, cloud, manifest)
    Console().print(table)
    lines = [*_shared(cloud), *(line for name, each in credentials.items() for line in _owned(name, each))]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _table(cloud: LocalCloud, credentials: dict[str, Credentials], *, tls: bool) -> Table:
    table = Table(title="Loopback cloud", show_header=False)
    table.add_row("HTTP", f"http://{cloud.endpoint}")
    if tls:
        table.add_row("HTTPS (self-signed)", f"https://{cloud.tls_endpoint}")
    table.add_row("Controls", f"http://{cloud.endpoint}/_localcloud/")
    for name, each in credentials.items():
        table.add_row(f"Role {name}", each.access_key_id)
    return table


def _add_deployed(table: Table, cloud: LocalCloud, manifest: Manifest) -> None:
    for function in manifest.functions:
        table.add_row("Function", function.name)
        for trigger in function.triggers:
            url = cloud.http.urls().get((function.name, trigger.name), "")
            table.add_row(f"Trigger ({trigger.trigger.trigger_type})", f"{trigger.name}  {url}".rstrip())
    for queue in cloud.smq.queues():
        table.add_row("Queue", queue.name)
    for topic in cloud.smq.topics():
        table.add_row("Topic", topic.name)


def _shared(cloud: LocalCloud) -> list[str]:
    return [
        f"export CLOUDSSO_DIRECTORY_ID={cloud.cloudsso.directory_id}",
        f"export CLOUDSSO_REGION={DIRECTORY_REGION}",
        f"export CLOUDSSO_ENDPOINT=http://{cloud.endpoint}",
        f"export KMS_REGION={KMS_REGION}",
        f"export KMS_ENDPOINT=http://{cloud.endpoint}",
        f"export FC_REGION={FC_REGION}",
        f"export ROTATION_ENDPOINT=http://{cloud.endpoint}",
        f"export LOCALCLOUD_TOKEN={cloud.control_token}",
    ]


def _owned(name: str, credentials: Credentials) -> list[str]:
    """Return a role's own lines; who takes in all of the output acts as the last role."""
    return [
        f"# as role {name}",
        f"export ALIBABA_CLOUD_ACCESS_KEY_ID={credentials.access_key_id}",
        f"export ALIBABA_CLOUD_ACCESS_KEY_SECRET={credentials.access_key_secret}",
        f"export ALIBABA_CLOUD_SECURITY_TOKEN={credentials.security_token}",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
