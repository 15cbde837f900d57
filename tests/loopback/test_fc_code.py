"""What is deployed: the folder less .fcignore, its requirements and no others; and settings that make sense."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
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


def test_requirements_and_only_they_are_to_be_found(workshop: Workshop) -> None:
    workshop.require("jmespath")
    target = workshop.deploy(
        """
        import jmespath, importlib.util

        def handler(event, context):
            absent = [name for name in ("msgspec", "requests", "pytest", "pip") if importlib.util.find_spec(name)]
            return [jmespath.__version__, jmespath.search("a", {"a": 1}), absent]
        """,
        environment={"PYTHONPATH": "/code/python"},
    )
    assert workshop.answer(target) == [metadata.version("jmespath"), 1, []]


def test_without_a_pythonpath_they_are_not_found(workshop: Workshop) -> None:
    workshop.require("jmespath")
    target = workshop.deploy(
        "import importlib.util\ndef handler(event, context):\n    return importlib.util.find_spec('jmespath')"
    )
    assert workshop.answer(target) is None


def test_the_projects_own_requirements_are_all_there(deployed: list[CodeFolder]) -> None:
    deployed.append(CodeFolder(ROOT))
    found = {path.name for path in (deployed[0].path / "python").iterdir()}
    assert {"msgspec", "jmespath", "alibabacloud_kms20160120", "darabonba"} <= found
    assert found.isdisjoint({"pytest", "mypy", "ruff", "starlette", "uvicorn", "yaml"})
    assert {path.name for path in deployed[0].path.iterdir()} >= {"functions", "shared", "requirements.txt"}
    assert not (deployed[0].path / "tests").exists()


def test_a_marker_that_is_not_so_excludes_a_requirement(source: Path, deployed: list[CodeFolder]) -> None:
    (source / "requirements.txt").write_text('nowhere-to-be-found==1 ; python_version < "3" \\\n    --hash=sha256:00\n')
    deployed.append(CodeFolder(source))
    assert list((deployed[0].path / "python").iterdir()) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nowhere-to-be-found==1", "nowhere-to-be-found is not installed"),
        ("jmespath==0.0.1", r"jmespath==0\.0\.1 is asked for, .* is installed"),
        ("jmespath = 1", "not understood"),
    ],
)
def test_requirements_that_cannot_be_met_refuse_the_deployment(source: Path, line: str, problem: str) -> None:
    (source / "requirements.txt").write_text(line)
    with pytest.raises(FunctionRefusedError, match=problem):
        CodeFolder(source)


def test_a_python_folder_that_is_there_already_is_taken_as_it_is(source: Path, deployed: list[CodeFolder]) -> None:
    (source / "python").mkdir()
    (source / "python" / "vendored.py").write_text("")
    (source / "requirements.txt").write_text("nowhere-to-be-found==1")
    deployed.append(CodeFolder(source))
    assert (deployed[0].path / "python" / "vendored.py").is_file()


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
        ({"code": Path("/nowhere")}, "is no folder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(source: Path, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(FunctionRefusedError, match=problem):
        FunctionSpec(**{"name": "f", "code": source, "handler": "index.handler", **settings})


def test_all_that_is_wrong_is_said_at_once(source: Path) -> None:
    with pytest.raises(FunctionRefusedError, match=r"timeout is .*; memory is "):
        FunctionSpec("f", source, "index.handler", timeout=0, memory=1)
