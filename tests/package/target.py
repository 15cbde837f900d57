"""What a package is built for: a Python version, and what may be compiled for where it runs."""

from __future__ import annotations

import importlib.machinery
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging import tags

# The oldest that every pinned wheel offers. It needs glibc 2.17; the runtimes' images are Debians with a newer one.
PLATFORM = "x86_64-manylinux2014"
_PLATFORMS = (
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
)
VERSIONS = ("3.10", "3.12")  # of Function Compute's Python runtimes that the functions run on
_ASK = "import sys; print(sys.implementation.name, *sys.version_info[:4], sys.version.replace(chr(10), ' '))"


class PackageError(Exception):
    """Nothing was packed; the message says why, and what to do."""


@dataclass(frozen=True)
class Target:
    """A version of CPython, and what of distributions it can load there."""

    python: str  # "3.10"
    extensions: tuple[str, ...]  # what follows the first dot in the names of its compiled modules, and the dot
    wheels: frozenset[str] | None  # the tags of wheels that run there; None: those that are installed here do

    @property
    def cache_tag(self) -> str:
        """The tag in the names of its byte code's files."""
        return f"cpython-{self.python.replace('.', '')}"


def runtime(python: str) -> Target:
    """Return Function Compute's runtime of a version, on its x86_64 instances."""
    if python not in VERSIONS:
        known = " and ".join(VERSIONS)
        msg = f"the functions run on the runtimes of Python {known}, not {python}: make package PYTHON={VERSIONS[0]}"
        raise PackageError(msg)
    major, minor = map(int, python.split("."))
    supported = [
        *tags.cpython_tags((major, minor), platforms=_PLATFORMS),
        *tags.compatible_tags((major, minor), f"cp{major}{minor}", _PLATFORMS),
    ]
    wheels = frozenset(map(str, supported))
    return Target(python, (f".cpython-{major}{minor}-x86_64-linux-gnu.so", ".abi3.so"), wheels)


def here() -> Target:
    """Return the interpreter that runs, on this machine."""
    return Target(version(), tuple(importlib.machinery.EXTENSION_SUFFIXES), None)


def version() -> str:
    """Return the version of the interpreter that runs, as a target's."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Interpreter:
    """A CPython that can compile for a target."""

    path: Path
    version: str  # all that it says of itself


def interpreter(python: str) -> Interpreter | None:
    """Return an interpreter of a version, released and not a preview, or None if this machine has none."""
    if python == version() and sys.version_info.releaselevel == "final":
        return Interpreter(Path(sys.executable), sys.version.replace("\n", " "))
    for path in _candidates(python):
        try:
            done = subprocess.run([path, "-S", "-c", _ASK], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - found above
        except OSError:
            continue
        name, _, told = done.stdout.strip().partition(" ")
        numbers = told.split(" ", 4)
        if done.returncode == 0 and name == "cpython" and ".".join(numbers[:2]) == python and numbers[3] == "final":
            return Interpreter(path, numbers[4])
    return None


def _candidates(python: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(pyenv.glob(f"versions/{python}.*/bin/python"), reverse=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        command = [uv, "python", "find", "--no-python-downloads", "--no-project", python]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed
        if found:
            yield Path(found)
