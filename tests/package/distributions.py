"""What requirements.txt asks for: from an index for another Python, or as it is installed for the one that runs.

Both ways end in the same: the files that each distribution's own RECORD names.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tests.package.target import PLATFORM, PackageError, Target, here


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
        try:
            content = (self.folder / path).read_bytes()
        except OSError as problem:
            what = f"{self.folder / path} was installed and cannot be read ({problem.strerror})"
            msg = f"{what}; nothing was packed. make clean, and again"
            raise PackageError(msg) from None
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
    return _wanted(requirements, metadata.distributions(), here(), sys.prefix)


def _wanted(
    requirements: str, found: Iterable[metadata.Distribution], target: Target, where: str
) -> list[Distribution]:
    """Return those that requirements.txt asks for; all of them, and in just these versions."""
    markers = target.markers()
    asked = [each for each in _requirements(requirements) if each.marker is None or each.marker.evaluate(markers)]
    names = {canonicalize_name(each.name) for each in asked}
    whole = (each for each in found if each.read_text("METADATA") is not None)  # a name is in there
    have = {each.name: each for each in _all(each for each in whole if canonicalize_name(each.name) in names)}
    problems: list[str] = []
    for requirement in asked:
        distribution = have.get(canonicalize_name(requirement.name))
        if distribution is None:
            problems.append(f"{requirement.name} is not installed")
        elif not requirement.specifier.contains(distribution.version, prereleases=True):
            problems.append(f"{requirement} is asked for, {distribution.version} is installed")
    if problems:
        msg = (
            f"what is installed in {where} is not what requirements.txt asks for: {'; '.join(problems)}. "
            "Nothing was packed. make clean, and again, installs it anew"
        )
        raise PackageError(msg)
    return [have[canonicalize_name(each.name)] for each in asked]


def downloaded(requirements: Path, target: Target, folder: Path) -> None:
    """Install what requirements.txt asks for into a folder, for another Python; every file is held to its hash."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable]
    command += ["--python-version", target.python, "--python-platform", PLATFORM]
    command += ["--require-hashes", "--no-compile-bytecode", "--link-mode", "copy", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    if done.returncode:
        msg = (
            f"{done.stderr.strip() or 'uv failed and did not say why'}\n"
            f"So uv could not install {requirements.name} for Python {target.python} on {PLATFORM}. Nothing was "
            "packed. It needs the network where it has not had the wheels before; where a wheel is missing, pin a "
            "version that has it (requirements.in, make lock)"
        )
        raise PackageError(msg)


def found_in(folder: Path, target: Target, requirements: str) -> list[Distribution]:
    """Return what is installed in a folder, if it is what requirements.txt asks for and runs on the target."""
    found = _wanted(requirements, metadata.distributions(path=[str(folder)]), target, str(folder))
    check(found, target)
    return found


def check(distributions: Iterable[Distribution], target: Target) -> None:
    """Refuse what was built for this machine where a wheel for the target was missing, and what does not load there."""
    problems = [problem for each in distributions for problem in _misfits(each, target)]
    if problems:
        msg = (
            f"not for Python {target.python} on {PLATFORM}: {'; '.join(problems)}. Nothing was packed. "
            "Pin versions that have a wheel for it; the files of each are listed on its PyPI page"
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
        # Not each.files: of late, that passes over the files that are missing.
        files = {
            PurePosixPath(row[0]): row[1] for row in csv.reader((each.read_text("RECORD") or "").splitlines()) if row
        }
        information = next((path.parts[0] for path in files if path.parts[0].endswith(".dist-info")), None)
        if information is None:
            continue  # what has no RECORD was not installed by a tool of today, or is not there any more
        lines = (each.read_text("WHEEL") or "").splitlines()
        tags = frozenset(line.partition(":")[2].strip() for line in lines if line.startswith("Tag:"))
        yield Distribution(
            canonicalize_name(each.metadata["Name"]),
            each.version,
            Path(str(each.locate_file(""))),
            information,
            tuple(files),
            {path: digest.removeprefix("sha256=") for path, digest in files.items() if digest},
            tags,
            _license(each.metadata.json),
        )


def _license(about: Mapping[str, Any]) -> str:
    """Return what a distribution says of its license: in a field of its own, or else by its classifiers."""
    said = str(about.get("license_expression") or about.get("license") or "").strip().partition("\n")[0].strip()
    classified = [each.rpartition(" :: ")[2] for each in about.get("classifier", ()) if each.startswith("License :: ")]
    return said or ", ".join(classified) or "not stated"
