"""Whatever is changed in the core, a test notices; what none notices is listed, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evidence.plugin import Evidence
from tests.mutation import campaign, report
from tests.mutation.campaign import Mutant
from tests.mutation.survivors import justified, outdated, unjustified

LISTED = justified()
FLOORED = Mutant("shared/expiry.py", "floored", "- return moment  # as it is\n+ return None  # as it is")
THRESHOLD = Mutant("shared/expiry.py", "Schedule.threshold", "- return 1")
SOURCE = """
def floored(moment):
    return moment  # as it is

class Schedule:
    def threshold(self):
        return 2
"""


@pytest.mark.long
def test_exactly_the_listed_mutants_survive(evidence: Evidence) -> None:
    outcome = campaign.run()
    assert [*unjustified(outcome.survivors, LISTED)] == []
    evidence.publish("mutation", report.text(outcome, LISTED))


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: f"{mutant.file}:{mutant.function}")
def test_the_code_that_a_listed_survivor_changes_is_still_there(mutant: Mutant) -> None:
    assert outdated(mutant) == []


def test_every_survivor_is_listed_with_a_reason() -> None:
    assert all(LISTED.values())


def test_a_change_of_code_that_is_gone_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/expiry.py").write_text(SOURCE)
    assert outdated(FLOORED, tmp_path) == []
    assert outdated(THRESHOLD, tmp_path) == ["return 1"]
    assert outdated(Mutant("shared/expiry.py", "Schedule.turn", "- return 1"), tmp_path) == ["Schedule.turn"]


def test_a_survivor_that_is_not_listed_and_a_listed_one_that_is_noticed_are_both_told() -> None:
    told = [*unjustified(frozenset({FLOORED}), {THRESHOLD: "why"})]
    assert told == [f"survives, and is not listed: {FLOORED}", f"is listed, and does not survive: {THRESHOLD}"]
    assert [*unjustified(frozenset({FLOORED}), {FLOORED: "why"})] == []
