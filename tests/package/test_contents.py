"""What is in the package that the tests run: all that the functions need, in few files, and the same in every build."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.installation import ROTATOR, SCAN, Installation
from tests.localcloud.fc.code import unpacked
from tests.localcloud.server import LocalCloud
from tests.package import for_this_interpreter, pruning
from tests.package.build import CODE, LICENSE, OWN, PACKAGES, ROOT
from tests.package.distributions import installed
from tests.package.running import run

# Counts, not seconds: what is more than this was not meant.
MOST_FILES = 1500
MOST_ENTRIES = 70  # of the folder that each import of a package looks through
MOST_BYTES = 8_500_000
MOST_COMPILED = 260  # modules that a start loads, and our own: 243 when this was last looked at
OURS = {".py", ".json", ".html", ".css"}
NOT_DEPLOYED = {".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx", ".typed"}


@pytest.fixture(scope="module")
def archive() -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(for_this_interpreter()) as found:
        yield found


@pytest.fixture(scope="module")
def paths(archive: zipfile.ZipFile) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in archive.namelist()]


def test_the_functions_their_modules_and_the_packages_are_all_that_is_in_it(paths: list[PurePosixPath]) -> None:
    assert {path.parts[0] for path in paths} == {*OWN, PACKAGES, LICENSE}
    assert not [path for path in paths if path.parts[0] in OWN and path.suffix not in {*OURS, ".pyc"}]


def test_everything_that_runs_is_in_it_as_it_is(archive: zipfile.ZipFile) -> None:
    for folder in OWN:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in OURS:
                assert archive.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()


def test_every_module_of_every_distribution_is_in_it(paths: list[PurePosixPath]) -> None:
    names = set(map(str, paths))
    for each in installed((ROOT / "requirements.txt").read_text(encoding="utf-8")):
        modules = [path for path in each.paths if path.suffix in {".py", ".so"} and ".." not in path.parts]
        for path in modules:
            name = str(path.with_name(path.name.partition(".")[0]))
            if "tests" not in path.parts and not name.endswith("/_testcapi") and name not in pruning.ACCELERATORS:
                assert {f"{PACKAGES}/{path}", f"{PACKAGES}/{path}c"} & names, path
    assert f"{PACKAGES}/certifi/cacert.pem" in names


def test_nothing_is_in_it_that_nobody_needs(paths: list[PurePosixPath]) -> None:
    theirs = [path for path in paths if path.parts[0] == PACKAGES]
    assert not [path for path in theirs if path.suffix in NOT_DEPLOYED]
    assert not [path for path in theirs if {"tests", "bin", "__pycache__"} & set(path.parts)]
    assert len([path for path in theirs if ".dist-info" in path.parts[1]]) == sum(map(len, pruning.READ.values()))


def test_it_is_small(archive: zipfile.ZipFile, paths: list[PurePosixPath]) -> None:
    assert len(paths) <= MOST_FILES
    assert len({path.parts[1] for path in paths if path.parts[0] == PACKAGES}) <= MOST_ENTRIES
    assert sum(entry.compress_size for entry in archive.infolist()) <= MOST_BYTES


def test_every_compiled_module_in_it_loads_and_the_largest_works(paths: list[PurePosixPath]) -> None:
    """They are trimmed: not only must all that an import maps be there, also what is looked up later."""
    compiled = [path.relative_to(PACKAGES) for path in paths if path.suffix == ".so"]
    names = [".".join((*path.parts[:-1], path.name.partition(".")[0])) for path in compiled]
    assert {"_cffi_backend", "cryptography.hazmat.bindings._rust", "msgspec._core"} <= set(names)
    code = """
        import importlib
        for name in sys.argv[1:]:
            importlib.import_module(name)

        import _cffi_backend
        made = _cffi_backend.newp(_cffi_backend.new_pointer_type(_cffi_backend.new_primitive_type("int")), 7)
        assert made[0] == 7

        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        key = rsa.generate_private_key(65537, 2048)
        how = (padding.PKCS1v15(), hashes.SHA256())
        key.public_key().verify(key.sign(b"text", *how), b"text", *how)
        print("verified")
    """
    assert run(code, *names) == "verified\n"


def test_nothing_in_it_says_when_or_where_it_was_made(archive: zipfile.ZipFile) -> None:
    assert [entry.filename for entry in archive.infolist()] == sorted(archive.namelist())
    assert {(entry.date_time, entry.external_attr >> 16) for entry in archive.infolist()} == {
        ((1980, 1, 1, 0, 0, 0), stat.S_IFREG | 0o644)
    }
    places = [str(ROOT).encode(), sys.prefix.encode()]
    for entry in archive.infolist():
        assert not [place for place in places if place in archive.read(entry)], entry.filename


def test_byte_code_is_never_held_against_a_source(archive: zipfile.ZipFile, paths: list[PurePosixPath]) -> None:
    compiled = [path for path in paths if path.suffix == ".pyc"]
    assert 100 < len(compiled) <= MOST_COMPILED
    for path in compiled:
        content = archive.read(str(path))
        assert int.from_bytes(content[4:8], "little") == 0b01, path  # a hash, and not to be checked (PEP 552)
        assert f"{CODE}/{path.parts[0]}/".encode() in content


def test_another_build_elsewhere_is_the_same(tmp_path: Path) -> None:
    root = tmp_path / "else" / "where"
    for name in OWN:
        shutil.copytree(ROOT / name, root / name)
    for name in ("requirements.txt", LICENSE):
        shutil.copy(ROOT / name, root)
    code = "import pathlib, sys; from tests.package.local import Recipe; from tests.package.build import ROOT\n"
    code += "sys.stdout.buffer.write(Recipe.of(pathlib.Path(sys.argv[1])).carried_out())"
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code, str(root)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "7",
            "TZ": "Asia/Shanghai",
        },
        umask=0o077,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == for_this_interpreter().read_bytes()


def test_no_module_that_an_event_needs_is_compiled_for_it(tmp_path: Path) -> None:
    """A cold start of each function, and its first event, with Python's own account of what it does."""
    text = (ROOT / "s.yaml").read_text(encoding="utf-8")
    text = text.replace("environmentVariables:\n", "environmentVariables:\n        PYTHONVERBOSE: '1'\n")
    manifest = tmp_path / "s.yaml"
    manifest.write_text(text.replace("./dist/code.zip", str(for_this_interpreter())), encoding="utf-8")
    with LocalCloud(skip_waiting=True) as cloud:
        deployed = Installation(cloud, manifest=manifest, ONBOARD="all")
        for name in ("alice", "bob"):
            deployed.add_user(name, "First-Pass-01!x")
        assert deployed.invoke(ROTATOR, {"UserName": "alice"}).error_type is None
        deployed.scan()
        deployed.settle()
        lines = [line for record in cloud.fc.logs() for line in record.text.splitlines()]
        assert {record.function for record in cloud.fc.logs()} == {ROTATOR.function, SCAN.function}
    at = unpacked(for_this_interpreter())
    used = [line for line in lines if line.startswith("# code object from") and str(at) in line]
    assert len(used) > 200
    assert not [line for line in used if ".pyc" not in line]
