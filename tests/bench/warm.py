"""Warm rotations against their six calls made bare; and what calls a rotation makes at all.

Both are functions on instances of their own, invoked in turn, so only the client's side is counted: the cloud is
another process. Their users have been rotated before, as nearly all have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from tests.bench.arena import APART, ARTEFACT, BARE, NAIVE, NOTHING, Arena, Sample
from tests.bench.results import Calls, Warm
from tests.bench.samples import net, ratios, spread

UNTIMED = 3  # rounds that open connections and fill caches
IN_A_ROUND = 5  # rotations each, in turn: one is so short that its figure says little
MERGED = 10  # requests about one user, in one event


def measure(arena: Arena, rounds: int, tell: Callable[[str], object]) -> Warm:
    """Rotate as many users by each in every round."""
    users = [f"warm-{number}" for number in range(3 + 2 * IN_A_ROUND * (UNTIMED + rounds))]
    tell(f"rotating {len(users)} users for the first time")
    arena.rotated_before(users)
    ours, bare, runtime = list[Sample](), list[Sample](), list[Sample]()
    tell(f"{rounds * IN_A_ROUND} warm rotations each")
    left = iter(users)
    for name in (ARTEFACT, BARE, NOTHING):
        arena.ended(name)
        arena.started(name, {"UserName": next(left)})
    for number in range(UNTIMED + rounds):
        taken: dict[str, list[Sample]] = {name: [] for name in (ARTEFACT, BARE, NOTHING)}
        for _ in range(IN_A_ROUND):
            for name, samples in taken.items():
                samples.append(arena.warm(name, {} if name == NOTHING else {"UserName": next(left)}))
        if number >= UNTIMED:
            ours.append(_mean(taken[ARTEFACT]))
            bare.append(_mean(taken[BARE]))
            runtime.append(_mean(taken[NOTHING]))
    return summed_up(ours, bare, runtime)


def summed_up(ours: Sequence[Sample], bare: Sequence[Sample], runtime: Sequence[Sample]) -> Warm:
    """Return what rounds come to, the runtime's own share subtracted on both sides."""
    cpu = [[each.cpu for each in samples] for samples in (ours, bare, runtime)]
    wall = [[each.wall for each in samples] for samples in (ours, bare, runtime)]
    return Warm(
        cpu=ratios(net(cpu[0], cpu[2]), net(cpu[1], cpu[2])),
        wall=ratios(net(wall[0], wall[2]), net(wall[1], wall[2])),
        rotation_cpu=spread(cpu[0]),
        bare_cpu=spread(cpu[1]),
        runtime_cpu=spread(cpu[2]),
    )


def _mean(samples: Sequence[Sample]) -> Sample:
    """Return what one of a round costs."""
    columns = ([each.cpu for each in samples], [each.wall for each in samples], [each.peak for each in samples])
    return Sample(*map(fmean, columns))


def calls(arena: Arena) -> Calls:
    """Count the calls of events, at the cloud."""
    arena.cloud.clock.shift(APART)
    counted = list(_counted(arena))
    return Calls(counted[0], counted[1], counted[2], MERGED, counted[3])


def _counted(arena: Arena) -> Iterator[int]:
    target = arena.specs[ARTEFACT].target
    arena.rotated_before(["counted"])
    since = arena.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    request = {"UserName": "counted", "RotatedSince": since}
    for event in (request, request):
        arena.cloud.calls.clear()
        arena.answer(target, event)
        yield len(arena.cloud.calls)
    arena.cloud.clock.shift(APART)
    merged: dict[str, object] = {"Requests": [{"UserName": "counted"}] * MERGED}
    for name, asked in ((ARTEFACT, merged), (NAIVE, arena.event(NAIVE))):
        arena.cloud.calls.clear()
        arena.answer(arena.specs[name].target, asked)
        yield len(arena.cloud.calls)
