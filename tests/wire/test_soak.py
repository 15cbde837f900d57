"""Hours of events, faults and kills at random: nothing is lost, and nothing grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.evidence.plugin import Evidence
from tests.localcloud.fc.processes import OBSERVABLE
from tests.localcloud.server import LocalCloud
from tests.wire import impatient
from tests.wire.soak import Footprint, Load, Size, Soak

SEED = int(os.environ.get("SOAK_SEED", "2026"))
SHORT = Size(
    users=8, instances=2, spared=False, stretches=1, load=Load(seconds=300, events=30, faults=8, kills=2, scans=1)
)
PARALLEL = 8  # MAX_PARALLEL: as many connections as that may be kept
GROWN = 4.0  # megabytes, over hundreds of requests; what is kept of each would show

pytestmark = pytest.mark.skipif(not OBSERVABLE, reason="what a process holds is read from /proc")


@contextmanager
def soak(folder: Path, size: Size) -> Iterator[Soak]:
    print(f"SOAK_SEED={SEED}")  # noqa: T201 - shown if the test fails
    with LocalCloud() as elsewhere, LocalCloud(skip_waiting=True) as cloud:
        yield Soak(cloud, impatient.manifest(folder, 0.5), f"http://{elsewhere.endpoint}/", size, SEED)
        assert len(elsewhere.calls) == 0


def assert_nothing_lost(soaked: Soak) -> int:
    """Every request succeeded or is a dead letter; those fed back, all is well. Return how many had to be forced."""
    assert soaked.lost() == []
    forced = soaked.mend()
    assert soaked.installed.dead_letters() == []
    assert soaked.wrong() == []
    return forced


def test_a_short_soak_loses_nothing(tmp_path: Path) -> None:
    with soak(tmp_path, SHORT) as soaked:
        soaked.stretch(SHORT.load)
        assert soaked.killed > 0
        assert soaked.struck.total() > 0
        assert_nothing_lost(soaked)
        assert soaked.left().descriptors <= soaked.alone.descriptors


@pytest.mark.long
def test_hours_of_faults_and_kills_lose_nothing_and_nothing_grows(evidence: Evidence, tmp_path: Path) -> None:
    size = Size()
    with soak(tmp_path, size) as soaked:
        began = soaked.cloud.clock.now()
        seen: list[tuple[int, Footprint]] = []
        for _ in range(size.stretches):
            soaked.stretch(size.load)
            seen.append((soaked.survivor.served, soaked.footprint()))
        hours = (soaked.cloud.clock.now() - began).total_seconds() / 3600
        letters = len(soaked.installed.dead_letters())
        forced = assert_nothing_lost(soaked)
        assert_nothing_grows(seen)
        left = soaked.left()
        assert left.descriptors <= soaked.alone.descriptors
        figures = told(soaked, hours, letters, forced)
    held = evidence.table(
        ("After", "Requests served", "Descriptors", "Threads", "Resident MB"),
        [
            (f"stretch {number}", served, footprint.descriptors, footprint.threads, footprint.megabytes)
            for number, (served, footprint) in enumerate(seen, start=1)
        ],
    )
    cloud = (
        f"The loopback cloud's own process held {soaked.alone.descriptors} descriptors before there was an instance, "
    )
    cloud += f"and {left.descriptors} after the last one was ended."
    evidence.publish("soak", f"{figures}\n\n{held}\n\n{cloud}")


def assert_nothing_grows(seen: list[tuple[int, Footprint]]) -> None:
    """Compare what the survivor holds after every stretch with what it held after the first, when it was warm."""
    (_, warm), *others = seen
    assert all(before < after for (before, _), (after, _) in zip(seen, others, strict=False)), "it was not used"
    for _, footprint in others:
        assert footprint.descriptors <= warm.descriptors + PARALLEL
        assert footprint.threads <= warm.threads + 1  # one that has ended, and was frozen before it was gone
        assert footprint.megabytes <= warm.megabytes + GROWN


def told(soaked: Soak, hours: float, letters: int, forced: int) -> str:
    """Return the figures."""
    sent, struck = soaked.sent, soaked.struck
    ways = ", ".join(f"{count:,} {way}" for way, count in sorted(sent.items()))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(struck.items()) if count)
    return "\n".join(
        [
            f"Seed {SEED}: {sent.total():,} events ({ways}) in {hours:.1f} hours of the cloud's time;",
            f"{len(soaked.cloud.calls):,} API calls, {struck.total()} of them struck",
            f"({kinds});",
            f"{soaked.killed} kills; {len(soaked.installed.resets()):,} resets; {letters} dead letters,",
            f"all of which succeeded when they were fed back, those about {forced} users by `Force`. 0 mismatches.",
        ]
    )
