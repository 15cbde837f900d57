"""No password is lost, whatever the world does; and the simulation that says so can fail."""

from __future__ import annotations

import pytest

from tests.localcloud.switches import Switches
from tests.protocol.mutants import MUTANTS, Mutant
from tests.protocol.simulation import Faults, Simulation, Violated

RUNS = 400
SOURCES = pytest.mark.parametrize("staged", [False, True], ids=["generated", "staged"])
READINGS = {
    "likely": Switches(),
    "purged ids are gone, stages stay": Switches(purged_id_returns=False, stage_can_be_taken=False),
    "stages save from purging, the live password may be set": Switches(
        purge="earliest-without-stage", current_password_settable=True, repeated_put_moves_stages=True
    ),
}
HOSTILE = Faults(probability=0.25, pause_probability=0.25)
LATE = Faults(probability=0.5, pause_probability=0.05, kinds=("late",), begin_within=40)
PROFILES = [(False, HOSTILE), (True, HOSTILE), (False, LATE), (True, LATE)]


@SOURCES
@pytest.mark.parametrize("faults", [HOSTILE, LATE], ids=["hostile", "late"])
def test_no_success_is_untrue_in_the_world_in_which_wrong_variants_are_caught(*, faults: Faults, staged: bool) -> None:
    for seed in range(10 * RUNS):
        Simulation(seed, staged=staged, faults=faults).run()


@SOURCES
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("reading", READINGS)
def test_every_success_is_true_and_every_request_succeeds_in_the_end(
    *, reading: str, workers: int, staged: bool
) -> None:
    for seed in range(RUNS):
        Simulation(seed, workers=workers, staged=staged, switches=READINGS[reading]).run()


@SOURCES
def test_foreign_versions_written_meanwhile_are_never_called_a_success(*, staged: bool) -> None:
    for seed in range(RUNS):
        Simulation(seed, staged=staged, faults=Faults(foreign_writes=3)).run()


@SOURCES
def test_many_faults_may_exhaust_the_claims_but_never_make_a_success_untrue(*, staged: bool) -> None:
    for seed in range(RUNS):
        Simulation(seed, workers=3, staged=staged, faults=Faults(at_most=30, probability=0.4)).run()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_variant_of_the_protocol_is_caught(mutant: Mutant) -> None:
    code = mutant.load()
    with pytest.raises(Violated):  # noqa: PT012 - the first seed that catches it ends the search
        for seed in range(20_000):
            staged, faults = PROFILES[seed % len(PROFILES)]
            Simulation(seed, staged=staged, faults=faults, code=code).run()


def test_a_run_is_reproducible_from_its_seed() -> None:
    traces = []
    for _ in range(2):
        simulation = Simulation(7, workers=3, faults=Faults(probability=0.4))
        simulation.run()
        traces.append(simulation.trace)
    assert traces[0] == traces[1]
