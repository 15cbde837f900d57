"""Where Chromium comes from, and that its absence is said and stops nothing."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.page.chromium import COMMANDS, MISSING, NAMES, chromium, provide


class Apt:
    """Stands for apt-get: what it was asked, and how that ends."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(command)
        return subprocess.CompletedProcess(command, self.codes.pop(0), "", "E: no network\n")


def told(apt: Apt, *there: str | None, root: bool = True, has_apt: bool = True) -> tuple[bool, str]:
    out, found = io.StringIO(), list(there)
    done = provide(out, found=lambda: found.pop(0), root=root, apt=has_apt, run=apt)
    return done, out.getvalue()


def test_what_is_there_is_not_installed_again() -> None:
    apt = Apt()
    assert told(apt, "/usr/bin/chromium") == (True, "")
    assert apt.asked == []


def test_what_is_missing_is_installed_where_that_is_possible_and_said() -> None:
    apt = Apt(0, 0)
    done, said = told(apt, None, "/usr/bin/chromium")
    assert done
    assert apt.asked == list(COMMANDS)
    assert said.startswith("There is no Chromium: installing it with apt-get")


@pytest.mark.parametrize(("root", "has_apt"), [(False, True), (True, False)])
def test_where_it_is_not_possible_that_is_said_and_nothing_is_tried(root: bool, has_apt: bool) -> None:  # noqa: FBT001
    apt = Apt()
    assert told(apt, None, root=root, has_apt=has_apt) == (False, f"WARNING: {MISSING}\n")
    assert apt.asked == []


@pytest.mark.parametrize("codes", [(100,), (0, 100)])
def test_a_failure_is_said_with_what_apt_said_and_with_a_cure(codes: tuple[int, ...]) -> None:
    done, said = told(Apt(*codes), None)
    assert not done
    assert "failed: E: no network" in said
    assert MISSING in said


def test_a_package_without_the_program_is_not_taken_for_it() -> None:
    done, said = told(Apt(0, 0), None, None)
    assert not done
    assert "apt-get brought no Chromium" in said


def test_it_is_looked_for_where_one_says_and_then_under_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert chromium() is None
    program = tmp_path / NAMES[1]
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert chromium() == os.fspath(program)
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert chromium() == "/opt/chromium"
