"""What is not deployed of the distributions, and why. No module is left out that something could import.

tests/package/test_pruning.py holds the reasons to what is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

# Whose *.dist-info is read by its own modules, and what of it (importlib.metadata reads no more).
READ = {
    "apscheduler": ("METADATA", "entry_points.txt"),  # its version; the names by which its triggers are found
    "attrs": ("METADATA",),  # attr.__version__
    "markupsafe": ("METADATA",),  # markupsafe.__version__
}
LICENSES = ("license", "licence", "copying", "notice", "authors")  # how the names of such files begin

# Compiled doubles of modules in Python, for a speed that only the asynchronous calls have use for, and nobody makes
# them. Each is imported by a module that takes the one in Python where it is missing.
ACCELERATORS = frozenset(
    {
        "aiohttp/_http_parser",
        "aiohttp/_http_writer",
        "aiohttp/_websocket/mask",
        "aiohttp/_websocket/reader_c",
        "charset_normalizer/cd",
        "charset_normalizer/md",
        "frozenlist/_frozenlist",
        "multidict/_multidict",
        "propcache/_helpers_c",
        "yarl/_quoting_c",
    }
)

_TESTS = frozenset({"tests", "test", "testing"})


@dataclass(frozen=True)
class Kind:
    """Files that are left out."""

    name: str
    reason: str
    has: Callable[[PurePosixPath], bool]


KINDS = (
    Kind("commands", "nobody gives a function a command", lambda path: path.parts[0] in {"..", "bin"}),
    Kind(
        "caches",
        "of another interpreter; byte code is compiled anew, for the target",
        lambda path: path.suffix == ".pyc",
    ),
    Kind(
        "tests",
        "nothing but them imports them",
        lambda path: not _TESTS.isdisjoint(path.parts[:-1]) or path.name.startswith("_testcapi."),
    ),
    Kind(
        "sources of compiled modules",
        "the compiled module is there, and there is no compiler",
        lambda path: path.suffix in {".c", ".h", ".pyx", ".pxd", ".pxi"},
    ),
    Kind(
        "accelerators",
        "the same in Python is there, and fast enough for what is never called",
        lambda path: path.suffix == ".so" and str(path.with_name(path.name.partition(".")[0])) in ACCELERATORS,
    ),
    Kind("types", "only type checkers read them", lambda path: path.suffix == ".pyi" or path.name == "py.typed"),
)


def kind(path: PurePosixPath) -> Kind | None:
    """Return why a file is left out, or None if it is deployed; of a *.dist-info, `information` decides."""
    return next((each for each in KINDS if each.has(path)), None)


def information(distribution: str, path: PurePosixPath) -> bool:
    """Tell whether a file of a distribution's *.dist-info is deployed."""
    return str(path.relative_to(path.parts[0])) in READ.get(distribution, ())


def licensing(path: PurePosixPath) -> bool:
    """Tell whether a file of a *.dist-info is the text of a license, or belongs to it."""
    return path.name.lower().startswith(LICENSES) and path.suffix != ".py"
