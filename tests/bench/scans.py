"""Scans of directories of very different sizes: what grows with them, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta

from tests.bench.arena import SCAN_FUNCTION, Arena, Sample, arena
from tests.bench.results import Scan
from tests.bench.samples import Spread, ratios, spread

_DAY = timedelta(days=1)
_OLDEST = 90  # days since the last rotation: passwords live so long


def measure(sizes: Sequence[int], rounds: Mapping[int, int], tell: Callable[[str], object]) -> list[Scan]:
    """Scan each directory once in every round, by a fresh instance; the largest may have fewer rounds."""
    samples: dict[int, list[Sample]] = {size: [] for size in sizes}
    calls: dict[int, int] = {}
    with ExitStack() as stack:
        arenas = {size: stack.enter_context(arena()) for size in sizes}
        for size, each in arenas.items():
            tell(f"filling a directory with {size:,} users")
            fill(each, size)
        for number in range(max(rounds.values())):
            for size in (size for size in sizes if number < rounds[size]):
                tell(f"scan of {size:,} users, round {number + 1} of {rounds[size]}")
                arenas[size].cloud.calls.clear()
                samples[size].append(arenas[size].cold(SCAN_FUNCTION))
                calls[size] = len(arenas[size].cloud.calls)
    return summed_up(samples, calls)


def summed_up(samples: Mapping[int, Sequence[Sample]], calls: Mapping[int, int]) -> list[Scan]:
    """Return what rounds come to; growth is against the next smaller directory in the same round."""
    found = list[Scan]()
    smaller: Sequence[Sample] = ()
    for size, each in samples.items():
        same_round = list(zip(each, smaller, strict=False))
        found.append(
            Scan(
                users=size,
                cpu=spread([one.cpu for one in each]),
                wall=spread([one.wall for one in each]),
                peak=spread([one.peak for one in each]),
                calls=calls[size],
                growth_cpu=_growth([(larger.cpu, less.cpu) for larger, less in same_round]),
                growth_wall=_growth([(larger.wall, less.wall) for larger, less in same_round]),
            )
        )
        smaller = each
    return found


def _growth(pairs: Sequence[tuple[float, float]]) -> Spread | None:
    return ratios([larger for larger, _ in pairs], [smaller for _, smaller in pairs]) if pairs else None


def fill(arena: Arena, size: int) -> None:
    """Add users whose secrets say that they were rotated up to as long ago as passwords live."""
    cloud, directory_id = arena.cloud, arena.installed.directory_id
    now = cloud.clock.now()

    def tags(number: int) -> dict[str, str]:
        rotated = (now - number % _OLDEST * _DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"ManagedBy": "cloudsso-rotator", "DirectoryId": directory_id, "RotatedAt": rotated}

    cloud.kms.seed_secrets(size, f"cloudsso/{directory_id}/user", tags=tags)
    cloud.clock.shift(-2 * _OLDEST * _DAY.total_seconds())  # users are older than their passwords
    cloud.cloudsso.seed_users(size)
    cloud.clock.shift(2 * _OLDEST * _DAY.total_seconds())
