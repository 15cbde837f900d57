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
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console
from rich.text import Text

from tests.package import build, report
from tests.package.archive import zipped
from tests.package.distributions import Distribution, downloaded, found_in, installed
from tests.package.local import alone, write
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
        with console.status("") as status:
            tell = status.update if console.is_terminal else partial(console.print, soft_wrap=True)
            found, new = make(options.python, options.output, tell=lambda doing: tell(Text(f"{doing} …")))
    except (PackageError, OSError) as problem:
        said = Text.assemble(
            ("No package:", "red"), f" {problem}"
        )  # no markup: paths and the words of others have brackets
        Console(stderr=True, highlight=False).print(said, soft_wrap=True)
        return 1
    where = options.output.relative_to(build.ROOT) if options.output.is_relative_to(build.ROOT) else options.output
    console.print(Text.assemble((str(where), "green"), " is built." if new else " is up to date."), soft_wrap=True)
    console.print(report.table(found))
    if advice := report.advice(found):
        console.print(Text(advice, "yellow"), soft_wrap=True)
    return 0


@dataclass(frozen=True)
class Means:
    """How the parts of a package are come by; tests have others."""

    fetch: Callable[[Path, Target, Path], object] = downloaded
    find: Callable[[str], Interpreter | None] = interpreter
    start: Callable[[Path, Sequence[Distribution]], frozenset[PurePosixPath]] = build.loaded_by


Tell = Callable[[str], object]


def make(
    python: str, output: Path, root: Path = build.ROOT, means: Means = Means(), tell: Tell = lambda _: None
) -> tuple[report.Figures, bool]:
    """Build a package of a folder's code; return its figures, and whether it was not there before."""
    target = runtime(python)
    with alone(output.parent, lambda: tell("Waiting for another build")):
        return _made(target, output, root, means, tell)  # whoever asked for the same meanwhile finds it up to date


def _made(target: Target, output: Path, root: Path, means: Means, tell: Tell) -> tuple[report.Figures, bool]:
    compiler = means.find(target.python)
    ours = build.own(root)
    requirements = root / "requirements.txt"
    digest = build.digest(ours, target, compiler, requirements.read_bytes())
    notes = output.with_suffix(".json")  # what it was built of
    same = _same(notes, output, digest)
    if same is not None:
        return same, False
    installed_here = installed(requirements.read_text(encoding="utf-8"))
    tell(f"Fetching the wheels for Python {target.python}, each held to its hash")
    distributions = kept(requirements, target, output.parent / f"python{target.python}", means.fetch)
    known = {each.name for each in installed_here}
    unknown = (each for each in distributions if each.name not in known)  # for another version: who knows what loads it
    tell("Starting each function once, to see what a start loads")
    loaded = means.start(root, installed_here).union(*(each.paths for each in unknown))
    tell("Compiling, trimming and packing")
    whole = build.contents(ours, distributions, target, compiler, loaded)
    content = zipped(whole.files)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = report.figures(archive, len(content), whole, target.python, compiler.version if compiler else None)
    write(output, content)
    facts = {"inputs": digest, "sha256": hashlib.sha256(content).hexdigest(), "figures": asdict(found)}
    write(notes, json.dumps(facts, indent=2).encode())
    return found, True


def kept(
    requirements: Path, target: Target, folder: Path, fetch: Callable[[Path, Target, Path], object]
) -> list[Distribution]:
    """Return what requirements.txt asks for, from where it was installed before if it asked for the same then."""
    asked = folder.with_name(f"{folder.name}.txt")
    content = requirements.read_bytes()
    if not folder.is_dir() or not asked.exists() or asked.read_bytes() != content:
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        asked.unlink(missing_ok=True)
        for old in (unfinished, folder):
            if old.exists():
                shutil.rmtree(old)
        fetch(requirements, target, unfinished)
        unfinished.rename(folder)
        write(asked, content)
    return found_in(folder, target, content.decode())


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
