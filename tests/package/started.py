"""Which modules a start of the functions loads, up to the first answer: those that are deployed as byte code.

The others are deployed as their source. It is smaller, and nobody waits for it to be compiled: what is never loaded
costs only its size. Found out by starting the functions here, against a loopback cloud, with the interpreter that runs:
which modules are imported is the code's business and not the version's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.server import ADMIN_POLICY, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.package.distributions import Distribution
from tests.package.target import PackageError

_SCRIPT = Path(__file__).with_name("loading.py")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "HOME")
_ROTATOR = Target("reset-password")
_PAGE = (
    '{"version": "v1", "rawPath": "/", "body": "", "headers": {}, "isBase64Encoded": false, "queryParameters": {}, '
    '"requestContext": {"http": {"method": "GET"}}}'
)
_OLD_ROTATOR = Target("reset-password", service="rotation")  # as Function Compute 2.0 has functions


@dataclass(frozen=True)
class Start:
    """A function, its first event, and what it hands on to."""

    module: str
    event: str
    rotator: Target = _ROTATOR


STARTS = (
    Start("functions.reset_password.index", '{"UserName": "alice"}'),
    Start("functions.scan_expiring.index", "{}"),
    Start("functions.scan_expiring.index", "{}", _OLD_ROTATOR),
    Start("functions.rotation_status.index", '{"Doctor": true}'),
    Start("functions.rotation_status.index", _PAGE),
)


def modules(
    root: Path, python: Path = Path(sys.executable), packages: Path | None = None, starts: Sequence[Start] = STARTS
) -> frozenset[Path]:
    """Return the sources of the modules that the functions of a folder load until they have answered once.

    `packages` are what they find besides the standard library; by default, what is installed for the interpreter.
    """
    with LocalCloud() as cloud, tempfile.TemporaryDirectory(prefix="package-") as folder:
        Path(folder, "index.py").write_text("def handler(event, context):\n    return ''\n", encoding="utf-8")
        for each in (_ROTATOR, _OLD_ROTATOR):
            cloud.fc.deploy(FunctionSpec(each.function, Path(folder), "index.handler", service=each.service))
        for name in ("alice", "bob"):  # one to be rotated, one to be handed on
            cloud.cloudsso.add_user(name)
        settings = _settings(cloud, packages)
        command = [str(python), *(["-S", "-s"] if packages else []), "-B", "-c", _SCRIPT.read_text(encoding="utf-8")]
        return frozenset().union(*(_loaded(command, start, settings, root) for start in starts))


def _loaded(command: Sequence[str], start: Start, settings: dict[str, str], root: Path) -> frozenset[Path]:
    rotator = start.rotator
    target = f"{rotator.service}/{rotator.function}" if rotator.service else rotator.function
    done = subprocess.run(  # noqa: S603 - an interpreter, of the caller
        [*command, start.module, start.event],
        cwd=root,
        env={**settings, "ROTATION_FUNCTION": target},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        loaded = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (ValueError, IndexError):  # it ended by itself
        loaded = None
    if loaded is None:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        msg = (
            f"{start.module} could not be started and answer {start.event}, to see what it loads; nothing was packed. "
            f"Python said: {said}"
        )
        raise PackageError(msg)
    return frozenset(map(Path, loaded))


def _settings(cloud: LocalCloud, packages: Path | None) -> dict[str, str]:
    """Return what the functions need to find a cloud and to be let in; the rest has defaults."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    if packages is not None:
        inherited["PYTHONPATH"] = str(packages)
    who = cloud.role("package", ADMIN_POLICY)
    endpoint = f"http://{cloud.endpoint}"
    return {
        **inherited,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": who.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": who.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": who.security_token or "",
        "CLOUDSSO_DIRECTORY_ID": cloud.cloudsso.directory_id,
        "CLOUDSSO_ENDPOINT": endpoint,
        "CLOUDSSO_REGION": DIRECTORY_REGION,
        "FC_REGION": FC_REGION,
        "KMS_ENDPOINT": endpoint,
        "KMS_REGION": KMS_REGION,
        "ONBOARD": "all",  # so that there is somebody to hand on
        "ROTATION_ENDPOINT": endpoint,
    }


def of(loaded: Iterable[Path], installed: Iterable[Distribution]) -> frozenset[PurePosixPath]:
    """Return the paths of modules within the distributions that they belong to."""
    folders = {str(each.folder.resolve()) for each in installed}
    found = set()
    for file in loaded:
        for folder in folders:
            if file.resolve().is_relative_to(folder):
                found.add(PurePosixPath(file.resolve().relative_to(folder).as_posix()))
    return frozenset(found)
