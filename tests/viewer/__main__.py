"""`make status URL=...`: the status page in an ordinary browser, which cannot sign its requests itself.

Serves on 127.0.0.1 until Ctrl-C, signs each GET with the operator's own credentials and shows what the trigger answers.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence

import uvicorn
from rich.console import Console
from rich.markup import escape

from tests.viewer.proxy import Viewer
from tests.viewer.signing import Credentials
from tests.viewer.troubles import Trouble
from tests.viewer.upstream import Address, AddressRefusedError, Upstream

_ID, _SECRET, _TOKEN = (
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
)
_BACKLOG = 64


class CredentialsMissingError(ValueError):
    """There is nothing to sign with; the message says what to export."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="make status URL=", description=__doc__)
    parser.add_argument("url", nargs="?", default="", help="where the trigger answers: https://....fcapp.run")
    given = parser.parse_args(arguments)
    try:
        upstream = Upstream(Address.parse(given.url), credentials_of(os.environ))
    except (AddressRefusedError, CredentialsMissingError) as problem:
        parser.exit(2, f"make status: {problem}\n")
    serve(upstream, Console())
    return 0


def credentials_of(environ: Mapping[str, str]) -> Credentials:
    """Return the operator's own credentials."""
    missing = [name for name in (_ID, _SECRET) if not environ.get(name)]
    if missing:
        raise CredentialsMissingError(
            f"{' and '.join(missing)} not set. The page is signed with your own access key: export {_ID}, {_SECRET} "
            f"and, with a temporary key, {_TOKEN}"
        )
    return Credentials(environ[_ID], environ[_SECRET], environ.get(_TOKEN, ""))


def serve(upstream: Upstream, console: Console) -> None:
    """Bind, say where, and serve."""
    viewer = Viewer(upstream, lambda trouble: console.print(said(trouble), soft_wrap=True))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(_BACKLOG)  # a browser may come before the server's first turn
        viewer.host = f"127.0.0.1:{listening.getsockname()[1]}"
        console.print("Open this address; it is for you alone, and good until Ctrl-C:")
        console.print(f"[bold cyan]{escape(viewer.first_address)}[/bold cyan]", soft_wrap=True)
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended in order, and then raises the signal again
            uvicorn.Server(_config(viewer)).run(sockets=[listening])
    console.print("The viewer has ended.")


def said(trouble: Trouble) -> str:
    """Return a trouble as the terminal's markup: nothing in it is markup of its own."""
    request = f" Request {trouble.request_id}." if trouble.request_id else ""
    return f"[red]{trouble.status}[/red] {escape(trouble.what + ' ' + trouble.cure + request)}"


def _config(viewer: Viewer) -> uvicorn.Config:
    return uvicorn.Config(
        viewer,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    raise SystemExit(main())
