"""What a package is, as a small table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from zipfile import ZipFile

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tests.package import build

_LARGEST = 6


@dataclass(frozen=True)
class Figures:
    """How large a package is, and why."""

    python: str
    compiled_by: str | None
    zipped: int  # bytes
    unpacked: int
    files: int
    modules: int
    compiled: int
    parts: dict[str, int]  # bytes of the zip, by what they are of
    left_out: dict[str, int]  # files


def figures(archive: ZipFile, size: int, whole: build.Contents, python: str, compiled_by: str | None) -> Figures:
    """Measure a package."""
    parts: Counter[str] = Counter()
    for entry in archive.infolist():
        parts[_part(PurePosixPath(entry.filename))] += entry.compress_size
    unpacked = sum(len(content) for content in whole.files.values())
    count = len(whole.files)
    left_out = dict(whole.left_out)
    return Figures(
        python, compiled_by, size, unpacked, count, whole.modules, whole.compiled, dict(parts.most_common()), left_out
    )


def _part(path: PurePosixPath) -> str:
    return path.parts[1].partition(".")[0] if path.parts[0] == build.PACKAGES else path.parts[0]


def table(found: Figures) -> Group:
    """Show it."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_row("For", f"Python {found.python}, Linux x86_64 (manylinux2014)")
    facts.add_row(
        "Size", f"{_megabytes(found.zipped)} zipped, {_megabytes(found.unpacked)} unpacked, {found.files} files"
    )
    facts.add_row("Byte code", _byte_code(found))
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left_out.items()))
    facts.add_row("Left out", f"{sum(found.left_out.values())} files: {left_out}")
    parts = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    parts.add_column("Largest parts")
    parts.add_column("Zipped", justify="right")
    rows = list(found.parts.items())
    for name, size in rows[:_LARGEST]:
        parts.add_row(Text(name), _megabytes(size))
    if others := rows[_LARGEST:]:
        parts.add_row(f"{len(others)} others", _megabytes(sum(size for _, size in others)))
    return Group(facts, parts)


def advice(found: Figures) -> str | None:
    """Return what would make a package better: a command to be copied stands in no table, which would fold it."""
    if found.compiled_by is not None:
        return None
    return (
        "The package works all the same, but every cold start compiles what it loads, and is slower. "
        f"For byte code: .venv/bin/uv python install {found.python} && make package PYTHON={found.python}"
    )


def _byte_code(found: Figures) -> Text:
    if found.compiled_by is None:
        return Text(f"none: no Python {found.python} was found here", "yellow")
    by = found.compiled_by.split()[0]
    return Text(f"{found.compiled} of {found.modules} modules: what a start loads; compiled by Python {by}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
