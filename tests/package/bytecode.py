"""Byte code that is the same in every build, and is never held against a source.

`unchecked-hash`: a package is read-only, and its files have no time that means anything. One process compiles
everything in one order: what byte code marks as used more than once depends on what the process has seen before.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.package.target import Interpreter, PackageError

_COMPILE = """
import py_compile, sys, warnings
warnings.simplefilter("ignore")  # of the distributions' own
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for number, name in enumerate(sys.stdin.read().split("\\n")):
    try:
        py_compile.compile(str(number), f"{number}.pyc", name, doraise=True, optimize=0, invalidation_mode=mode)
    except (py_compile.PyCompileError, ValueError) as problem:
        with open(f"{number}.problem", "w", encoding="utf-8") as file:
            file.write(str(getattr(problem, "exc_value", problem)))
"""


def compiled(sources: Mapping[str, bytes], interpreter: Interpreter, must: Collection[str] = ()) -> dict[str, bytes]:
    """Compile sources, by the names that tracebacks show.

    What does not compile is left out, and fails when it is imported; of what must compile, it is refused.
    """
    if not sources:
        return {}
    names = sorted(sources)
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        for number, name in enumerate(names):
            Path(folder, str(number)).write_bytes(sources[name])
        environment = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        try:
            done = subprocess.run(  # noqa: S603 - found by target.interpreter
                [interpreter.path, "-S", "-s", "-B", "-c", _COMPILE],
                input="\n".join(names),
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            failed = done.stderr.strip() or f"exit status {done.returncode}" if done.returncode else ""
        except OSError as problem:
            failed = str(problem)
        if failed:
            msg = f"{interpreter.path} could not compile; nothing was packed. It said: {failed}"
            raise PackageError(msg)
        outputs = [(name, Path(folder, f"{number}.pyc")) for number, name in enumerate(names)]
        broken = [
            f"{name}: {output.with_suffix('.problem').read_text(encoding='utf-8')}"
            for name, output in outputs
            if name in must and not output.exists()
        ]
        if broken:
            msg = (
                f"what Python {interpreter.version.split()[0]} cannot compile: {'; '.join(broken)}. Nothing was packed"
            )
            raise PackageError(msg)
        return {name: output.read_bytes() for name, output in outputs if output.exists()}
