from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.state import CallStore, MemoryStore, SqliteStore, StateFileError


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CallStore]:
    """Return each kind of store in turn."""
    made: CallStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state")
    yield made
    made.close()


def test_objects_come_back_in_the_order_they_were_first_written(store: CallStore) -> None:
    for key, data in [("b", b"1"), ("a", b"2"), ("b", b"3")]:
        store.save("k", key, data)
    assert list(store.load("k")) == [("b", b"3"), ("a", b"2")]


def test_kinds_do_not_mix(store: CallStore) -> None:
    store.save("k", "a", b"1")
    store.save("l", "a", b"2")
    assert list(store.load("k")) == [("a", b"1")]
    assert list(store.load("none")) == []


def test_a_removed_object_is_gone_and_may_be_removed_again(store: CallStore) -> None:
    store.save("k", "a", b"1")
    store.remove("k", "a")
    store.remove("k", "a")
    assert list(store.load("k")) == []


def test_a_store_may_be_changed_while_it_is_read(store: CallStore) -> None:
    store.save("k", "a", b"1")
    store.save("k", "b", b"2")
    for key, _ in store.load("k"):
        store.remove("k", key)
    assert list(store.load("k")) == []


def refused_call(store: CallStore) -> None:
    """Write, then refuse, in one transaction."""
    with store.transaction():
        store.save("k", "a", b"1")
        raise KeyError


def test_a_transaction_keeps_its_writes_even_if_it_ends_in_a_refusal(store: CallStore) -> None:
    with pytest.raises(KeyError):
        refused_call(store)
    assert list(store.load("k")) == [("a", b"1")]


def seen_by_another(path: Path) -> list[tuple[str, bytes]]:
    """Return what another process would find in the file now."""
    other = SqliteStore(path)
    try:
        return list(other.load("k"))
    finally:
        other.close()


def test_a_single_write_is_durable_at_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state")
    store.save("k", "a", b"1")
    assert seen_by_another(tmp_path / "state") == [("a", b"1")]
    store.close()


def test_the_writes_of_a_transaction_become_durable_together(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state")
    with store.transaction(), store.transaction():
        store.save("k", "a", b"1")
        store.save("k", "b", b"2")
        between = seen_through(tmp_path / "state")
    assert (between, len(seen_by_another(tmp_path / "state"))) == (0, 2)
    store.close()


def seen_through(path: Path) -> int:
    """Count the objects another reader sees, without writing."""
    reader = sqlite3.connect(path)
    try:
        count: int = reader.execute("SELECT count(*) FROM objects").fetchone()[0]
        return count
    finally:
        reader.close()


def test_a_closed_state_is_one_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state")
    store.save("k", "a", b"1")
    store.close()
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("spoil", ["directory", "text"])
def test_a_file_that_is_no_state_is_refused_by_name(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "state"
    if spoil == "directory":
        path.mkdir()
    else:
        path.write_text("not a database, and longer than a header " * 10)
    with pytest.raises(StateFileError, match=f"state file {path}"):
        SqliteStore(path)
