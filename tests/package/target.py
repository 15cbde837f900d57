"""What a package is built for: a Python version, and what may be compiled for where it runs."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
# What is called may be a shim of a version manager, and need the environment that byte code is compiled without. So it
# is asked for the interpreter's own path.
_ASK = (
    "import json, sys; print(json.dumps([sys.implementation.name, *sys.version_info[:4], sys.version, sys.executable]))"
)
_SECONDS = 30.0  # that an interpreter may take for its answer


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

    def markers(self) -> dict[str, str]:
        """Return what the markers of requirements mean there, where that is not what they mean here."""
        if self.wheels is None:
            return {}
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


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
    return next((found for path in candidates(python) if (found := asked(path, python))), None)


def asked(path: Path, python: str, seconds: float = _SECONDS) -> Interpreter | None:
    """Return the interpreter that a command is, if it is a released CPython of a version."""
    said = _said([str(path), "-S", "-c", _ASK], seconds)
    try:
        name, major, minor, _, level, told, executable = json.loads((said.splitlines() or [""])[-1])
    except (ValueError, TypeError):
        return None
    if (name, f"{major}.{minor}", level) != ("cpython", python, "final"):
        return None
    return Interpreter(Path(executable or path), told.replace("\n", " "))


def _said(command: Sequence[str], seconds: float = _SECONDS) -> str:
    """Return what a command prints; nothing if there is none, it fails, or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - found here
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def candidates(python: str) -> Iterator[Path]:
    """Yield what may be an interpreter of a version: what its name means, then the latest of what is installed."""
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(pyenv.glob(f"versions/{python}.*/bin/python"), key=_numbers, reverse=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        found = _said([uv, "python", "find", "--no-python-downloads", "--no-project", python])
        if found:
            yield Path(found)


def _numbers(path: Path) -> list[int]:
    """Return what to sort versions by: 3.10.14 comes after 3.10.9."""
    return [int(number) for number in re.findall(r"\d+", path.parents[1].name)]
