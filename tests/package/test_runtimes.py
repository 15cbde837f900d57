"""The packages for Function Compute's own runtimes, from the index: it takes minutes, and needs the network."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tests.package import started
from tests.package.__main__ import make
from tests.package.build import LICENSE, OWN, PACKAGES, ROOT
from tests.package.target import VERSIONS, interpreter

pytestmark = [pytest.mark.long, pytest.mark.parametrize("python", VERSIONS)]


def test_two_builds_in_two_places_are_the_same(python: str, tmp_path: Path) -> None:
    for name in (*OWN, LICENSE, "requirements.txt"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        copy(ROOT / name, tmp_path / "elsewhere" / name)
    one, other = tmp_path / "one" / "code.zip", tmp_path / "elsewhere" / "dist" / "code.zip"
    make(python, one)
    make(python, other, tmp_path / "elsewhere")
    assert one.read_bytes() == other.read_bytes()


def test_the_functions_start_from_it_and_compile_nothing(python: str, tmp_path: Path) -> None:
    found = interpreter(python)
    if found is None:
        pytest.skip(f"there is no Python {python} here")
    make(python, tmp_path / "code.zip")
    code = tmp_path / "code"
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        archive.extractall(code)
    loaded = started.modules(code, found.path, code / PACKAGES)
    own = {path for path in loaded if path.is_relative_to(code) and path.relative_to(code).parts[0] in OWN}
    assert len(own) > 20
    assert not [path for path in loaded - own if path.is_relative_to(code)]  # no source of a distribution is looked at
    assert all((path.parent / "__pycache__").is_dir() for path in own)
