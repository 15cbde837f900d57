"""No interleaving and no placement of faults loses a password; and the exploration that says so can fail."""

from __future__ import annotations

import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest

from tests.evidence.plugin import Evidence
from tests.protocol.cases import CASES, LONG_CASES, SWITCHES, Named
from tests.protocol.explorer import Explorer, Result
from tests.protocol.invariants import Violated
from tests.protocol.merging import merge_by_the_oldest, rotate_by_merged_events
from tests.protocol.mutants import MUTANTS, Mutant
from tests.protocol.states import FAULTS

HEADINGS = ("The world at first", "Two workers", "Passwords", "Faults", "Readings", "States", "Steps", "Ends")


def test_no_interleaving_loses_a_password(evidence: Evidence) -> None:
    results = explore(CASES)
    mattered = set().union(*(result.readings for result in results))
    assert mattered == set(SWITCHES) - {"purged_id_returns"}  # an id that was purged is never offered again
    evidence.publish("interleavings", report(CASES, results, evidence))


@pytest.mark.long
def test_no_interleaving_loses_a_password_under_any_reading_and_two_faults(evidence: Evidence) -> None:
    evidence.publish("interleavings-long", report(LONG_CASES, explore(LONG_CASES), evidence))


def test_a_wrong_variant_of_the_protocol_is_caught(evidence: Evidence) -> None:
    ends = {mutant: caught(mutant) for mutant in MUTANTS}
    assert [mutant.name for mutant, violated in ends.items() if violated is None] == []
    rows = []
    for mutant, violated in ends.items():
        violation, *trace = str(violated).splitlines()
        where = mutant.caught_in
        rows.append((mutant.name, violation, where.beginning, where.faults, len(trace)))
    table = evidence.table(("Wrong variant", "Violates", "The world at first", "Faults", "Steps of the trace"), rows)
    evidence.publish("mutants", table)


def test_a_variant_that_merges_events_by_the_oldest_instant_is_caught() -> None:
    rotate_by_merged_events()
    with pytest.raises(Violated, match="from before the event"):
        rotate_by_merged_events(merge_by_the_oldest())


def test_a_violation_is_told_step_by_step() -> None:
    (mutant,) = (one for one in MUTANTS if one.name == "no lease")
    violation, *trace = str(caught(mutant)).splitlines()
    assert violation == "I1: success while current was not live"
    assert trace[0] == "    0.00 worker 0: starts"
    assert all(" worker 0: " in line or " worker 1: " in line for line in trace)


def test_an_exploration_meets_the_same_states_every_time() -> None:
    case = replace(CASES[0], faults=1).case
    assert Explorer(case).run() == Explorer(case).run()


def test_each_fault_strikes() -> None:
    told: set[str] = set()
    Explorer(replace(CASES[0], faults=1).case, tell=lambda step: told.add(str(step))).run()
    shown = "\n".join(told)
    for fault in FAULTS:
        assert re.search(fault.replace("held up", r"held up \d+ s"), shown), fault


# how it is run


def explore(cases: list[Named]) -> list[Result]:
    """Explore every case, on as many processors as there are; fail with the trace of the first violation."""
    spawn = multiprocessing.get_context("spawn")  # this process has threads
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        return list(pool.map(explored, cases))


def explored(case: Named) -> Result:
    """Explore one case."""
    return Explorer(case.case).run()


def caught(mutant: Mutant) -> Violated | None:
    """Return what the exploration of a mutant's case ends with."""
    try:
        Explorer(mutant.caught_in.case, mutant.load()).run()
    except Violated as violated:
        return violated
    return None


def report(cases: list[Named], results: list[Result], evidence: Evidence) -> str:
    """Return a table of explorations, with the sum of their states."""
    rows = [
        (case.beginning, case.asked, case.source, case.faults, case.readings, result.states, result.steps, result.ends)
        for case, result in zip(cases, results, strict=True)
    ]
    states, ends = sum(result.states for result in results), sum(result.ends for result in results)
    table = evidence.table(HEADINGS, rows)
    return f"{table}\n\n{states:,} states, {ends:,} ends, 0 violations."
