"""Cold starts, the case that matters: rotations are rare, so nearly every one begins with a new instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.bench.arena import ARTEFACT, NAIVE, Arena, Sample
from tests.bench.results import Cold, Cost
from tests.bench.samples import Spread, ratios, spread


def measure(arena: Arena, rounds: int, tell: Callable[[str], object]) -> Cold:
    """Start everybody once in each round, one after the other, and somebody else first in the next."""
    names = arena.names()
    tell("warming the disk's cache")
    for name in names:
        arena.cold(name)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    phases: dict[str, list[Mapping[str, float]]] = {name: [] for name in (ARTEFACT, NAIVE)}
    for number in range(rounds):
        tell(f"cold starts, round {number + 1} of {rounds}")
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            samples[name].append(arena.cold(name))
            if name in phases:
                phases[name].append(arena.phases(name))
    return summed_up(samples, {name: len(arena.modules(name)) for name in names}, phases)


def summed_up(
    samples: Mapping[str, Sequence[Sample]],
    modules: dict[str, int],
    phases: Mapping[str, Sequence[Mapping[str, float]]],
) -> Cold:
    """Return what rounds come to."""
    ours = samples[ARTEFACT]
    return Cold(
        cost={name: _cost(theirs) for name, theirs in samples.items()},
        against={name: _against(ours, theirs) for name, theirs in samples.items() if name != ARTEFACT},
        modules=modules,
        phases={
            name: {phase: spread([each[phase] for each in rounds]) for phase in rounds[0]}
            for name, rounds in phases.items()
        },
    )


def _cost(samples: Sequence[Sample]) -> Cost:
    return Cost(*(spread(values) for values in _columns(samples)))


def _against(ours: Sequence[Sample], theirs: Sequence[Sample]) -> Cost:
    pairs: list[Spread] = [ratios(our, their) for our, their in zip(_columns(ours), _columns(theirs), strict=True)]
    return Cost(*pairs)


def _columns(samples: Sequence[Sample]) -> list[list[float]]:
    return [[each.cpu for each in samples], [each.wall for each in samples], [each.peak for each in samples]]
