"""`make replay SEED=17`: one random run step by step; one that violates an invariant with as little in it as does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

from rich.console import Console

from shared import rotation
from tests.protocol.invariants import Violated
from tests.protocol.scenarios import Scenario
from tests.protocol.simulation import Simulation


def violation(scenario: Scenario, code: ModuleType = rotation) -> Violated | None:
    """Return what a scenario violates, if anything."""
    try:
        Simulation(scenario, code).run()
    except Violated as violated:
        return violated
    return None


def reduced(scenario: Scenario, code: ModuleType = rotation) -> Scenario:
    """Return a violating scenario without the workers, faults and pauses that it does not take."""
    kept = next((fewer for fewer in _reductions(scenario, code) if violation(fewer, code)), None)
    return scenario if kept is None else reduced(kept, code)


def told(scenario: Scenario, code: ModuleType = rotation) -> str:
    """Return a test's failure: what is violated, the command that shows it, and the reduced run step by step."""
    least = reduced(scenario, code)
    return f"{scenario}\nmake replay SEED={scenario.seed}\n{violation(least, code)}"


def main(arguments: list[str]) -> int:
    """Print one run; return 1 if it violates an invariant."""
    console = Console(soft_wrap=True, highlight=False)
    if len(arguments) != 1 or not arguments[0].isdigit():
        console.print("Which run? A seed is a whole number: make replay SEED=17")
        return 2
    scenario = Scenario.drawn(int(arguments[0]))
    violated = violation(scenario)
    if violated is not None:
        with console.status("Taking away whatever it does not take"):
            least = told(scenario)
        console.print(least, markup=False)
        return 1
    simulation = Simulation(scenario)
    simulation.run()
    console.print("\n".join([str(scenario), *simulation.trace, "No invariant is violated."]), markup=False)
    return 0


def _reductions(scenario: Scenario, code: ModuleType) -> Iterator[Scenario]:
    for number in range(scenario.workers):
        if number not in scenario.absent and len(scenario.absent) < scenario.workers - 1:
            yield scenario.but(absent=scenario.absent | {number})
    simulation = Simulation(scenario, code)
    try:
        simulation.run()
    except Violated:
        for number in sorted(simulation.happened):
            yield scenario.but(only=frozenset(simulation.happened - {number}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
