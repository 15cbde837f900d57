"""Byte code that is the same in every build, and is never held against a source.

`unchecked-hash`: a package is read-only, and its files have no time that means anything. One process compiles
everything in one order: what byte code marks as used more than once depends on what the process has seen before.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.package.target import Interpreter, PackageError

_COMPILE = """
import py_compile, sys, warnings
warnings.simplefilter("ignore")  # of the distributions' own
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for number, name in enumerate(sys.stdin.read().split("\\n")):
    try:
        py_compile.compile(str(number), f"{number}.pyc", name, doraise=True, optimize=0, invalidation_mode=mode)
    except (py_compile.PyCompileError, ValueError):
        pass  # what does not compile stays what it is, and fails when it is imported
"""


def compiled(sources: Mapping[str, bytes], interpreter: Interpreter) -> dict[str, bytes]:
    """Compile sources, by the names that tracebacks show; what does not compile is left out."""
    if not sources:
        return {}
    names = sorted(sources)
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        for number, name in enumerate(names):
            Path(folder, str(number)).write_bytes(sources[name])
        environment = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        done = subprocess.run(  # noqa: S603 - found by target.interpreter
            [interpreter.path, "-S", "-s", "-B", "-c", _COMPILE],
            input="\n".join(names),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"{interpreter.path} could not compile; nothing was packed. It said: {done.stderr.strip()}"
            raise PackageError(msg)
        outputs = [(name, Path(folder, f"{number}.pyc")) for number, name in enumerate(names)]
        return {name: output.read_bytes() for name, output in outputs if output.exists()}
