"""No password is lost in random runs either, with more workers and faults than can be explored."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.evidence.plugin import Evidence
from tests.protocol.invariants import Violated
from tests.protocol.mutants import MUTANTS, Mutant
from tests.protocol.replay import main, reduced, told, violation
from tests.protocol.scenarios import Scenario
from tests.protocol.simulation import Simulation

SEEDS = 1000
MANY_SEEDS = 30_000
SHARE = 2000  # seeds that a process takes at a time


def test_every_success_is_true_and_every_request_succeeds_in_the_end() -> None:
    for seed in range(SEEDS):
        scenario = Scenario.drawn(seed)
        assert violation(scenario) is None, told(scenario)


@pytest.mark.long
def test_random_runs_violate_nothing(evidence: Evidence) -> None:
    shares = [range(first, first + SHARE) for first in range(SEEDS, SEEDS + MANY_SEEDS, SHARE)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        met = sum(pool.map(ends_of, shares), Counter[str]())
    rows = sorted(met.items())
    table = evidence.table(("What was met", "Times"), rows)
    last = SEEDS + MANY_SEEDS - 1
    said = f"Seeds {SEEDS:,} to {last:,}: 0 violations. `make test` runs those below {SEEDS:,}."
    evidence.publish("random", f"{said}\n\n{table}")


# A mutant that shows only where every call is tried is left to test_interleavings.py.
SHOW = [mutant for mutant in MUTANTS if mutant.name in ("the clock is read after the list", "no lease")]


@pytest.mark.parametrize("mutant", SHOW, ids=lambda mutant: mutant.name)
def test_a_violation_is_found_and_reduced_to_what_it_takes(mutant: Mutant) -> None:
    code = mutant.load()
    scenario = next(found for found in map(Scenario.drawn, range(20_000)) if violation(found, code))
    least = reduced(scenario, code)
    assert violation(least, code) is not None
    happened = met(least, code)
    assert all(violation(least.but(only=frozenset(happened - {number})), code) is None for number in happened)
    text = told(scenario, code)
    assert f"make replay SEED={scenario.seed}" in text
    assert text.endswith(str(violation(least, code)))
    assert happened <= met(scenario, code) or least.absent


def test_a_run_is_reproducible_from_its_seed() -> None:
    traces = []
    for _ in range(2):
        simulation = Simulation(Scenario.drawn(7))
        simulation.run()
        traces.append(simulation.trace)
    assert traces[0] == traces[1]


def test_a_replay_prints_the_run_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["7"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("seed 7: ")
    assert any("worker 0: success" in line for line in shown)
    assert shown[-1] == "No invariant is violated."


@pytest.mark.parametrize("arguments", [[], ["x"], ["-1"], ["1", "2"]])
def test_a_replay_without_a_seed_says_what_to_type(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "make replay SEED=17" in capsys.readouterr().out


def met(scenario: Scenario, code: object) -> set[int]:
    """Return the numbers of the faults and pauses that happen in a run."""
    simulation = Simulation(scenario, code)  # type: ignore[arg-type]
    with contextlib.suppress(Violated):
        simulation.run()
    return simulation.happened


def ends_of(seeds: Iterable[int]) -> Counter[str]:
    """Run seeds; return what was met, or fail with the first violation."""
    counted: Counter[str] = Counter()
    for seed in seeds:
        scenario = Scenario.drawn(seed)
        assert violation(scenario) is None, told(scenario)
        simulation = Simulation(scenario)
        simulation.run()
        counted["runs"] += 1
        counted["workers"] += scenario.workers
        counted["faults and pauses"] += len(simulation.happened)
        counted["deliveries"] += sum(worker.delivery for worker in simulation.workers)
        counted["requests that ran out of attempts"] += sum(worker.exhausted for worker in simulation.workers)
        counted["versions purged"] += len(simulation.store.purged)
    return counted
