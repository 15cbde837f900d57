"""Sets up .venv and .venv-reader: what `make` runs first, so with the standard library alone.

    python -m tests.environment .venv/ready requirements.txt tests/requirements.txt

It says that it takes a minute, shows how far it is, and of what goes wrong: what, what was left unchanged, what to do.
What is last is the file `ready`: without it the next `make` begins again.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]

LOOKED_AT = re.compile(
    r"(?:Collecting|Requirement already satisfied:|Processing) (?:\S*/)?([\w.-]+?)(?:==|-\d\S*\.whl| |$)"
)
UNREACHABLE = re.compile(r"Retrying|ConnectionError|timed out|No matching distribution|Could not find a version")
MISMATCH = "DO NOT MATCH THE HASHES"

NO_VENV = """\
{python} cannot make virtual environments: it lacks {missing}. Nothing was changed.
On Debian and Ubuntu: apt-get install python{version}-venv; then the same make again."""
NOT_MADE = """\
{python} could not make {folder}: {problem}
Nothing else was changed. Mend that, or make with another one: make clean, then make PYTHON=python3.12 ..."""
NO_NETWORK = """\
{folder} is not complete: pip could not get everything from PyPI. Nothing else was changed.
pip's last word: {problem}
Behind a proxy, export HTTPS_PROXY; with a mirror, export PIP_INDEX_URL. Then the same make again: it goes on."""
WRONG_HASH = """\
{folder} is not complete: a package is not the one that {requirements} names by its hash.
Nothing was installed. Do not work around it: a mirror or a proxy hands out something else.
Take PyPI itself (PIP_INDEX_URL), then make again."""
NOT_INSTALLED = """\
{folder} is not complete: pip could not install everything. Nothing else was changed.
pip's last word: {problem}
Mend that, then the same make again: it goes on."""


class SetUpError(Exception):
    """The environment could not be set up; its text says what to do."""


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and keep what it says."""
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this module's own words


def set_up(ready: Path, requirements: Sequence[Path], out: TextIO) -> None:
    """Make a virtual environment beside its file `ready`, with what the requirements pin, and then that file."""
    folder = ready.parent
    total = pinned(requirements)
    out.write(f"Setting up {folder} with {total} packages from PyPI. It takes a minute or two, once.\n")
    out.flush()
    make(folder)
    install(folder, requirements, Progress(out, folder, total))
    ready.touch()
    out.write(f"{folder} is set up.\n")


def pinned(requirements: Iterable[Path]) -> int:
    """Return how many packages requirements pin; one in two files counts once."""
    texts = (path.read_text(encoding="utf-8") for path in requirements)
    return len({name for text in texts for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)})


def absent() -> str:
    """Return the first module that making environments needs and Debian packages apart; empty if all are there."""
    return next((name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None), "")


def make(folder: Path, run: Run = run, missing: Callable[[], str] = absent) -> None:
    """Make a virtual environment with this interpreter, unless it is there; one of another interpreter is replaced."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lacks = missing()
    if lacks:
        raise SetUpError(NO_VENV.format(python=sys.executable, missing=lacks, version=version))
    if _is_of(folder, version, run):
        return
    made = run([sys.executable, "-m", "venv", "--clear", str(folder)])
    if made.returncode:
        problem = last(made.stdout + made.stderr)
        raise SetUpError(NOT_MADE.format(python=sys.executable, folder=folder, problem=problem))


def _is_of(folder: Path, version: str, run: Run) -> bool:
    python = folder / "bin" / "python"
    if not python.exists():
        return False
    asked = run([str(python), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"])
    return asked.stdout.strip() == version


def install(folder: Path, requirements: Sequence[Path], progress: Progress) -> None:
    """Install what the requirements pin, each held to its hash, and show how far it is."""
    options = ["--disable-pip-version-check", "--use-pep517", "--require-hashes", "--no-color", "--progress-bar", "off"]
    files = [option for path in requirements for option in ("-r", str(path))]
    command = [str(folder / "bin" / "python"), "-u", "-m", "pip", "install", *options, *files]
    said = []
    with subprocess.Popen(  # noqa: S603 - this module's own words
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        for line in pip.stdout or ():
            said.append(line)
            progress.hear(line)
    progress.end()
    if pip.returncode:
        raise SetUpError(told(folder, requirements, "".join(said)))


def told(folder: Path, requirements: Sequence[Path], said: str) -> str:
    """Return what went wrong, and what to do, from what pip said."""
    if MISMATCH in said:
        return WRONG_HASH.format(folder=folder, requirements=" and ".join(map(str, requirements)))
    text = NO_NETWORK if UNREACHABLE.search(said) else NOT_INSTALLED
    return text.format(folder=folder, problem=last(said))


def last(said: str) -> str:
    """Return the last error in what a tool said, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "error"))]
    return (errors or lines or ["nothing"])[-1]


class Progress:
    """One line that says how far pip is: rewritten on a terminal; elsewhere said at each quarter."""

    def __init__(self, out: TextIO, folder: Path, total: int) -> None:
        self.out, self.folder, self.total = out, folder, total
        self.seen: set[str] = set()
        self.quarters = 0
        self.width = 0

    def hear(self, line: str) -> None:
        """Take in a line that pip says."""
        match = LOOKED_AT.match(line.strip())
        if match:
            self.seen.add(match[1].lower())
            before, self.quarters = self.quarters, 4 * len(self.seen) // self.total
            told = f"{self.folder}: {len(self.seen)} of {self.total} packages ({match[1]})"
            self._say(told, always=self.quarters > before)
        elif line.startswith("Installing collected"):
            self._say(f"{self.folder}: installing {self.total} packages", always=True)
        elif "Retrying" in line:
            self._say(f"{self.folder}: PyPI does not answer; pip tries again", always=True)

    def end(self) -> None:
        """Leave the line."""
        if self.width:
            self.out.write("\r" + " " * self.width + "\r")
            self.out.flush()

    def _say(self, text: str, *, always: bool = False) -> None:
        if self.out.isatty():
            self.out.write("\r" + text.ljust(self.width))
            self.width = max(self.width, len(text))
        elif always:
            self.out.write(f"{text}\n")
        self.out.flush()


def main(arguments: Sequence[str], out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Set up what make asks for."""
    ready, *requirements = map(Path, arguments)
    try:
        set_up(ready, requirements, out)
    except SetUpError as problem:
        err.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        err.write(f"\nStopped: {ready.parent} is not complete. The same make again goes on.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
