"""Code that finds what the package has, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.localcloud.fc.code import unpacked
from tests.package.build import PACKAGES
from tests.package.local import for_this_interpreter


def run(code: str, *arguments: str) -> str:
    """Run code with the package's distributions; return what it prints."""
    packages = unpacked(for_this_interpreter()) / PACKAGES
    text = f"import sys; sys.path.insert(0, {str(packages)!r})\n{textwrap.dedent(code)}"
    command = [sys.executable, "-S", "-s", "-B", "-c", text, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter
    assert done.returncode == 0, done.stderr
    return done.stdout
