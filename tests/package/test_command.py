"""`make package` on a small project: what it builds, when it does, and what it says."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest
from rich.console import Console

from tests.package import __main__ as command
from tests.package import report
from tests.package.build import ROOT, own
from tests.package.distributions import installed
from tests.package.project import JMESPATH, START, Project
from tests.package.report import Figures
from tests.package.target import Interpreter, PackageError, Target


class Packed(Project):
    """A project with a package, and an index that has what it needs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "project")
        self.output = self.root / "dist" / "code.zip"
        self.installed = self.output.parent / "python3.10"
        self.fetched = 0
        self.index_is_down = False
        self.compiler: Interpreter | None = None

    def fetch(self, requirements: Path, _target: Target, folder: Path) -> None:
        self.fetched += 1
        if self.index_is_down:
            (folder / "jmespath").mkdir(parents=True)
            raise PackageError("no index")
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
    console.print(report.table(figures))
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
    assert "none: no Python 3.10 was found here" in shown(figures)
    advice = report.advice(figures) or ""
    assert advice.startswith("The package works all the same")
    (binary, *command) = advice.partition("For byte code: ")[2].partition(" &&")[0].split()
    assert (binary, command) == (".venv/bin/uv", ["python", "install", "3.10"])
    assert "uv==" in (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8")  # so that it is there


def test_what_a_start_loads_is_byte_code_and_the_rest_is_source(project: Packed) -> None:
    project.compiler = Interpreter(Path(sys.executable), "3.10.0 (said to be)")
    figures, _ = project.really_make()
    names = project.names()
    tag = "cpython-310"
    assert {f"shared/__pycache__/unused.{tag}.pyc", "shared/unused.py"} <= names  # ours: always both
    assert {"python/jmespath/__init__.pyc", "python/jmespath/parser.pyc"} <= names
    assert "python/jmespath/__init__.py" not in names
    assert not [name for name in names if "hidden" in name or name.startswith("tests")]
    assert not [name for name in names if "notes" in name or name.endswith(".orig")]
    assert "LICENSE" in names
    said = f"{figures.compiled} of {figures.modules} modules: what a start loads; compiled by Python 3.10.0"
    assert said in shown(figures)
    assert report.advice(figures) is None
    assert "others" not in shown(figures)  # there are few parts


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


def lose_what_was_installed(project: Packed) -> None:
    change_source(project)
    shutil.rmtree(project.installed)


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
        (lose_what_was_installed, 2),
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


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("jmespath-*", "python3.10 is not what requirements.txt asks for: jmespath is not installed"),
        ("jmespath-*/RECORD", "jmespath is not installed"),
        ("jmespath-*/METADATA", "jmespath is not installed"),
        ("jmespath/lexer.py", r"lexer\.py was installed and cannot be read \(No such file"),
    ],
)
def test_what_was_installed_and_is_no_longer_whole_is_refused(project: Packed, lost: str, said: str) -> None:
    project.make()
    change_source(project)
    (path,) = project.installed.glob(lost)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(
        PackageError, match=f"{said}.*nothing was packed.* make clean, and again|{said}.*Nothing was packed"
    ):
        project.make()


def test_an_installation_that_fails_half_way_is_begun_anew(project: Packed) -> None:
    project.index_is_down = True
    with pytest.raises(PackageError, match="no index"):
        project.make()
    assert not project.installed.exists()
    project.index_is_down = False
    project.make()
    assert {path.name for path in project.installed.iterdir()} >= {"jmespath"}
    assert not list(project.output.parent.glob(".*.unfinished"))


def test_who_comes_second_waits_and_finds_it_up_to_date(project: Packed) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = [each.result() for each in [pool.submit(project.make) for _ in range(2)]]
    assert sorted(new for _, new in answers) == [False, True]
    assert project.fetched == 1


@pytest.mark.parametrize("name", ["functions/reset_password/index.py", "shared/unused.py"])
def test_code_that_does_not_compile_is_refused(project: Packed, name: str) -> None:
    project.write(name, "def\n")
    project.compiler = Interpreter(Path(sys.executable), "3.10.0 (said to be)")
    with pytest.raises(PackageError, match=rf"what Python 3\.10\.0 cannot compile: /code/{name}: invalid syntax"):
        project.make()
    with pytest.raises(
        PackageError, match=rf"{name} does not compile: invalid syntax .*, line 1\). Nothing was packed"
    ):
        project.really_make()


@pytest.mark.parametrize("ending", ["import nowhere", "raise ValueError('nowhere')", "import os; os._exit(0)"])
def test_a_first_event_that_fails_is_no_account_of_what_it_loads(project: Packed, ending: str) -> None:
    project.write("functions/scan_expiring/index.py", f"{START}    {ending}\n".replace("    pass\n", ""))
    with pytest.raises(PackageError, match=r"scan_expiring\.index could not be started and answer \{\}, to see"):
        project.really_make()


def test_what_is_wrong_is_told_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "[red]x[" / "y] and a name that is longer than any line of eighty columns"
    file.parent.mkdir()
    file.write_text("no folder")
    where = file / "code.zip"
    assert command.main(["--output", str(where)]) == 1
    assert str(where.parent) in capsys.readouterr().err


def test_the_command_says_what_is_wrong_and_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["--python", "3.11", "--output", str(tmp_path / "code.zip")]) == 1
    assert "No package: the functions run on the runtimes of Python 3.10 and 3.12" in capsys.readouterr().err
    assert not (tmp_path / "code.zip").exists()


@pytest.mark.parametrize(
    ("python", "runtime"), [(None, "3.10"), ("3.12", "3.12"), ("python3.12", "3.12"), ("3.11", "3.11")]
)
def test_make_builds_for_the_version_that_it_is_given(python: str | None, runtime: str) -> None:
    assert f"-m tests.package --python {runtime}\n" in made("-n", "package", *([f"PYTHON={python}"] if python else []))


@pytest.mark.parametrize("python", ["310", "python310", "/usr/bin/python3.12", "python", "3", "/usr/bin/python3"])
def test_make_refuses_what_is_no_version(python: str) -> None:
    said = made("-n", "package", f"PYTHON={python}")
    assert f"PYTHON={python} names no runtime; nothing was built. Write make package PYTHON=3.10, or 3.12" in said
    assert "tests.package" not in said


def made(*arguments: str, folder: Path = ROOT, user: int | None = None) -> str:
    """Run make as if from a shell; return what it says."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "MAKE" and name != "PYTHON"}
    run = ["make", "-C", str(folder), *arguments]
    done = subprocess.run(run, env=environment, user=user, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    return done.stdout + done.stderr


def test_make_clean_removes_what_is_read_only() -> None:
    nobody = 65534 if os.geteuid() == 0 else None  # to whom modes mean something
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # where anybody may go
        inner = Path(folder, "dist", "bench")
        inner.mkdir(parents=True)
        (inner / "index.py").write_text("")
        shutil.copy(ROOT / "Makefile", folder)
        for path in (inner / "index.py", inner, inner.parent, Path(folder)):
            if nobody is not None:
                os.chown(path, nobody, nobody)
        inner.chmod(0o555)
        for _ in range(2):  # also where there is none
            assert "rror" not in made("clean", folder=Path(folder), user=nobody)
            assert not Path(folder, "dist").exists()


def test_the_same_commit_has_the_same_bytes_wherever_it_is_checked_out() -> None:
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert not [name for name, content in own(ROOT).items() if b"\r" in content]


def test_the_package_that_s_yaml_deploys_is_not_kept_in_git() -> None:
    assert command.PACKAGE == ROOT / "dist" / "code.zip"
    assert "dist/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
