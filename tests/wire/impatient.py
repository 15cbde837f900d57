"""The repository's own code and manifest, with one change: a call is waited for a second or less, and not ten.

The time-outs of sockets take real time on the loopback cloud, and a call that is never answered is tried several times.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.installation import PACKAGE, ROOT, require_packages

PATIENCE = "READ_TIMEOUT = timedelta(seconds=10)"
_DEPLOYED = ("functions", "shared")


def manifest(folder: Path, seconds: float = 1) -> Path:
    """Copy what is deployed into a folder, change the time-out, and return the manifest of that."""
    for name in _DEPLOYED:
        shutil.copytree(ROOT / name, folder / name)
    require_packages(folder)
    _replace(folder / "shared" / "openapi.py", PATIENCE, f"READ_TIMEOUT = timedelta(seconds={seconds})")
    path = folder / "s.yaml"
    shutil.copy(ROOT / "s.yaml", path)
    _replace(path, f"code: {PACKAGE}", f"code: {folder}")
    return path


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")
