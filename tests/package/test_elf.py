"""Compiled modules without what is not loaded: smaller, and the same to whoever loads them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

from tests.package.elf import trimmed

MODULE = Path(msgspec._core.__file__)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no ELF")


def test_what_is_loaded_stays_where_it_is_and_the_rest_is_gone() -> None:
    whole = MODULE.read_bytes()
    small = trimmed(whole)
    assert len(small) < len(whole)
    assert b".symtab\0" in whole
    assert b".symtab\0" not in small
    assert b"PyInit__core\0" in small  # what the interpreter looks for is in the table that is loaded
    assert small[64:4096] == whole[64 : len(small)][: 4096 - 64]


def test_it_is_loaded_as_before(tmp_path: Path) -> None:
    copy = tmp_path / MODULE.name
    copy.write_bytes(trimmed(MODULE.read_bytes()))
    spec = importlib.util.spec_from_file_location("msgspec._core", copy)
    assert spec is not None
    assert importlib.util.module_from_spec(spec).__doc__ == msgspec._core.__doc__


def test_twice_is_once() -> None:
    assert trimmed(trimmed(MODULE.read_bytes())) == trimmed(MODULE.read_bytes())


@pytest.mark.parametrize("content", [b"", b"text", b"\xcf\xfa\xed\xfe Mach-O"])
def test_what_is_no_elf_file_is_left_alone(content: bytes) -> None:
    assert trimmed(content) == content


@pytest.mark.parametrize("length", [6, 63, 64, 100, 5000])
def test_one_that_is_cut_off_is_left_alone(length: int) -> None:
    cut = MODULE.read_bytes()[:length]
    assert trimmed(cut) == cut
