"""What requirements.txt asks for, exactly; and nothing that would not run where the package runs."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from tests.package.distributions import Distribution, check, downloaded, found_in, installed
from tests.package.target import PackageError, here, runtime

JMESPATH = metadata.version("jmespath")


def made(path: str, *tags: str) -> Distribution:
    """Return a distribution of one file."""
    return Distribution("one", "1", Path(), "one.dist-info", (PurePosixPath(path),), {}, frozenset(tags), "MIT")


def test_what_is_installed_is_found_by_whatever_name() -> None:
    text = f'JMESPath=={JMESPATH} \\\n    --hash=sha256:00\n    # via x\nnowhere==1 ; python_version < "3"\n'
    (found,) = installed(text)
    assert (found.name, found.version) == ("jmespath", JMESPATH)
    assert PurePosixPath("jmespath/ast.py") in found.paths


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nowhere-to-be-found==1", "nowhere-to-be-found is not installed"),
        ("jmespath==0.0.1", rf"jmespath==0\.0\.1 is asked for, {JMESPATH} is installed"),
        ("jmespath = 1", "not understood"),
    ],
)
def test_what_is_not_installed_in_just_that_version_is_refused(line: str, problem: str) -> None:
    with pytest.raises(PackageError, match=rf"(?s){problem}.*[Nn]othing was packed"):
        installed(line)


def test_a_file_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    (found,) = installed(f"jmespath=={JMESPATH}")
    for path in found.paths:
        if ".." not in path.parts and path.suffix != ".pyc":
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found.folder / path, tmp_path / path)
    with (tmp_path / "jmespath" / "ast.py").open("a", encoding="utf-8") as file:
        file.write("# mended\n")
    (copied,) = found_in(tmp_path, here(), f"jmespath=={JMESPATH}")
    assert copied.content(PurePosixPath("jmespath/lexer.py")) == found.content(PurePosixPath("jmespath/lexer.py"))
    with pytest.raises(PackageError, match=r"ast\.py was changed after it was installed"):
        copied.content(PurePosixPath("jmespath/ast.py"))


def test_a_marker_means_what_it_means_for_the_runtime(tmp_path: Path) -> None:
    requirements = 'nowhere==1 ; python_version < "3.11" and sys_platform == "linux" and platform_machine == "x86_64"\n'
    assert found_in(tmp_path, runtime("3.12"), requirements) == []
    with pytest.raises(PackageError, match="nowhere is not installed"):
        found_in(tmp_path, runtime("3.10"), requirements)


def test_what_cannot_be_fetched_is_told_with_the_reason_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "requirements.txt").write_text(f"jmespath==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(PackageError) as refused:
        downloaded(tmp_path / "requirements.txt", runtime("3.10"), tmp_path / "into")
    reason, so, _ = str(refused.value).partition("\nSo uv could not install requirements.txt for Python 3.10 on x86_64")
    assert so
    assert reason.startswith("error: ")
    assert "jmespath" in reason
    assert "network was disabled" in " ".join(reason.split())


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("one/__init__.py", "py3-none-any"),
        ("one/_c.cpython-310-x86_64-linux-gnu.so", "cp310-cp310-manylinux2014_x86_64"),
        ("one/_c.cpython-310-x86_64-linux-gnu.so", "cp310-cp310-manylinux1_x86_64"),
        ("one/_c.abi3.so", "cp39-abi3-manylinux_2_17_x86_64"),
    ],
)
def test_a_wheel_for_the_runtime_is_taken(path: str, tag: str) -> None:
    check([made(path, tag, "cp310-cp310-manylinux_2_99_x86_64")], runtime("3.10"))


@pytest.mark.parametrize(
    ("path", "tag", "said"),
    [
        (
            "one/_c.cpython-311-x86_64-linux-gnu.so",
            "cp311-cp311-linux_x86_64",
            "built here, as cp311-cp311-linux_x86_64",
        ),
        ("one/_c.abi3.so", "cp38-abi3-linux_x86_64", "built here, as cp38-abi3-linux_x86_64"),
        ("one/_c.abi3.so", "cp38-abi3-macosx_11_0_arm64", "built here, as cp38-abi3-macosx_11_0_arm64"),
        (
            "one/_c.cpython-310-x86_64-linux-gnu.so",
            "cp310-cp310-manylinux_2_28_x86_64",
            "as cp310-cp310-manylinux_2_28",
        ),
        ("one/_c.cpython-312-x86_64-linux-gnu.so", "py3-none-any", r"one 1 has one/_c\.cpython-312"),
        ("one/_c.pyd", "py3-none-any", r"one 1 has one/_c\.pyd"),
    ],
)
def test_what_was_built_for_this_machine_or_is_for_another_is_refused(path: str, tag: str, said: str) -> None:
    with pytest.raises(PackageError, match=rf"not for Python 3\.10 on .*{said}.*Nothing was packed\. Pin versions"):
        check([made(path, tag)], runtime("3.10"))


def test_a_version_that_the_functions_do_not_run_on_is_refused() -> None:
    with pytest.raises(PackageError, match=r"runtimes of Python 3\.10 and 3\.12, not 3\.11: make package PYTHON=3\.10"):
        runtime("3.11")
