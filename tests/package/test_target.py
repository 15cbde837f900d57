"""Which interpreter compiles: one of the version, itself and no shim, and the latest of several."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.package.bytecode import compiled
from tests.package.target import asked, candidates, interpreter, version

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no shell")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_shim_of_a_version_manager_is_asked_for_the_interpreter_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = script(tmp_path / "python3", f': "${{MANAGER:?is not set}}"\nexec {sys.executable} "$@"')
    assert asked(shim, version()) is None
    monkeypatch.setenv("MANAGER", "here")
    found = asked(shim, version())
    assert found is not None
    assert found.path == Path(sys.executable)
    assert compiled({"/code/one.py": b""}, found).keys() == {"/code/one.py"}  # without that variable


@pytest.mark.parametrize(
    "text",
    ["exec sleep 60", "exit 127", "echo", "echo Python 3.10", "echo '[1, 2]'", f"exec {sys.executable} -c 'print(3)'"],
)
def test_what_gives_no_answer_is_no_interpreter(tmp_path: Path, text: str) -> None:
    assert asked(script(tmp_path / "python3", text), version(), seconds=0.2 if "sleep" in text else 30) is None
    assert asked(tmp_path / "nowhere", version()) is None


def test_another_version_is_not_taken() -> None:
    assert asked(Path(sys.executable), "3.9") is None


def test_the_latest_of_several_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for number in ("3.10.9", "3.10.14", "3.10.2"):
        script(tmp_path / "versions" / number / "bin" / "python", "exit 1")
    found = [path.parents[1].name for path in candidates("3.10") if path.is_relative_to(tmp_path)]
    assert found == ["3.10.14", "3.10.9", "3.10.2"]


def test_this_interpreter_needs_no_search() -> None:
    found = interpreter(version())
    assert found is not None
    assert found.path == Path(sys.executable)
