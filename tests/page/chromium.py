"""Chromium for the tests of the page: looked for, and installed where that is possible without asking anybody.

    python -m tests.page.chromium

It never stops `make test`: without a browser the tests that need one are skipped, and this says so, loudly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

NAMES = ("chromium", "chromium-browser", "google-chrome")
CURE = "On Debian: apt-get install chromium. Elsewhere: CHROMIUM=/path/to/it make test."
MISSING = f"There is no Chromium, so the page was not looked at in a browser. {CURE}"
COMMANDS = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"),
)

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def chromium() -> str | None:
    """Return where Chromium is, if it is anywhere."""
    given = os.environ.get("CHROMIUM")
    return given or next((path for path in map(shutil.which, NAMES) if path), None)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and keep what it says."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(  # noqa: S603 - this module's own words
        command, capture_output=True, text=True, check=False, env=quiet
    )


def provide(out: TextIO, *, found: Callable[[], str | None] = chromium, root: bool, apt: bool, run: Run = run) -> bool:
    """Install Chromium if it is missing and this may; return whether it is there, and say if it is not."""
    if found():
        return True
    if not (root and apt):
        out.write(f"WARNING: {MISSING}\n")
        return False
    out.write("There is no Chromium: installing it with apt-get, for the tests of the page. It takes a minute, once.\n")
    out.flush()
    for command in COMMANDS:
        done = run(command)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            out.write(f"WARNING: {' '.join(command)} failed: {said}\nWARNING: {MISSING}\n")
            return False
    if found():
        return True
    out.write(f"WARNING: apt-get brought no Chromium. {MISSING}\n")
    return False


if __name__ == "__main__":
    provide(sys.stderr, root=os.geteuid() == 0, apt=shutil.which("apt-get") is not None)
