"""`make package` on a small project: what it builds, when it does, and what it says."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from rich.console import Console

from tests.package import __main__ as command
from tests.package.build import ROOT
from tests.package.distributions import installed
from tests.package.project import JMESPATH, Project
from tests.package.report import Figures, table
from tests.package.target import Interpreter, PackageError, Target


class Packed(Project):
    """A project with a package, and an index that has what it needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "project")
        self.output = self.root / "dist" / "code.zip"
        self.fetched = 0
        self.compiler: Interpreter | None = None

    def fetch(self, requirements: Path, _target: Target, folder: Path) -> None:
        self.fetched += 1
        (found,) = installed(requirements.read_text(encoding="utf-8"))
        for path in found.paths:
            if ".." not in path.parts:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found.folder / path, folder / path)

    def make(self, python: str = "3.10") -> tuple[Figures, bool]:
        """Make its package; what a start loads is said, and not found out."""
        loaded = frozenset({PurePosixPath("jmespath/__init__.py"), PurePosixPath("jmespath/parser.py")})
        means = command.Means(self.fetch, lambda _: self.compiler, lambda _root, _installed: loaded)
        return command.make(python, self.output, self.root, means)

    def really_make(self) -> tuple[Figures, bool]:
        means = command.Means(self.fetch, lambda _: self.compiler)
        return command.make("3.10", self.output, self.root, means)

    def names(self) -> set[str]:
        with zipfile.ZipFile(self.output) as archive:
            return set(archive.namelist())


@pytest.fixture
def project(tmp_path: Path) -> Packed:
    return Packed(tmp_path)


def shown(figures: Figures) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(figures))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_without_an_interpreter_of_the_version_there_is_no_byte_code_and_it_says_so(project: Packed) -> None:
    figures, new = project.make()
    assert new
    assert not [name for name in project.names() if name.endswith(".pyc")]
    assert {
        "functions/reset_password/index.py",
        "functions/reset_password/rules.json",
        "python/jmespath/ast.py",
    } <= project.names()
    assert "none: no Python 3.10 was found here, so every cold start compiles" in shown(figures)


def test_what_a_start_loads_is_byte_code_and_the_rest_is_source(project: Packed) -> None:
    project.compiler = Interpreter(Path(sys.executable), "3.10.0 (said to be)")
    figures, _ = project.really_make()
    names = project.names()
    tag = "cpython-310"
    assert {f"shared/__pycache__/unused.{tag}.pyc", "shared/unused.py"} <= names  # ours: always both
    assert {"python/jmespath/__init__.pyc", "python/jmespath/parser.pyc"} <= names
    assert "python/jmespath/__init__.py" not in names
    assert not [name for name in names if "hidden" in name or name.startswith("tests")]
    said = f"{figures.compiled} of {figures.modules} modules: what a start loads; compiled by Python 3.10.0"
    assert said in shown(figures)


def test_nothing_is_done_where_nothing_has_changed(project: Packed) -> None:
    first, _ = project.make()
    before = project.output.stat().st_mtime_ns
    assert project.make() == (first, False)
    assert (project.output.stat().st_mtime_ns, project.fetched) == (before, 1)


def change_source(project: Packed) -> None:
    project.write("shared/unused.py", "A = 1\n")


def change_requirements(project: Packed) -> None:
    project.write("requirements.txt", f"# again\njmespath=={JMESPATH}\n")


def find_an_interpreter(project: Packed) -> None:
    project.compiler = Interpreter(Path(sys.executable), "3.10.0 (said to be)")


def damage_it(project: Packed) -> None:
    project.output.write_bytes(b"PK")


def forget_what_it_was_made_of(project: Packed) -> None:
    project.output.with_suffix(".json").write_text("{}")


@pytest.mark.parametrize(
    ("change", "fetched"),
    [
        (change_source, 1),
        (change_requirements, 2),
        (find_an_interpreter, 1),
        (damage_it, 1),
        (forget_what_it_was_made_of, 1),
    ],
)
def test_it_is_built_anew_when_something_has_changed(
    project: Packed, change: Callable[[Packed], None], fetched: int
) -> None:
    project.make()
    change(project)
    _, new = project.make()
    assert (new, project.fetched) == (True, fetched)
    assert zipfile.is_zipfile(project.output)


def test_a_runtime_has_a_package_of_its_own(project: Packed) -> None:
    project.make("3.10")
    _, new = project.make("3.12")
    assert (new, project.fetched) == (True, 2)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("functions/reset_password/index.py", "import nowhere\n", "could not be started .*'nowhere'"),
        ("requirements.txt", "nowhere==1\n", "nowhere is not installed"),
    ],
)
def test_what_fails_leaves_the_package_as_it_was(project: Packed, name: str, text: str, said: str) -> None:
    project.make()
    before = project.output.read_bytes()
    project.write(name, text)
    with pytest.raises(PackageError, match=said):
        project.really_make()
    assert project.output.read_bytes() == before


def test_the_command_says_what_is_wrong_and_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["--python", "3.11", "--output", str(tmp_path / "code.zip")]) == 1
    assert "No package: the functions run on the runtimes of Python 3.10 and 3.12" in capsys.readouterr().err
    assert not (tmp_path / "code.zip").exists()


def test_the_package_that_s_yaml_deploys_is_not_kept_in_git() -> None:
    assert command.PACKAGE == ROOT / "dist" / "code.zip"
    assert "dist/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
