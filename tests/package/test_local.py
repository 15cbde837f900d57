"""The package for the interpreter that runs: built once for each state of the code, and never an old one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.package import for_this_interpreter
from tests.package.build import ROOT
from tests.package.project import JMESPATH, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_several_who_ask_at_once_get_the_one_that_is_built(project: Project, tmp_path: Path) -> None:
    code = "import pathlib, sys; from tests.package import for_this_interpreter\n"
    code += "path = for_this_interpreter(*map(pathlib.Path, sys.argv[1:])); print(path.name, path.stat().st_ino)"
    command = [sys.executable, "-c", code, str(project.root), str(tmp_path / "kept")]
    asking = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603 - this interpreter
    answers = {each.communicate(timeout=120)[0] for each in asking}
    (name, _) = answers.pop().split()
    assert answers == set()  # another build would be another file
    assert [path.name for path in (tmp_path / "kept").glob("*.zip")] == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [("shared/unused.py", "A = 1\n"), ("shared/new.py", ""), ("requirements.txt", f"# none\njmespath=={JMESPATH}\n")],
)
def test_a_state_of_the_code_has_its_own_unless_nothing_of_it_is_deployed(
    project: Project, tmp_path: Path, name: str, text: str
) -> None:
    kept = tmp_path / "kept"
    before = for_this_interpreter(project.root, kept)
    project.write("tests/test_one.py", "A = 1\n")
    assert for_this_interpreter(project.root, kept) == before
    project.write(name, text)
    after = for_this_interpreter(project.root, kept)
    assert (after != before) == name.startswith("shared/")


def test_only_the_latest_are_kept(project: Project, tmp_path: Path) -> None:
    for number in range(6):
        path = tmp_path / "kept" / f"{number}.zip"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    built = for_this_interpreter(project.root, tmp_path / "kept")
    left = {path.name for path in (tmp_path / "kept").glob("*.zip")}
    assert len(left) == 4
    assert built.name in left
