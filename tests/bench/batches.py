"""One event about many users, where every API call takes a while: time should go into waiting alone."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.bench.arena import APART, ARTEFACT, USER, Arena, Sample
from tests.bench.results import Batch
from tests.bench.samples import spread
from tests.localcloud.gateway.faults import Fault

USERS = 200
LATENCY = 0.05  # seconds, of every API call
PARALLEL = 8  # MAX_PARALLEL's default
CALLS = 6  # of a rotation, one after the other
_EVERY_CALL = 1_000_000


def measure(arena: Arena, rounds: int, users: int, tell: Callable[[str], object]) -> Batch:
    """Rotate so many users at once by a warm instance, in every round."""
    arena.ended(ARTEFACT)
    arena.cloud.clock.shift(APART)
    arena.started(ARTEFACT, {"UserName": USER})
    samples = list[Sample]()
    for number in range(rounds):
        tell(f"a batch of {users}, round {number + 1} of {rounds}")
        prefix = f"batch-{number}-"
        names = [f"{prefix}{position:06}" for position in range(users)]
        arena.cloud.cloudsso.seed_users(users, prefix)
        arena.cloud.faults.arm(Fault("*", "latency", count=_EVERY_CALL, seconds=LATENCY))
        samples.append(arena.warm(ARTEFACT, {"Requests": [{"UserName": name} for name in names]}))
        arena.cloud.faults.clear()
    ideal = ideal_seconds(users, PARALLEL, CALLS, LATENCY)
    return Batch(
        users=users,
        parallel=PARALLEL,
        latency=LATENCY,
        ideal=ideal,
        wall=spread([each.wall for each in samples]),
        against_ideal=spread([each.wall / ideal for each in samples]),
        cpu=spread([each.cpu for each in samples]),
    )


def ideal_seconds(users: int, parallel: int, calls: int, latency: float) -> float:
    """Return how long it takes if every worker always waits for an answer, and for nothing else."""
    return math.ceil(users / parallel) * calls * latency
