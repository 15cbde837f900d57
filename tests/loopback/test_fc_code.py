"""What is deployed: a folder less .fcignore, or a zip as it is; and settings that make sense."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.fc.code import CodeFolder
from tests.localcloud.fc.functions import FunctionRefusedError, FunctionSpec
from tests.loopback.workshop import Workshop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "pkg" / "inner").mkdir(parents=True)
    (folder / "index.py").write_text("")
    (folder / "pkg" / "data.json").write_text("{}")
    (folder / "pkg" / "inner" / "deep.py").write_text("")
    return folder


@pytest.fixture
def deployed(source: Path) -> Iterator[list[CodeFolder]]:
    """Remove what a test deploys."""
    folders: list[CodeFolder] = []
    yield folders
    for folder in folders:
        folder.remove()


def contents(folder: Path) -> set[str]:
    """Return every file of a folder, less what is only compiled."""
    found = (Path(at, name).relative_to(folder) for at, _, names in os.walk(folder) for name in names)
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_a_copy_of_the_folder_is_deployed(source: Path, deployed: list[CodeFolder]) -> None:
    deployed.append(CodeFolder(source))
    assert contents(deployed[0].path) == {"index.py", "pkg/data.json", "pkg/inner/deep.py"}


def test_what_fcignore_names_is_left_out(source: Path, deployed: list[CodeFolder]) -> None:
    (source / ".fcignore").write_text("*.json\ninner\n# a comment\n/index.pyx\n")
    (source / "keep.txt").write_text("")
    deployed.append(CodeFolder(source))
    assert contents(deployed[0].path) == {"index.py", "keep.txt"}


def test_what_is_deployed_is_read_only(source: Path, deployed: list[CodeFolder]) -> None:
    deployed.append(CodeFolder(source))
    modes = [path.stat().st_mode for path in (deployed[0].path, *deployed[0].path.rglob("*"))]
    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes)
    assert source.stat().st_mode & stat.S_IWUSR


def test_a_removed_folder_is_gone(source: Path) -> None:
    folder = CodeFolder(source)
    folder.remove()
    assert not folder.path.parent.exists()


def test_only_what_is_in_the_code_is_to_be_found(workshop: Workshop) -> None:
    workshop.require_packages()
    target = workshop.deploy(
        """
        import jmespath, importlib.util

        def handler(event, context):
            absent = [name for name in ("pytest", "rich", "pip", "tests") if importlib.util.find_spec(name)]
            return [jmespath.__version__, jmespath.search("a", {"a": 1}), absent]
        """,
        environment={"PYTHONPATH": "/code/python"},
    )
    assert workshop.answer(target) == [metadata.version("jmespath"), 1, []]


def test_without_a_pythonpath_packages_are_not_found(workshop: Workshop) -> None:
    workshop.require_packages()
    target = workshop.deploy(
        "import importlib.util\ndef handler(event, context):\n    return importlib.util.find_spec('jmespath')"
    )
    assert workshop.answer(target) is None


def test_code_that_requires_what_it_has_not_got_is_refused(source: Path) -> None:
    (source / "requirements.txt").write_text("jmespath==1.1.0")
    with pytest.raises(
        FunctionRefusedError, match=r"no python/, and nothing is installed here: .*pip install -t python"
    ):
        CodeFolder(source)


def test_a_folder_of_packages_or_a_link_to_one_is_taken_as_it_is(source: Path, deployed: list[CodeFolder]) -> None:
    (source / "requirements.txt").write_text("nowhere-to-be-found==1")
    elsewhere = source.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.py").write_text("")
    (source / "python").symlink_to(elsewhere)
    deployed.append(CodeFolder(source))
    assert (deployed[0].path / "python" / "linked.py").is_file()
    assert [path.name for path in elsewhere.iterdir()] == ["linked.py"]  # and left alone


# a zip


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_is_deployed_as_it_is_and_read_only(tmp_path: Path, deployed: list[CodeFolder]) -> None:
    packed = pack(tmp_path / "code.zip", {"index.py": b"", "pkg/mod.py": b"", ".fcignore": b"*.py"})
    deployed.append(CodeFolder(packed))
    everything = {str(path.relative_to(deployed[0].path)) for path in deployed[0].path.rglob("*")}
    assert everything == {".fcignore", "index.py", "pkg", "pkg/mod.py"}  # nothing is left out, nothing is compiled
    modes = [path.stat().st_mode for path in (deployed[0].path, *deployed[0].path.rglob("*"))]
    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes)


def test_a_zip_is_unpacked_once_and_stays_for_others(tmp_path: Path) -> None:
    one = CodeFolder(pack(tmp_path / "one.zip", {"index.py": b"1"}))
    same = CodeFolder(Path(shutil.copy(tmp_path / "one.zip", tmp_path / "same.zip")))
    other = CodeFolder(pack(tmp_path / "one.zip", {"index.py": b"2"}))
    one.remove()
    assert one.path == same.path
    assert ((same.path / "index.py").read_bytes(), (other.path / "index.py").read_bytes()) == (b"1", b"2")


def test_an_instance_writes_no_byte_code(tmp_path: Path, workshop: Workshop) -> None:
    source = (
        b"import pathlib, other\ndef handler(event, context):\n    return [str(pathlib.Path(other.__file__).parent)]\n"
    )
    packed = pack(tmp_path / "code.zip", {"index.py": source, "other.py": b""})
    spec = FunctionSpec("f", packed, "index.handler", timeout=60)
    workshop.cloud.fc.deploy(spec)
    folder = Path(workshop.answer(spec.target)[0])
    assert sorted(path.name for path in folder.iterdir()) == ["index.py", "other.py"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("python/msgspec/_core.cpython-39-x86_64-linux-gnu.so", b"\x7fELF"),
        ("python/jmespath/ast.pyc", b"\x61\x0d\x0d\x0a of another version"),
    ],
)
def test_a_zip_for_another_python_is_refused_with_what_to_do(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(FunctionRefusedError, match=r"is for another Python: .*for_this_interpreter\(\) builds"):
        CodeFolder(pack(tmp_path / "code.zip", {name: content}))


def test_a_zip_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_bytes(b"PK, or so it says")
    with pytest.raises(FunctionRefusedError, match=r"code\.zip' cannot be unpacked: File is not a zip file"):
        CodeFolder(tmp_path / "code.zip")


def test_a_pythonpath_in_code_is_where_the_code_is(source: Path, deployed: list[CodeFolder]) -> None:
    deployed.append(CodeFolder(source))
    at = deployed[0].path
    assert deployed[0].located("/code/python:/code:/opt/code:/codes") == f"{at}/python:{at}:/opt/code:/codes"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"name": "1st"}, "no digit is first"),
        ({"service": "a b"}, "a name is"),
        ({"runtime": "python3.11"}, "runtime 'python3.11' is none of python3.10, python3.12"),
        ({"handler": "index"}, "a handler is"),
        ({"initializer": ""}, "a handler is"),
        ({"timeout": 0}, "timeout is 1 to 86400 s"),
        ({"initializer_timeout": 301}, "1 to 300 s"),
        ({"memory": 100}, "steps of 64"),
        ({"environment": {"FC_MINE": "1"}}, "begin with FC_: FC_MINE"),
        ({"environment": {"N": 1}}, "not a text"),
        ({"reserved_concurrency": -1}, "not negative"),
        ({"code": Path("/nowhere")}, "is no folder and no zip"),
        ({"code": Path("/nowhere/code.zip")}, "is no folder and no zip; make package?"),
    ],
)
def test_settings_that_make_no_sense_are_refused(source: Path, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(FunctionRefusedError, match=problem):
        FunctionSpec(**{"name": "f", "code": source, "handler": "index.handler", **settings})


def test_all_that_is_wrong_is_said_at_once(source: Path) -> None:
    with pytest.raises(FunctionRefusedError, match=r"timeout is .*; memory is "):
        FunctionSpec("f", source, "index.handler", timeout=0, memory=1)
