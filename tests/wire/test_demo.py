"""`make demo` shows what it promises, and says so if it does not come true."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import cast

from tests.demo import Demo
from tests.deployment import ROOT, Deployment


def test_the_demo_comes_true_and_fits_one_screen() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 40
    for shown in ("rotated", "already-rotated", "protected", "disabled", "user-not-found", "refused", "signs in"):
        assert shown in done.stdout
    assert done.stderr == ""


def test_what_does_not_come_true_is_kept_and_crossed() -> None:
    demo = Demo(cast("Deployment", None), io.StringIO())
    assert "✗" not in demo.check(holds=True, what="water is wet", shown="wet")
    assert "✗" in demo.check(holds=False, what="the moon is cheese", shown="cheese")
    assert demo.broken == ["the moon is cheese"]
