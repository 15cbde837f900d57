"""One campaign: a copy of the repository, in which mutmut changes the code and runs the tests for every change.

mutmut compiles all mutants of a function into one module, forks a process for each, and runs the tests that call the
function. It is used as its documentation says, through its command line; nothing of it is imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("mutmut.toml")
COPIED = ("shared", "functions", "events", "tests")
PROCESSES = 2
NOTICED = ("killed", "timeout")  # a mutant that runs for ever is noticed too
# A property test fails if it is slow, as any is on a busy machine: a mutant shall be noticed by what it does.
UNHURRIED = """
from hypothesis import HealthCheck
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
"""

_RESULT = re.compile(r"\s*(?P<key>\S+): (?P<status>.+)")
_KEY = re.compile(r"(?P<module>[\w.]+)\.x(?:_|ǁ(?P<cls>\w+)ǁ)(?P<function>\w+)__mutmut_\d+")
# What the session around this one tells its own children: of its workers, and of what it measures.
_SESSION = ("PYTEST_", "COV_", "COVERAGE_")


@dataclass(frozen=True, order=True)
class Mutant:
    """A change of one function, told so that it stays the same while lines around it move."""

    file: str
    function: str
    change: str  # the lines taken out and put in, as a diff shows them

    def __str__(self) -> str:
        return f"{self.file}, {self.function}\n{self.change}"


@dataclass(frozen=True)
class Tally:
    """What became of the mutants of one file."""

    killed: int
    timed_out: int
    survived: int

    @property
    def mutants(self) -> int:
        """Return how many there were."""
        return self.killed + self.timed_out + self.survived


@dataclass(frozen=True)
class Outcome:
    """What a campaign found."""

    tallies: Mapping[str, Tally]  # by file
    survivors: frozenset[Mutant]


def run() -> Outcome:
    """Mutate, run the tests for every mutant, and return what became of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(folder)
        _mutmut(folder, "run", "--max-children", str(PROCESSES))
        statuses = dict(_statuses(_mutmut(folder, "results", "--all", "true")))
        survived = [key for key, status in statuses.items() if status not in NOTICED]
        return Outcome(_tallies(statuses), frozenset(_mutant(key, _mutmut(folder, "show", key)) for key in survived))


def _copy(folder: Path) -> None:
    for each in COPIED:
        shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    settings = [(ROOT / "pyproject.toml").read_text(encoding="utf-8"), SETTINGS.read_text(encoding="utf-8")]
    (folder / "pyproject.toml").write_text("\n".join(settings), encoding="utf-8")
    with (folder / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(UNHURRIED)


def _mutmut(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SESSION)}
    done = subprocess.run(  # noqa: S603 - this interpreter, a pinned package
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"mutmut {arguments[0]} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _statuses(results: str) -> Iterator[tuple[str, str]]:
    for line in results.splitlines():
        if (match := _RESULT.fullmatch(line)) and _KEY.fullmatch(match["key"]):
            yield match["key"], match["status"]


def _tallies(statuses: Mapping[str, str]) -> dict[str, Tally]:
    files = sorted({_file(key) for key in statuses})
    return {file: _tally([status for key, status in statuses.items() if _file(key) == file]) for file in files}


def _tally(statuses: list[str]) -> Tally:
    killed, timed_out = (statuses.count(status) for status in NOTICED)
    return Tally(killed, timed_out, len(statuses) - killed - timed_out)


def _mutant(key: str, shown: str) -> Mutant:
    match = _KEY.fullmatch(key)
    assert match is not None
    function = f"{match['cls']}.{match['function']}" if match["cls"] else match["function"]
    return Mutant(_file(key), function, _change(shown))


def _file(key: str) -> str:
    match = _KEY.fullmatch(key)
    assert match is not None
    return f"{match['module'].replace('.', '/')}.py"


def _change(shown: str) -> str:
    """Return the changed lines of a unified diff, without the indentation, which a diff of a function has lost."""
    lines = [line for line in shown.splitlines() if re.match(r"[+-](?![+-]{2} )", line)]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines)
