"""The contract of Clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.bootstrap import SystemClock
from shared.model import SecretValue, VersionId
from shared.ports import Clock
from tests.contract.stores import CloudStoreWorld, FakeStoreWorld
from tests.deployment import Deployment
from tests.fakes import user
from tests.localcloud.server import LocalCloud

CLAIM = VersionId("r1-c1")
SKEW = timedelta(seconds=5)
TICK = timedelta(seconds=1)  # a version's time is its whole second


def test_now_is_aware_and_in_utc(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize("seconds", [0.001, 0.05])
def test_sleep_lets_that_many_seconds_pass(clock: Clock, seconds: float) -> None:
    before = clock.now()
    clock.sleep(seconds)
    assert clock.now() - before >= timedelta(seconds=seconds)


def test_sleeping_no_time_is_no_error(clock: Clock) -> None:
    before = clock.now()
    clock.sleep(0)
    assert clock.now() >= before


@pytest.mark.parametrize("shift", [-3600, 0, 3600])
def test_the_clouds_clock_agrees_with_its_kms_however_it_was_shifted(cloud: LocalCloud, shift: int) -> None:
    cloud.clock.shift(shift)
    _agrees(CloudStoreWorld(Deployment(cloud)))


def test_the_fakes_clock_agrees_with_the_fake_store() -> None:
    _agrees(FakeStoreWorld())


def test_the_machines_clock_agrees_with_a_kms_that_keeps_true_time(cloud: LocalCloud) -> None:
    _agrees(CloudStoreWorld(Deployment(cloud)), SystemClock())


def test_late_requests_have_landed_when_the_clouds_clock_has_slept(cloud: LocalCloud) -> None:
    world = CloudStoreWorld(Deployment(cloud))
    landed: list[str] = []
    cloud._gateway.late.add(lambda: landed.append("landed"))
    world._clock.sleep(1)
    assert landed == ["landed"]


def _agrees(world: CloudStoreWorld | FakeStoreWorld, clock: Clock | None = None) -> None:
    now = clock.now if clock else world.now
    before = now()
    send_by = world.now() + timedelta(seconds=20)
    world.store.create(world.secret("alice"), CLAIM, SecretValue("{}"), user("alice"), send_by=send_by)
    (version,) = world.store.versions(world.secret("alice")) or ()
    assert before - SKEW - TICK <= version.created <= now() + SKEW
