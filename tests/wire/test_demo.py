"""`make demo` shows what it promises, and says so if it does not come true."""

from __future__ import annotations

import subprocess
import sys
from typing import cast

import pytest

from tests.demo import Demo
from tests.installation import ROOT, Installation


def test_the_demo_comes_true_and_fits_one_screen() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 40
    for shown in ("rotated", "already-rotated", "protected", "disabled", "user-not-found", "refused", "signs in"):
        assert shown in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "tamper",
    [
        "cloud.faults.arm(Fault('ResetUserPassword', 'error', status=400, code='Nope'))",
        "cloud.change_password('root-admin', 'First-Pass-5!x', 'An0ther!Pass')",
        "cloud.faults.arm(Fault('ListSecretVersionIds', 'throttle'))",
        "cloud.faults.arm(Fault('InvokeFunction', 'error', status=403, code='AccessDenied', count=99))",
    ],
    ids=["a rotation fails", "a protected user's password changes", "a call too many", "nobody is dispatched"],
)
def test_the_demo_fails_if_something_does_not_come_true(tamper: str) -> None:
    script = (
        "from tests import demo; from tests.localcloud.gateway.faults import Fault; "
        f"raise SystemExit(demo.main(lambda cloud: {tamper}))"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, our own module
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "did not come true" in done.stdout


def test_what_does_not_come_true_is_kept_and_crossed() -> None:
    demo = Demo(cast("Installation", None))
    assert "✗" not in demo.check(holds=True, what="water is wet", shown="wet")
    assert "✗" in demo.check(holds=False, what="the moon is cheese", shown="cheese")
    assert demo.broken == ["the moon is cheese"]
