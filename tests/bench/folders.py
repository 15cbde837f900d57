"""What the contestants run from, built under dist/bench from what is installed already: nothing is downloaded.

A plain install has exactly the files that pip would put there with `--target`: each distribution says in its RECORD
which these are. They are copied from the environment that runs the benchmark, so everybody runs the same versions on
the same interpreter, and it works without a network. Byte code is made as pip makes it; where there shall be none, the
folder is read-only, as Function Compute's is, and an instance is told not to write any: root may write everywhere.
"""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist" / "bench"
SDKS = ("alibabacloud-cloudsso20210515", "alibabacloud-kms20160120")
BOTO3 = DIST / "boto3"  # `make bench` installs it there, from requirements.txt beside this file
_HERE = Path(__file__).parent


def plain_install(name: str, requirements: Iterable[str], *, byte_code: bool) -> Path:
    """Return a folder with distributions and everything that they need; it is built anew if versions have changed."""
    wanted = sorted(with_what_they_need(requirements).values(), key=lambda each: str(each.metadata["Name"]))
    state = "\n".join([sys.version, *(f"{each.metadata['Name']}=={each.version}" for each in wanted)])
    folder, stamp = DIST / name, DIST / f"{name}.txt"
    if folder.is_dir() and stamp.is_file() and stamp.read_text(encoding="utf-8") == state:
        return folder
    stamp.unlink(missing_ok=True)
    _remove(folder)
    folder.mkdir(parents=True)
    for each in wanted:
        _copy(each, folder)
    if byte_code:
        compileall.compile_dir(folder, quiet=2)  # what does not compile is the distribution's own business
    else:
        _protect(folder)
    stamp.write_text(state, encoding="utf-8")
    return folder


def with_what_they_need(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return installed distributions by name, complete."""
    found: dict[str, metadata.Distribution] = {}
    left = list(names)
    while left:
        name = canonicalize_name(left.pop())
        if name not in found:
            found[name] = metadata.distribution(name)
            required = map(Requirement, found[name].requires or [])
            left += [each.name for each in required if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def script(name: str) -> Path:
    """Return a code folder with nothing in it but one of the functions beside this file.

    Tests run in several processes: the file is there as a whole, or not at all.
    """
    folder = DIST / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = DIST / f"{name}-{os.getpid()}.py"
    shutil.copyfile(_HERE / f"{name}.py", unfinished)
    unfinished.replace(folder / f"{name}.py")
    return folder


def zipped_bytes(folder: Path, *, byte_code: bool) -> int:
    """Return how large a folder is once it is zipped as zip does by itself."""
    target = DIST / "size.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (byte_code or path.suffix != ".pyc"):
                archive.write(path, path.relative_to(folder))
    size = target.stat().st_size
    target.unlink()
    return size


def _copy(distribution: metadata.Distribution, folder: Path) -> None:
    for file in distribution.files or []:
        if ".." in file.parts or "__pycache__" in file.parts:  # scripts; what is compiled is compiled anew
            continue
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(file.locate()), target)


def _protect(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)
