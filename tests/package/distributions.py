"""What requirements.txt asks for: from an index for another Python, or as it is installed for the one that runs.

Both ways end in the same: the files that each distribution's own RECORD names.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tests.package.target import PLATFORM, PackageError, Target


@dataclass(frozen=True)
class Distribution:
    """One distribution as it lies in a folder."""

    name: str  # canonical
    version: str
    folder: Path  # what its paths start from
    information: str  # the name of its *.dist-info
    paths: tuple[PurePosixPath, ...]
    digests: Mapping[PurePosixPath, str]  # of those that have one
    tags: frozenset[str]  # of the wheel that it came as
    license: str  # what it says of its license

    def content(self, path: PurePosixPath) -> bytes:
        """Return one of its files, as it was installed; what was changed since is nobody's pinned version."""
        content = (self.folder / path).read_bytes()
        if path in self.digests and self.digests[path] != _digest(content):
            msg = f"{self.folder / path} was changed after it was installed; nothing was packed. make clean, and again"
            raise PackageError(msg)
        return content

    @property
    def record(self) -> bytes:
        """The list of its files, with the digest of each."""
        return self.content(PurePosixPath(self.information, "RECORD"))


def installed(requirements: str) -> list[Distribution]:
    """Return what requirements.txt asks for, as it is installed where this runs; in just these versions."""
    wanted = [each for each in _requirements(requirements) if each.marker is None or each.marker.evaluate()]
    names = {canonicalize_name(each.name) for each in wanted}
    here = (each for each in metadata.distributions() if canonicalize_name(each.name) in names)
    have = {each.name: each for each in _all(here)}
    problems: list[str] = []
    found: list[Distribution] = []
    for requirement in wanted:
        distribution = have.get(canonicalize_name(requirement.name))
        if distribution is None:
            problems.append(f"{requirement.name} is not installed")
        elif not requirement.specifier.contains(distribution.version, prereleases=True):
            problems.append(f"{requirement} is asked for, {distribution.version} is installed")
        else:
            found.append(distribution)
    if problems:
        msg = (
            f"what is installed in {sys.prefix} is not what requirements.txt asks for: {'; '.join(problems)}. "
            "Nothing was packed. make clean, and again, installs it anew"
        )
        raise PackageError(msg)
    return found


def downloaded(requirements: Path, target: Target, folder: Path) -> None:
    """Install what requirements.txt asks for into a folder, for another Python; every file is held to its hash."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable]
    command += ["--python-version", target.python, "--python-platform", PLATFORM]
    command += ["--require-hashes", "--no-compile-bytecode", "--link-mode", "copy", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    if done.returncode:
        what = f"{requirements.name} for Python {target.python} on {PLATFORM}"
        advice = "Where a wheel is missing, pin a version that has one (requirements.in, make lock)"
        msg = f"uv could not install {what}; nothing was packed. {advice}. It said:\n{done.stderr.strip()}"
        raise PackageError(msg)


def found_in(folder: Path, target: Target) -> list[Distribution]:
    """Return what is installed in a folder, if all of it runs on the target."""
    found = list(_all(metadata.distributions(path=[str(folder)])))
    check(found, target)
    return found


def check(distributions: Iterable[Distribution], target: Target) -> None:
    """Refuse what was built for this machine where a wheel for the target was missing, and what does not load there."""
    problems = [problem for each in distributions for problem in _misfits(each, target)]
    if problems:
        msg = (
            f"not for Python {target.python} on {PLATFORM}: {'; '.join(problems)}. Nothing was packed. "
            "Pin versions that have a wheel for it: https://pypi.org/project/<name>/#files"
        )
        raise PackageError(msg)


def _misfits(distribution: Distribution, target: Target) -> Iterator[str]:
    what = f"{distribution.name} {distribution.version}"
    if target.wheels is not None and not distribution.tags & target.wheels:
        said = ", ".join(sorted(distribution.tags)) or "no wheel"
        yield f"{what} was built here, as {said}"
    for path in distribution.paths:
        ending = "".join(path.name.partition(".")[1:])
        if path.suffix in {".so", ".pyd", ".dylib"} and ending not in target.extensions:
            yield f"{what} has {path}"


def _digest(content: bytes) -> str:
    """Return a digest as RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _requirements(text: str) -> Iterator[Requirement]:
    for line in text.replace("\\\n", " ").splitlines():
        wanted = line.partition("#")[0].partition(" --hash")[0].strip()
        if wanted and not wanted.startswith("-"):
            try:
                yield Requirement(wanted)
            except InvalidRequirement as problem:
                msg = f"requirements.txt: {wanted!r} is not understood: {problem}. Nothing was packed: make lock"
                raise PackageError(msg) from None


def _all(found: Iterable[metadata.Distribution]) -> Iterator[Distribution]:
    for each in found:
        files = list(each.files or ())
        paths = tuple(map(PurePosixPath, files))
        information = next((path.parts[0] for path in paths if path.parts[0].endswith(".dist-info")), None)
        if information is None:
            continue  # what has no RECORD was not installed by a tool of today
        lines = (each.read_text("WHEEL") or "").splitlines()
        tags = frozenset(line.partition(":")[2].strip() for line in lines if line.startswith("Tag:"))
        about = each.metadata.json  # of a METADATA without such a line, indexing it is about to become an error
        said = str(about.get("license_expression") or about.get("license") or "")
        yield Distribution(
            canonicalize_name(each.metadata["Name"]),
            each.version,
            Path(str(each.locate_file(""))),
            information,
            paths,
            {path: file.hash.value for path, file in zip(paths, files, strict=True) if file.hash is not None},
            tags,
            said.partition("\n")[0].strip() or "not stated",
        )
