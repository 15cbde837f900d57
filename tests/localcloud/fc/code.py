"""The folder that a function runs from: a copy of the folder that `code:` names, or the zip that it names, unpacked.

Sources: of a folder, Serverless Devs leaves out what .fcignore names, in the syntax of .gitignore; a zip it uploads as
it is (fc3 component). Nothing is installed here: a folder that requires distributions must have them, in
`<code>/python`, where `s build` puts them; a link there will do.
"""

from __future__ import annotations

import atexit
import compileall
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pathspec

from tests.localcloud.fc.functions import FunctionRefusedError

CODE_PATH = "/code"  # where a function believes to be
PACKAGES = "python"  # within it
_COMPILED = (".so", ".pyd", ".dylib")


class CodeFolder:
    """A deployed copy, read-only."""

    def __init__(self, source: Path) -> None:
        self._temporary: Path | None = None
        if source.is_file():
            self.path = unpacked(source)
            return
        self._temporary = Path(tempfile.mkdtemp(prefix="localcloud-code-"))
        self.path = self._temporary / "code"
        try:
            _copy(source, self.path)
            _check_complete(source)
            _compile(self.path)
            _protect(self.path)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Delete it; what a zip was unpacked into stays for others, until this process ends."""
        if self._temporary is not None:
            _remove(self._temporary)

    def located(self, search_path: str) -> str:
        """Return a PYTHONPATH in which what lies in /code is said to lie where it really does."""
        return os.pathsep.join(self._located(each) for each in search_path.split(os.pathsep) if each)

    def _located(self, place: str) -> str:
        inside = place == CODE_PATH or place.startswith(f"{CODE_PATH}/")
        return str(self.path) + place.removeprefix(CODE_PATH) if inside else place


class _Unpacked:
    """What zips were unpacked into, one folder for each content."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def folder(self, archive: Path) -> Path:
        content = hashlib.sha256(archive.read_bytes()).hexdigest()
        with self._lock:
            if content not in self._folders:
                temporary = Path(tempfile.mkdtemp(prefix="localcloud-code-"))
                atexit.register(_remove, temporary)
                _unpack(archive, temporary / "code")
                self._folders[content] = temporary / "code"
            return self._folders[content]


def unpacked(archive: Path) -> Path:
    """Return a read-only folder with the content of a zip, the same as long as this process runs.

    Nothing is compiled: what the zip has no byte code for is compiled by each instance, as it is on Function Compute.
    """
    return _UNPACKED.folder(archive)


_UNPACKED = _Unpacked()


def _unpack(archive: Path, target: Path) -> None:
    target.mkdir()
    try:
        with zipfile.ZipFile(archive) as files:
            for entry in files.infolist():
                content = b"" if entry.is_dir() else files.read(entry)
                _check_fit(archive, entry.filename, content)
                files.extract(entry, target)
    except zipfile.BadZipFile as problem:
        msg = f"code {str(archive)!r} cannot be unpacked: {problem}"
        raise FunctionRefusedError(msg) from None
    _protect(target)


def _check_fit(archive: Path, name: str, content: bytes) -> None:
    """Refuse what this interpreter would fail to load, long after and less clearly."""
    ending = "".join(name.rpartition("/")[2].partition(".")[1:])
    foreign = name.endswith(_COMPILED) and ending not in importlib.machinery.EXTENSION_SUFFIXES
    foreign = foreign or (name.endswith(".pyc") and not content.startswith(importlib.util.MAGIC_NUMBER))
    if foreign:
        msg = (
            f"code {str(archive)!r} is for another Python: {name} is not for {sys.implementation.cache_tag}, which "
            "runs the functions here. Run this with that Python, or name a package for this one: "
            "tests.package.for_this_interpreter() builds the project's"
        )
        raise FunctionRefusedError(msg)


def _check_complete(source: Path) -> None:
    if (source / "requirements.txt").is_file() and not (source / PACKAGES).exists():
        msg = (
            f"code {str(source)!r} has a requirements.txt and no {PACKAGES}/, and nothing is installed here: "
            f"in that folder, pip install -t {PACKAGES} -r requirements.txt"
        )
        raise FunctionRefusedError(msg)


def _copy(source: Path, target: Path) -> None:
    ignored = _ignored(source)
    target.mkdir()
    for at, folders, files in os.walk(source):
        here = Path(at).relative_to(source)
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        for name in folders:
            if (source / here / name).is_symlink():  # read-only already, and compiled, or it would not be shared
                (target / here / name).symlink_to((source / here / name).resolve())
            else:
                (target / here / name).mkdir()
        for name in files:
            if not ignored.match_file(str(here / name)):
                shutil.copyfile(source / here / name, target / here / name)


def _ignored(source: Path) -> pathspec.GitIgnoreSpec:
    listed = source / ".fcignore"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    return pathspec.GitIgnoreSpec.from_lines([*lines, ".fcignore", "__pycache__/"])


def _compile(folder: Path) -> None:
    """Compile what was copied, once for all instances; what does not compile fails when it is imported."""
    compileall.compile_dir(folder, maxlevels=_depth(folder), quiet=2)


def _depth(folder: Path) -> int:
    return max(len(each.relative_to(folder).parts) for each in _folders(folder))


def _folders(top: Path) -> Iterator[Path]:
    """Yield a folder and those in it, outermost first."""
    for at, _, _ in os.walk(top):
        yield Path(at)


def _protect(folder: Path) -> None:
    for at, _, files in os.walk(folder):
        for name in files:
            Path(at, name).chmod(0o444)
        Path(at).chmod(0o555)


def _remove(folder: Path) -> None:
    for each in _folders(folder):
        each.chmod(0o700)
    shutil.rmtree(folder)
