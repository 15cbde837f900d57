"""`make demo` shows what it promises, and says so if it does not come true."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

import pytest  # noqa: TC002 - as tests import it
from rich.console import Console  # noqa: TC002 - as tests import it

from tests.demo import Demo, main
from tests.installation import ROOT, Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.recording import svg

KEPT = ROOT / "docs" / "demo.svg"


def test_the_demo_comes_true_and_fits_one_screen(tmp_path: Path) -> None:
    recorded = tmp_path / "demo.svg"
    command = [sys.executable, "-m", "tests.demo", "--record", str(recorded)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - our own module
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    for shown in ("rotated", "already-rotated", "protected", "disabled", "user-not-found", "refused", "signs in"):
        assert shown in done.stdout
    assert "alice: your password was changed because of an alert; read secret" in done.stdout
    assert done.stderr == ""
    assert recorded.read_text("utf-8") == KEPT.read_text("utf-8"), f"python -m tests.demo --record {KEPT} draws it anew"


def test_the_drawn_screen_needs_nothing_from_elsewhere() -> None:
    drawn = KEPT.read_text(encoding="utf-8")
    assert set(re.findall(r"\w+://[^\s\"'<)]*", drawn)) == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"@font-face|@import|<script|<image|href|url\((?!#)", drawn)
    ET.fromstring(drawn)  # noqa: S314 - it is our own


def test_the_same_screen_gives_the_same_drawing_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def show(console: Console) -> None:
        console.print("[green]water[/green] is wet " * 20)

    drawn = svg("weather", show)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "40", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert svg("weather", show) == drawn
    assert "weather" in drawn


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
