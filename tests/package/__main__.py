"""`make package`: builds dist/code.zip for a runtime of Function Compute, which s.yaml deploys."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console

from tests.package import build, report
from tests.package.archive import zipped
from tests.package.distributions import Distribution, downloaded, found_in, installed
from tests.package.local import write
from tests.package.target import VERSIONS, Interpreter, PackageError, Target, interpreter, runtime

PACKAGE = build.ROOT / "dist" / "code.zip"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build it, unless it is there."""
    parser = argparse.ArgumentParser(prog="make package", description="Build the package that s.yaml deploys.")
    parser.add_argument("--python", default=VERSIONS[0], help="the runtime's version: make package PYTHON=3.10")
    parser.add_argument("--output", type=Path, default=PACKAGE, help="the zip to write")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    try:
        found, new = make(options.python, options.output)
    except PackageError as problem:
        Console(stderr=True, highlight=False).print(f"[red]No package:[/red] {problem}")
        return 1
    where = options.output.relative_to(build.ROOT) if options.output.is_relative_to(build.ROOT) else options.output
    console.print(f"[green]{where}[/green] " + ("is built." if new else "is up to date."))
    console.print(report.table(found))
    return 0


@dataclass(frozen=True)
class Means:
    """How the parts of a package are come by; tests have others."""

    fetch: Callable[[Path, Target, Path], object] = downloaded
    find: Callable[[str], Interpreter | None] = interpreter
    start: Callable[[Path, Sequence[Distribution]], frozenset[PurePosixPath]] = build.loaded_by


def make(python: str, output: Path, root: Path = build.ROOT, means: Means = Means()) -> tuple[report.Figures, bool]:
    """Build a package of a folder's code; return its figures, and whether it was not there before."""
    target = runtime(python)
    compiler = means.find(target.python)
    ours = build.own(root)
    requirements = root / "requirements.txt"
    digest = build.digest(ours, target, compiler, requirements.read_bytes())
    notes = output.with_suffix(".json")  # what it was built of
    same = _same(notes, output, digest)
    if same is not None:
        return same, False
    installed_here = installed(requirements.read_text(encoding="utf-8"))
    distributions = kept(requirements, target, output.parent / f"python{python}", means.fetch)
    known = {each.name for each in installed_here}
    unknown = (each for each in distributions if each.name not in known)  # for another version: who knows what loads it
    loaded = means.start(root, installed_here).union(*(each.paths for each in unknown))
    whole = build.contents(ours, distributions, target, compiler, loaded)
    content = zipped(whole.files)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = report.figures(archive, len(content), whole, python, compiler.version if compiler else None)
    write(output, content)
    facts = {"inputs": digest, "sha256": hashlib.sha256(content).hexdigest(), "figures": asdict(found)}
    write(notes, json.dumps(facts, indent=2).encode())
    return found, True


def kept(
    requirements: Path, target: Target, folder: Path, fetch: Callable[[Path, Target, Path], object]
) -> list[Distribution]:
    """Return what requirements.txt asks for, from where it was installed before if it asked for the same then."""
    asked = folder.with_name(f"{folder.name}.txt")
    if not asked.exists() or asked.read_bytes() != requirements.read_bytes():
        asked.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        fetch(requirements, target, folder)
        write(asked, requirements.read_bytes())
    return found_in(folder, target)


def _same(notes: Path, output: Path, digest: str) -> report.Figures | None:
    """Return the figures of a package that was built of the same, and is still what was built."""
    try:
        facts: dict[str, Any] = json.loads(notes.read_bytes())
        same = facts["inputs"] == digest and facts["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
        return report.Figures(**facts["figures"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    raise SystemExit(main())
