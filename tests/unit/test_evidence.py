"""docs/evidence.md is what its template and its proofs make of it."""

from __future__ import annotations

import pytest

from tests.evidence import document
from tests.evidence.plugin import Evidence


def test_the_page_is_the_template_with_every_section_filled_in() -> None:
    sections = document.published()
    assert sorted(sections) == sorted(document.places())
    assert document.WANTING not in sections.values()
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.filled(sections)


def test_a_proof_that_yields_something_else_than_what_is_published_fails() -> None:
    (section, *_) = document.places()
    evidence = Evidence({section: "as it was"}, None)
    evidence.publish(section, "as it was")
    with pytest.raises(AssertionError, match=f"out of date: make evidence .{section}"):
        evidence.publish(section, "as it is")


def test_a_section_is_published_once_and_has_a_place() -> None:
    (section, *_) = document.places()
    written: dict[str, str] = {}
    evidence = Evidence({}, written)
    evidence.publish(section, "text")
    assert written == {section: "text"}
    with pytest.raises(AssertionError, match="twice"):
        evidence.publish(section, "text")
    with pytest.raises(AssertionError, match="no place"):
        evidence.publish("nowhere", "text")


def test_a_table_keeps_its_cells_apart_and_its_numbers_right() -> None:
    assert document.table(["what", "count"], [["a|b", 1200], ["c", 3]]).splitlines() == [
        "| what | count |",
        "|---|---:|",
        "| a\\|b | 1,200 |",
        "| c | 3 |",
    ]
