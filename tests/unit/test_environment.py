"""Setting up says how far it is; and of what goes wrong: what, what was left unchanged, what to do."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import environment
from tests.environment import Progress, SetUpError

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def requirements(folder: Path) -> Path:
    path = folder / "requirements.txt"
    path.write_text("alpha==1.0 \\\n    --hash=sha256:00\nbeta[extra]==2\nbeta==2\n", encoding="utf-8")
    return path


def venv(folder: Path, *said: str, status: int = 0) -> Path:
    """Return the file `ready` of an environment whose Python says what pip would, and which is of this version."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = "".join(f"  echo '{line}'\n" for line in said)
    python.write_text(f"#!/bin/sh\nif [ $1 = -c ]; then echo {version}; else\n{lines}exit {status}\nfi\n")
    python.chmod(0o755)
    return python.parents[1] / "ready"


def made(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run make as if from a shell."""
    shell = {name: value for name, value in os.environ.items() if name[:4] != "MAKE" and name != "PYTHON"}
    return subprocess.run(command, env=shell, capture_output=True, text=True, check=False)  # noqa: S603 - fixed


def run(ready: Path, out: io.StringIO) -> tuple[int, str]:
    err = io.StringIO()
    status = environment.main([str(ready), str(requirements(ready.parents[1]))], out, err)
    return status, err.getvalue()


def test_a_set_up_says_what_it_does_before_and_after(tmp_path: Path) -> None:
    ready = venv(tmp_path, "Collecting alpha==1.0", "Installing collected packages: alpha")
    out = io.StringIO()
    assert run(ready, out) == (0, "")
    folder = ready.parent
    assert out.getvalue().splitlines() == [
        f"Setting up {folder} with 2 packages from PyPI. It takes a minute or two, once.",
        f"{folder}: 1 of 2 packages (alpha)",
        f"{folder}: installing 2 packages",
        f"{folder} is set up.",
    ]
    assert ready.exists()


def test_on_a_terminal_one_line_says_how_far_it_is() -> None:
    out = Terminal()
    progress = Progress(out, Path(".venv"), 2)
    for line in ("Collecting alpha-longest==1.0 (from -r requirements.txt)\n", "  Downloading alpha.whl\n"):
        progress.hear(line)
    progress.hear("Processing ./wheels/beta-2.0-py3-none-any.whl\n")
    progress.hear("Collecting beta\n")
    progress.end()
    shown = out.getvalue().split("\r")
    assert shown[1:3] == [".venv: 1 of 2 packages (alpha-longest)", ".venv: 2 of 2 packages (beta)         "]
    assert shown[-1] == ""
    assert "\n" not in out.getvalue()


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("ERROR: No matching distribution found for alpha==1.0", "export HTTPS_PROXY"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "Do not work around it"),
        ("ERROR: [Errno 28] No space left on device", "Mend that, then the same make again"),
    ],
)
def test_what_pip_fails_of_is_told_with_what_to_do(tmp_path: Path, said: str, cure: str) -> None:
    ready = venv(tmp_path, "Collecting alpha==1.0", said, "WARNING: there is a new pip", status=1)
    status, told = run(ready, io.StringIO())
    assert status == 1
    assert cure in told
    assert "MATCH THE HASHES" in said or said in told
    assert "is not complete" in told
    assert not ready.exists()


def test_a_python_without_venv_is_told_which_package_brings_it(tmp_path: Path) -> None:
    with pytest.raises(
        SetUpError, match=r"lacks ensurepip\. Nothing was changed\.\n.*apt-get install python3\.\d+-venv"
    ):
        environment.make(tmp_path / ".venv", missing=lambda: "ensurepip")
    assert not (tmp_path / ".venv").exists()


def test_an_environment_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetUpError, match=r"could not make .*\nNothing else was changed\. Mend that, or"):
        environment.make(tmp_path / "file" / ".venv")


def test_an_environment_of_another_python_is_replaced_and_of_this_one_kept(tmp_path: Path) -> None:
    ready, commands = venv(tmp_path), []

    def answering(version: str) -> environment.Run:
        def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
            commands.append(command[1])
            return subprocess.CompletedProcess(command, 0, stdout=version, stderr="")

        return run

    environment.make(ready.parent, answering(f"{sys.version_info.major}.{sys.version_info.minor}\n"))
    assert commands == ["-c"]
    environment.make(ready.parent, answering("2.7\n"))
    assert commands == ["-c", "-c", "-m"]


def test_make_says_what_is_wrong_with_its_python(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "tests/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\n[ -z \"$2\" ] || { echo 'PYTHON is too old' >&2; exit 1; }\n")
    old.chmod(0o755)
    for python, told in (("nopython", "PYTHON=nopython does not run; nothing was changed."), (old, "too old")):
        command = ["make", "-C", str(tmp_path), "demo", f"PYTHON={python}"]
        done = made(command)
        assert done.returncode
        assert told in done.stderr
        assert not (tmp_path / ".venv").exists()


def test_make_does_not_check_with_another_python_than_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    venv(tmp_path).touch()
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho 3.99\n")
    other.chmod(0o755)
    command = ["make", "-C", str(tmp_path), "-n", "lint", f"PYTHON={other}"]
    done = made(command)
    assert "is not the Python that .venv was made with, which was left as it is. First: make clean" in done.stderr
    assert "ruff" not in done.stdout
