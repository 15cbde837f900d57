"""The folder that a function runs from: a copy of what `code:` names, and what `s build` would have added to it.

Sources: Serverless Devs leaves out what .fcignore names, in the syntax of .gitignore; `s build` installs the code
folder's requirements.txt into `<code>/python` (fc3 component). Here nothing is downloaded: the distributions are those
of the environment that runs the cloud, linked, and what requirements.txt does not name is not to be found.
"""

from __future__ import annotations

import compileall
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path

import pathspec
from packaging.requirements import InvalidRequirement, Requirement

from tests.localcloud.fc.functions import FunctionRefusedError

CODE_PATH = "/code"  # where a function believes to be
PACKAGES = "python"  # within it
_BUILT_IN_ENVIRONMENT = frozenset({"__pycache__", ".."})  # compiled files, scripts: not to be linked


class CodeFolder:
    """A deployed copy, read-only."""

    def __init__(self, source: Path) -> None:
        self._temporary = Path(tempfile.mkdtemp(prefix="localcloud-code-"))
        self.path = self._temporary / "code"
        try:
            _copy(source, self.path)
            requirements = self.path / "requirements.txt"
            if requirements.is_file() and not (self.path / PACKAGES).exists():
                _link(_required(requirements), self.path / PACKAGES)
            _compile(self.path)
            _protect(self.path)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Delete it."""
        for folder in _folders(self._temporary):
            folder.chmod(0o700)
        shutil.rmtree(self._temporary)

    def located(self, search_path: str) -> str:
        """Return a PYTHONPATH in which what lies in /code is said to lie where it really does."""
        return os.pathsep.join(self._located(each) for each in search_path.split(os.pathsep) if each)

    def _located(self, place: str) -> str:
        inside = place == CODE_PATH or place.startswith(f"{CODE_PATH}/")
        return str(self.path) + place.removeprefix(CODE_PATH) if inside else place


def _copy(source: Path, target: Path) -> None:
    ignored = _ignored(source)
    target.mkdir()
    for at, folders, files in os.walk(source):
        here = Path(at).relative_to(source)
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        for name in folders:
            (target / here / name).mkdir()
        for name in files:
            if not ignored.match_file(str(here / name)):
                shutil.copyfile(source / here / name, target / here / name)


def _ignored(source: Path) -> pathspec.GitIgnoreSpec:
    listed = source / ".fcignore"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    return pathspec.GitIgnoreSpec.from_lines([*lines, ".fcignore", "__pycache__/"])


@dataclass(frozen=True)
class _Installed:
    """A distribution of the environment that runs the cloud."""

    version: str
    folder: Path  # site-packages
    files: tuple[metadata.PackagePath, ...]

    @classmethod
    def of(cls, distribution: metadata.Distribution) -> _Installed:
        """Read what a distribution says of itself."""
        return cls(distribution.version, Path(str(distribution.locate_file(""))), tuple(distribution.files or ()))

    @property
    def names(self) -> set[str]:
        """The names in site-packages under which it brought something."""
        return {file.parts[0] for file in self.files} - _BUILT_IN_ENVIRONMENT


@cache
def _installed(name: str) -> _Installed:
    """Return a distribution. It is asked for at each deployment, and takes long to read."""
    return _Installed.of(metadata.distribution(name))


def _required(requirements: Path) -> list[_Installed]:
    """Return the installed distributions that requirements.txt asks for, in just these versions."""
    wanted = [each for each in _requirements(requirements) if each.marker is None or each.marker.evaluate()]
    found: list[_Installed] = []
    problems: list[str] = []
    for requirement in wanted:
        try:
            distribution = _installed(requirement.name)
        except metadata.PackageNotFoundError:
            problems.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(distribution.version, prereleases=True):
            problems.append(f"{requirement} is asked for, {distribution.version} is installed")
        found.append(distribution)
    if problems:
        msg = f"{requirements.name}: {'; '.join(problems)}"
        raise FunctionRefusedError(msg)
    return found


def _requirements(requirements: Path) -> Iterator[Requirement]:
    text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        wanted = line.partition("#")[0].partition(" --hash")[0].strip()
        if wanted and not wanted.startswith("-"):
            try:
                yield Requirement(wanted)
            except InvalidRequirement as problem:
                msg = f"{requirements.name}: {wanted!r} is not understood: {problem}"
                raise FunctionRefusedError(msg) from None


def _link(distributions: list[_Installed], packages: Path) -> None:
    """Link what the distributions brought; file by file where a folder also holds what others brought."""
    packages.mkdir()
    shared = _shared_folders()
    for each in distributions:
        for name in each.names - shared:
            (packages / name).symlink_to(each.folder / name)
        for file in each.files:
            if file.parts[0] in shared:
                link = packages / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(each.folder / file)


@lru_cache(maxsize=1)
def _shared_folders() -> frozenset[str]:
    """Return the names in site-packages that several distributions have put files into."""
    owners = Counter(name for each in metadata.distributions() for name in _Installed.of(each).names)
    return frozenset(name for name, count in owners.items() if count > 1)


def _compile(folder: Path) -> None:
    """Compile what was copied, once for all instances; what does not compile fails when it is imported."""
    compileall.compile_dir(folder, maxlevels=_depth(folder), quiet=2, rx=_LinkedPackages(folder / PACKAGES))


class _LinkedPackages:
    """Stands in for a pattern: what is linked was compiled when it was installed."""

    def __init__(self, packages: Path) -> None:
        self._prefix = f"{packages}{os.sep}"

    def search(self, path: str) -> bool:
        return path.startswith(self._prefix)


def _depth(folder: Path) -> int:
    return max(len(each.relative_to(folder).parts) for each in _folders(folder))


def _folders(top: Path) -> Iterator[Path]:
    """Yield a folder and those in it, outermost first; what is behind a link is not in it."""
    for at, _, _ in os.walk(top):
        yield Path(at)


def _protect(folder: Path) -> None:
    for at, _, files in os.walk(folder):
        for name in files:
            file = Path(at, name)
            if not file.is_symlink():
                file.chmod(0o444)
        Path(at).chmod(0o555)
