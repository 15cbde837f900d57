"""What stands on PATH in place of a tool: it tells the test what it was called with, and does what it is told.

It is run as a script, by its name: as `aliyun`, `s`, `make` and so on.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Ask, print, and end as the answer says; or become what it names."""
    name = sys.argv[0] if sys.argv[0].endswith(".venv/bin/python") else os.path.basename(sys.argv[0])  # noqa: PTH119
    asked = {"name": name, "arguments": sys.argv[1:], "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.environ["RUNBOOK_SOCKET"])
        client.sendall(json.dumps(asked).encode() + b"\n")
        answer = json.loads(client.makefile("rb").readline())
    if answer["becomes"]:
        os.chdir(answer["folder"])
        os.execv(answer["becomes"][0], answer["becomes"])  # noqa: S606 - as the test says
    sys.stdout.write(answer["printed"])
    sys.stdout.flush()
    sys.stderr.write(answer["complained"])
    return int(answer["status"])


if __name__ == "__main__":
    sys.exit(main())
