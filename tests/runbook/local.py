"""The tools of this machine that the documents use: which of their commands are run, which only looked at, and why.

A command that has no rule here fails the test that meets it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import urllib.request
from pathlib import Path

from tests.runbook.documents import ROOT
from tests.runbook.tools import Answer, Asked, flags, refuse
from tests.runbook.world import World

# Targets of make are not made, only looked at (`make -n`): each is made elsewhere, takes long, or writes into the tree.
MADE_ELSEWHERE = {
    "bench": "tests/bench/test_command.py runs it, on what takes a moment",
    "clean": "it removes what runs this",
    "cloud": "it serves until it is stopped; tests/loopback/test_cli.py runs it",
    "conformance": "tests/conformance/test_command.py runs it",
    "demo": "tests/wire/test_demo.py runs it",
    "evidence": "it takes many minutes",
    "fuzz": "it takes many minutes",
    "layers": "`make test` runs it",
    "lint": "`make test` runs it",
    "lock": "it asks PyPI, and writes requirements.txt",
    "mutation": "tests/mutation/test_mutation.py runs it, on one module",
    "package": "tests/package/test_command.py runs it, on a small project",
    "replay": "tests/protocol runs the simulation",
    "soak": "tests/wire/test_soak.py runs it, for a shorter time",
    "stack": "it writes docs/stack.json; tests/unit/test_deployment.py holds that to it",
    "status": "it serves until it is stopped; tests/viewer runs it",
    "test": "it is what runs this",
    "types": "`make test` runs it",
    "unit": "`make test` runs it",
}
# Modules that are looked at for being there, and for knowing their options.
MODULES = {
    "tests.bench": "tests/bench/test_command.py runs it",
    "tests.bench.profiling": "it takes minutes",
    "tests.conformance": "tests/conformance/test_command.py runs it",
    "tests.localcloud": "it serves until it is stopped; tests/loopback/test_cli.py runs it",
    "tests.observability": "tests/observability runs it",
    "tests.package": "tests/package/test_command.py runs it",
    "pytest": "it is what runs this",
}
# Scripts on standard input, by words of theirs, that are compiled and not run.
LONG_SCRIPTS = {
    "statistics.median(cpu(code)": "it measures for a minute",
    "pages.status(found, rows, said": "it measures with 30,000 users; tests/page shows as many",
}
# What git is asked for: it is looked at, and says nothing.
GIT = {"checkout", "clone", "diff", "fetch", "log", "pull", "status"}
# What the command line of Log Service is asked for, with the flags of each, and which of them is JSON: it is looked at.
# Source of `get_log_all`: its page in the documentation of Log Service's command line.
ALIYUNLOG: dict[str, tuple[set[str], str | None]] = {
    "create_alert": ({"project", "detail"}, "detail"),
    "create_dashboard": ({"project", "detail"}, "detail"),
    "create_index": ({"project_name", "logstore_name", "index_detail"}, "index_detail"),
    "create_savedsearch": ({"project", "detail"}, "detail"),
    "get_log_all": ({"project", "logstore", "from_time", "to_time", "query"}, None),
}
# Tools that are what they are.
PLAIN = ("cat", "date", "grep", "head", "sort", "tail", "wc", "xargs")

_ASSIGNMENT = re.compile(r"[A-Z][A-Z0-9_]*=.*")


def make(asked: Asked) -> Answer:
    """Look at what would be made: every target must exist, and what it depends on."""
    targets = [each for each in asked.arguments if not _ASSIGNMENT.fullmatch(each)]
    unknown = [each for each in targets if each not in MADE_ELSEWHERE]
    if unknown or not targets:
        refuse(f"make {' '.join(asked.arguments)} has no rule: add it to MADE_ELSEWHERE, with the reason, or run it")
    return Answer(becomes=(_found("make"), "-n", *asked.arguments), folder=str(ROOT))


def python(asked: Asked) -> Answer:
    """Run a script or what -c says; look at a module."""
    arguments = asked.arguments
    if arguments[:1] == ["-m"]:
        module, *options = arguments[1:]
        if module not in MODULES:
            refuse(f"python -m {module} has no rule: add it to MODULES, with the reason")
        _look_at(module, options)
        return Answer()
    return Answer(becomes=(sys.executable, *arguments), folder=str(ROOT))


def is_long(script: str) -> bool:
    """Tell whether a script takes too long to be run; what it has Python read must compile all the same."""
    if not any(mark in script for mark in LONG_SCRIPTS):
        return False
    (read,) = re.findall(r"<<'EOF'\n(.*?)^EOF$", script, re.MULTILINE | re.DOTALL)
    compile(read, "<stdin>", "exec")
    return True


def git(asked: Asked) -> Answer:
    """Look at what git is asked for."""
    if asked.arguments[0] not in GIT:
        refuse(f"git {asked.arguments[0]} has no rule")
    return Answer()


def aliyunlog(asked: Asked) -> Answer:
    """Look at what Log Service is asked for."""
    log, command, *rest = asked.arguments
    if log != "log" or command not in ALIYUNLOG:
        refuse(f"aliyunlog {log} {command} has no rule")
    pairs = [each.removeprefix("--").partition("=") for each in rest]
    given = {name: value for name, _, value in pairs}
    known, document = ALIYUNLOG[command]
    if given.keys() != known or not all(given.values()):
        refuse(f"aliyunlog log {command} takes {sorted(known)}, and was given {sorted(given)}")
    if document is not None:
        json.loads(given[document])
    return Answer()


class Curl:
    """`curl`, as far as the documents use it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, asked: Asked) -> Answer:
        """Ask the control endpoints of the loopback cloud."""
        *given, url = asked.arguments
        known = flags(given, bare={"s", "sS", "fsS", "f"})
        if known.keys() - {"s", "sS", "fsS", "f", "H", "d", "X"}:
            refuse(f"curl {given} is not known")
        if not url.startswith(f"http://{self._world.cloud.endpoint}/"):
            refuse(f"curl is to ask {url}, which is not this cloud")
        body = known["d"][0].encode() if "d" in known else None
        name, _, value = known["H"][0].partition(": ")
        request = urllib.request.Request(url, body, {name: value})  # noqa: S310 - the loopback cloud's
        if "X" in known:
            request.method = known["X"][0]
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            printed = answer.read().decode() + "\n"
        self._world.settle()
        return Answer(printed)


class Sleep:
    """`sleep`: the cloud's time passes, and nobody waits."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, asked: Asked) -> Answer:
        """Let so many seconds pass."""
        (seconds,) = asked.arguments
        self._world.cloud.let_pass(float(seconds))
        return Answer()


def _look_at(module: str, options: list[str]) -> None:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        refuse(f"there is no module {module}")
    path = Path(found.origin)
    source = "".join(each.read_text(encoding="utf-8") for each in {path, path.with_name("__main__.py")} & _there(path))
    for option in options:
        if option.startswith("--") and f'"{option.partition("=")[0]}"' not in source:
            refuse(f"python -m {module} does not know {option}")


def _there(path: Path) -> set[Path]:
    return {each for each in (path, path.with_name("__main__.py")) if each.exists()}


def _found(tool: str) -> str:
    path = shutil.which(tool)
    assert path, f"there is no {tool} on this machine"
    return path
