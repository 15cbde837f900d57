"""A package for the interpreter that runs, of what is installed for it: for the tests, the demo and the measurements.

It is built once for each state of the code, whoever asks first; the others wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.package import build
from tests.package.archive import zipped
from tests.package.distributions import Distribution, installed
from tests.package.target import here, interpreter

KEPT = build.ROOT / "dist" / "here"
_RECENT = 4  # packages that are kept: somebody may just be reading one


def for_this_interpreter(root: Path = build.ROOT, kept: Path = KEPT) -> Path:
    """Return the package of the code as it is now, for the interpreter that runs; build it if it is not there yet."""
    recipe = Recipe.of(root)
    path = kept / f"{here().cache_tag}-{recipe.digest()[:24]}.zip"
    with alone(kept):
        if not path.exists():
            write(path, recipe.carried_out())
            _forget_old_ones(kept)
    return path


@dataclass(frozen=True)
class Recipe:
    """All that a package is made of, as it was at one time."""

    root: Path
    ours: build.Files
    distributions: tuple[Distribution, ...]

    @classmethod
    def of(cls, root: Path) -> Recipe:
        """Read what there is now."""
        return cls(root, build.own(root), _installed((root / "requirements.txt").read_text(encoding="utf-8")))

    def digest(self) -> str:
        """Return what changes with any of it."""
        compiler = interpreter(here().python)
        return build.digest(self.ours, here(), compiler, *(each.record for each in self.distributions))

    def carried_out(self) -> bytes:
        """Return the package."""
        loaded = build.loaded_by(self.root, self.distributions)
        compiler = interpreter(here().python)
        return zipped(build.contents(self.ours, self.distributions, here(), compiler, loaded).files)


@lru_cache(maxsize=1)
def _installed(requirements: str) -> tuple[Distribution, ...]:
    """Return what is installed; it takes long to read."""
    return tuple(installed(requirements))


def write(path: Path, content: bytes) -> None:
    """Write a file that is never seen in part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


@contextlib.contextmanager
def alone(folder: Path, waits: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Wait until nobody else is at work on a folder, and keep everybody else waiting."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old_ones(kept: Path) -> None:
    for old in sorted(kept.glob("*.zip"), key=lambda path: path.stat().st_mtime)[:-_RECENT]:
        old.unlink(missing_ok=True)
