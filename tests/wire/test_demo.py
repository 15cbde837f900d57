"""`make demo` shows what it promises, and says so if it does not come true."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from dataclasses import replace
from typing import cast

from tests.demo import Demo, main
from tests.installation import ROOT, Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud


def test_the_demo_comes_true_and_fits_one_screen() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 40
    for shown in ("rotated", "already-rotated", "protected", "disabled", "user-not-found", "refused", "signs in"):
        assert shown in done.stdout
    assert done.stderr == ""


def tamper(cloud: LocalCloud) -> None:
    """Break, of each act of the demo, what it promises."""
    erins = f"cloudsso/{cloud.cloudsso.directory_id}/erin"
    denied = Fault("CreateSecret", "error", status=403, code="Forbidden.NoPermission", count=99)
    cloud.faults.arm(Fault("ListSecretVersionIds", "throttle"))  # the alert's
    cloud.change_password("root-admin", "First-Pass-5!x", "An0ther!Pass")
    cloud.faults.arm(replace(denied, where={"SecretName": erins}))
    cloud.faults.arm(Fault("InvokeFunction", "error", status=403, code="AccessDenied", count=99))


def test_the_demo_fails_and_tells_everything_that_did_not_come_true() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert main(tamper) == 1
    told = " ".join(shown.getvalue().split())
    for broken in (
        "alert takes 6 calls (it took 7)",
        "the portal says ok to root-admin's password from before (it says wrong)",
        "kill -9: erin is rotated (the audit line says secret-store-denied)",
        "17 nights: alice is rotated (the audit line says nothing)",
        "everybody is dispatched once",
    ):
        assert f"This did not come true: {broken}" in told


def test_what_does_not_come_true_is_kept_and_crossed() -> None:
    demo = Demo(cast("Installation", None))
    assert "✗" not in demo.check(holds=True, what="water is wet", shown="wet")
    assert "✗" in demo.check(holds=False, what="the moon is cheese", shown="cheese")
    assert demo.broken == ["the moon is cheese"]
