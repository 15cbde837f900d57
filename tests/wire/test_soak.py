"""Hours of events, faults and kills at random: nothing is lost, and nothing grows."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.evidence.plugin import Evidence
from tests.localcloud.fc.processes import OBSERVABLE
from tests.localcloud.server import LocalCloud
from tests.wire import impatient
from tests.wire.aftermath import Footprint, lost, mend, struck, wrong
from tests.wire.soak import Load, Size, Soak

SEED = int(os.environ.get("SOAK_SEED", "2026"))
SHORT = Size(users=8, instances=2, stretches=1, load=Load(seconds=300, events=30, faults=8, kills=3, scans=1))
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
    assert lost(soaked) == []
    forced = mend(soaked)
    assert soaked.installed.dead_letters() == []
    assert wrong(soaked) == []
    return forced


def descriptors_left(soaked: Soak, before: int, seconds: float = 10) -> int:
    """End every instance, and return what this process still holds, when it is as before or the time is over."""
    soaked.end_instances()
    give_up = time.monotonic() + seconds
    while (left := Footprint.of(os.getpid()).descriptors) > before and time.monotonic() < give_up:
        time.sleep(0.05)  # connections of processes that have ended are being closed
    return left


def test_a_short_soak_loses_nothing(tmp_path: Path) -> None:
    with soak(tmp_path, SHORT) as soaked:
        before = Footprint.of(os.getpid()).descriptors
        soaked.stretch(SHORT.load)
        assert soaked.killed > 0
        assert struck(soaked).total() > 0
        assert_nothing_lost(soaked)
        assert descriptors_left(soaked, before) <= before


@pytest.mark.long
def test_hours_of_faults_and_kills_lose_nothing_and_nothing_grows(
    evidence: Evidence, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    size = Size()
    with soak(tmp_path, size) as soaked:
        before = Footprint.of(os.getpid()).descriptors
        survivor = soaked.spare_one()
        began = soaked.cloud.clock.now()
        seen: list[tuple[int, Footprint]] = []
        for _ in range(size.stretches):
            soaked.stretch(size.load)
            seen.append((survivor.served, Footprint.of(survivor.pid)))
        hours = (soaked.cloud.clock.now() - began).total_seconds() / 3600
        assert_nothing_grows(seen)
        letters = len(soaked.installed.dead_letters())
        figures = told(soaked, hours, letters, assert_nothing_lost(soaked))
        left = descriptors_left(soaked, before)
        assert left <= before
    cloud = (
        f"The loopback cloud's own process held {before} descriptors before the first instance was started, and {left} "
        "after the last one was ended."
    )
    text = "\n\n".join([textwrap.fill(figures, 120), held(evidence, seen), textwrap.fill(cloud, 120)])
    print(text)  # noqa: T201 - what `make soak` shows
    if pytestconfig.getoption("--evidence") == "write":  # no run has the figures of another: they are never compared
        evidence.publish("soak", text)


def assert_nothing_grows(seen: list[tuple[int, Footprint]]) -> None:
    """Compare what the survivor holds after every stretch with what it held after the first, when it was warm."""
    (_, warm), *others = seen
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(seen)), "it was not used"
    for _, footprint in others:
        assert footprint.descriptors <= warm.descriptors + PARALLEL
        assert footprint.threads <= warm.threads + 1  # one that has ended, and was frozen before it was gone
        assert footprint.megabytes <= warm.megabytes + GROWN


def told(soaked: Soak, hours: float, letters: int, forced: int) -> str:
    """Return the figures."""
    ways = ", ".join(f"{count:,} {way}" for way, count in sorted(soaked.sent.items()))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(struck(soaked).items()))
    calls, resets = len(soaked.cloud.calls), len(soaked.installed.resets())
    return (
        f"Seed {SEED}: {soaked.sent.total():,} events ({ways}) in {hours:.1f} hours of the cloud's time; "
        f"{calls:,} API calls, {struck(soaked).total()} of them struck ({kinds}); {soaked.killed} kills; "
        f"{resets:,} resets by the rotator; {letters} dead letters, all of which succeeded when they were fed back, "
        f"those about {forced} users by `Force`. 0 mismatches."
    )


def held(evidence: Evidence, seen: list[tuple[int, Footprint]]) -> str:
    """Return a table of what the survivor held after each stretch."""
    return evidence.table(
        ("After stretch", "Requests served", "Descriptors", "Threads", "Resident, MB"),
        [
            (number, served, footprint.descriptors, footprint.threads, footprint.megabytes)
            for number, (served, footprint) in enumerate(seen, start=1)
        ],
    )
