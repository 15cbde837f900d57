"""A server for the peer on another cloud: it answers the two calls that boto3 makes, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.localcloud.gateway.tls import server_context

_USERS = (
    b'<UpdateLoginProfileResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
    b"<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></UpdateLoginProfileResponse>"
)
_SECRETS = json.dumps({"ARN": "arn", "Name": "secret", "VersionId": "v", "VersionStages": ["AWSCURRENT"]}).encode()


class _Answers(BaseHTTPRequestHandler):
    """UpdateLoginProfile in its query protocol, PutSecretValue in its JSON protocol."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call; signatures are not looked at."""
        self.rfile.read(int(self.headers["Content-Length"]))
        secrets = "X-Amz-Target" in self.headers
        body = _SECRETS if secrets else _USERS
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if secrets else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Say nothing."""


@contextmanager
def serving(*, tls: bool) -> Iterator[str]:
    """Serve until the block ends; yield the endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        if tls:
            server.socket = server_context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
