"""Which modules a start of the functions loads: those that are deployed as byte code.

The others are deployed as their source. It is smaller, and nobody waits for it to be compiled: what is never loaded
costs only its size. Found out by starting the functions here, without a cloud, by the interpreter that runs: which
modules are imported is the code's business and not the version's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tests.package.distributions import Distribution
from tests.package.target import PackageError

_SCRIPT = Path(__file__).with_name("loading.py")
# Every setting without a default; what is said of a region or an id is not looked at before an event comes.
_SETTINGS = {
    "CLOUDSSO_DIRECTORY_ID": "d-1",
    "CLOUDSSO_REGION": "cn-shanghai",
    "KMS_REGION": "cn-shanghai",
    "ROTATION_FUNCTION": "reset-password",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "token",
}
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "HOME")


def modules(root: Path) -> frozenset[Path]:
    """Return the files of the modules that the functions of a folder load when they are started."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    done = subprocess.run(  # noqa: S603 - the interpreter that runs
        [sys.executable, "-B", "-c", _SCRIPT.read_text(encoding="utf-8")],
        cwd=root,
        env={**inherited, **_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        msg = f"the functions could not be started to see what they load; nothing was packed. Python said: {said}"
        raise PackageError(msg)
    return frozenset(map(Path, json.loads(done.stdout.splitlines()[-1])))


def of(loaded: Iterable[Path], installed: Iterable[Distribution]) -> frozenset[PurePosixPath]:
    """Return the paths of modules within the distributions that they belong to."""
    folders = {str(each.folder.resolve()) for each in installed}
    found = set()
    for file in loaded:
        for folder in folders:
            if file.resolve().is_relative_to(folder):
                found.add(PurePosixPath(file.resolve().relative_to(folder).as_posix()))
    return frozenset(found)
