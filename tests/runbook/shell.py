"""One shell in which the steps of a section run, with stand-ins for the tools, in what looks like the repository."""

from __future__ import annotations

import json
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import cast

from tests.runbook import local
from tests.runbook.aliyun import Aliyun
from tests.runbook.documents import ROOT, Step
from tests.runbook.local import PLAIN, Curl, Sleep
from tests.runbook.serverless import Serverless
from tests.runbook.tools import Answer, Asked, Tool
from tests.runbook.world import World

STANDIN = Path(__file__).with_name("standin.py")
PYTHON = ".venv/bin/python"
LONGEST = 300  # seconds of real time for a whole section
_MARK = "\x1e"


class _Server(socketserver.ThreadingUnixStreamServer):
    tools: Mapping[str, Tool]
    problems: list[str]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("_Server", self.server)
        asked = Asked(**json.loads(self.rfile.readline()))
        try:
            answer = server.tools[PYTHON if asked.name.endswith(PYTHON) else asked.name](asked)
        except Exception as problem:  # noqa: BLE001 - it is the test's failure, whatever it is
            server.problems.append(f"{asked.name} {' '.join(asked.arguments)}: {type(problem).__name__}: {problem}")
            answer = Answer(complained=server.problems[-1] + "\n", status=99)
        self.wfile.write(json.dumps(asdict(answer)).encode() + b"\n")


class Shell:
    """Runs steps, in order, in one bash."""

    def __init__(self, world: World, folder: Path, problems: list[str]) -> None:
        self._world = world
        self._folder = folder
        self._problems = problems

    def keep(self, name: str, text: str) -> None:
        """Write a file where the repository is."""
        (self._folder / "repository" / name).write_text(self._world.here(text), encoding="utf-8")

    def run(self, steps: tuple[Step, ...], before: str = "") -> list[str]:
        """Return what each step printed; fail at the first one that does not end well."""
        self._problems.clear()
        lines = ["set -euo pipefail", before]
        for step in steps:
            lines += [f"printf '{_MARK}'", self._world.here(step.script)]
        environment = {
            **self._world.environment,
            "PATH": str(self._folder / "bin"),
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "RUNBOOK_SOCKET": str(self._folder / "socket"),
        }
        done = subprocess.run(  # noqa: S603 - what the documents say
            ["/bin/bash", "-c", "\n".join(lines)],
            cwd=self._folder / "repository",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        _, *printed = done.stdout.split(_MARK)
        assert not self._problems, "\n".join(self._problems)
        if done.returncode:
            step = steps[max(len(printed) - 1, 0)]
            raise AssertionError(f"line {step.line} ended with {done.returncode}:\n{step.script}\n{done.stdout}")
        return printed


@contextmanager
def shell(world: World) -> Iterator[Shell]:
    """Serve the stand-ins, and lay out what looks like the repository."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path is to be short
        yield from _shell(world, Path(folder))


def _shell(world: World, folder: Path) -> Iterator[Shell]:
    tools: dict[str, Tool] = {
        "aliyun": Aliyun(world),
        "s": Serverless(world),
        "make": local.make,
        "git": local.git,
        "aliyunlog": local.aliyunlog,
        "curl": Curl(world),
        "sleep": Sleep(world),
        PYTHON: local.python,
    }
    _lay_out(folder, tools)
    server = _Server(str(folder / "socket"), _Handler)
    server.tools, server.problems, server.daemon_threads = tools, [], True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Shell(world, folder, server.problems)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _lay_out(folder: Path, tools: Mapping[str, Tool]) -> None:
    bin_, repository = folder / "bin", folder / "repository"
    bin_.mkdir(parents=True)
    (repository / ".venv" / "bin").mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".env", ".git"):
            (repository / path.name).symlink_to(path)
    for name in tools:
        where = repository / name if name == PYTHON else bin_ / name
        where.write_text(f"#!{sys.executable} -IS\n{STANDIN.read_text(encoding='utf-8')}", encoding="utf-8")
        where.chmod(0o755)
    for name in PLAIN:
        (bin_ / name).symlink_to(str(shutil.which(name)))
    (bin_ / "python3").symlink_to(sys.executable)
