"""The arithmetic of the benchmark, on figures that nobody measured."""

from __future__ import annotations

import pytest

from tests.bench import batches, cold, profiling, scans, targets, warm
from tests.bench.arena import ARTEFACT, NAIVE, Sample
from tests.bench.samples import Spread, net, ratios, spread


def test_a_spread_is_the_median_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert spread([0.123456]) == Spread(0.1235, 0.1235, 0.1235, 1)
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


def test_only_figures_of_the_same_round_are_divided_by_each_other() -> None:
    # The machine was ten times slower in the second round; in every round, ours took half as long as theirs.
    assert ratios([1.0, 10.0, 2.0], [2.0, 20.0, 4.0]) == Spread(0.5, 0.5, 0.5, 3)
    with pytest.raises(ValueError, match="3 repetitions against 2"):
        ratios([1.0, 1.0, 1.0], [1.0, 1.0])


def test_what_the_runtime_takes_is_subtracted_round_by_round() -> None:
    assert net([5.0, 7.0], [1.0, 2.0]) == [4.0, 5.0]


def test_cold_starts_are_compared_round_by_round() -> None:
    ours = [Sample(1.0, 1.5, 40.0), Sample(3.0, 3.5, 40.0)]
    theirs = [Sample(2.0, 3.0, 80.0), Sample(6.0, 7.0, 80.0)]
    phases = {NAIVE: [{"imports": 1.0}, {"imports": 3.0}]}
    found = cold.summed_up({ARTEFACT: ours, NAIVE: theirs}, {ARTEFACT: 200, NAIVE: 1000}, phases)
    assert list(found.against) == [NAIVE]
    assert [each.median for each in (found.against[NAIVE].cpu, found.against[NAIVE].peak)] == [0.5, 0.5]
    assert found.phases[NAIVE]["imports"].median == 2.0
    assert found.cost[NAIVE].cpu == Spread(4.0, 2.0, 6.0, 2)


def test_warm_rotations_are_compared_without_the_runtimes_own_share() -> None:
    ours, bare, runtime = ([Sample(cpu, cpu, 0.0)] for cpu in (6.0, 5.0, 1.0))
    found = warm.summed_up(ours, bare, runtime)
    assert (found.cpu.median, found.rotation_cpu.median) == (1.25, 6.0)


def test_the_ideal_schedule_is_every_worker_waiting_all_the_time() -> None:
    assert batches.ideal_seconds(200, 8, 6, 0.05) == pytest.approx(7.5)
    assert batches.ideal_seconds(201, 8, 6, 0.05) == pytest.approx(7.8)


def test_a_scan_grows_against_the_next_smaller_one_of_the_same_round() -> None:
    samples = {10: [Sample(1.0, 2.0, 30.0), Sample(2.0, 2.0, 30.0)], 100: [Sample(9.0, 10.0, 31.0)]}
    small, large = scans.summed_up(samples, {10: 3, 100: 21})
    assert (small.growth_cpu, small.calls, large.calls) == (None, 3, 21)
    assert large.growth_cpu == Spread(9.0, 9.0, 9.0, 1)
    assert large.growth_wall == Spread(5.0, 5.0, 5.0, 1)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (0.3, targets.STRETCH),
        (0.33, targets.STRETCH),
        (0.4, targets.MET),
        (0.5, targets.MISSED),
        (None, "not measured"),
    ],
)
def test_a_target_is_met_or_missed_and_says_so(measured: float | None, said: str) -> None:
    assert targets.Target("cold start", 0.45, 0.33, measured).verdict().verdict == said


def test_imports_are_summed_up_by_package() -> None:
    spent, modules = profiling.by_package([("5", "aiohttp"), ("7", "aiohttp.client"), ("3", "json.decoder")])
    assert spent == {"aiohttp": 12, "the standard library": 3}
    assert modules == {"aiohttp": 2, "the standard library": 1}
