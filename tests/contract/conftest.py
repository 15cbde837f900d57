"""Every implementation of every port, for the suites to be run against."""

from __future__ import annotations

import pytest

from shared.bootstrap import SystemClock
from shared.ports import Clock
from tests.contract.directories import CloudDirectoryWorld, DirectoryWorld, FakeDirectoryWorld
from tests.contract.dispatchers import FC2, FC3, CloudDispatcherWorld, DispatcherWorld, FakeDispatcherWorld
from tests.contract.stores import CloudStoreWorld, FakeStoreWorld, StoreWorld
from tests.deployment import CloudClock, Deployment
from tests.fakes import FakeClock
from tests.localcloud.server import LocalCloud


@pytest.fixture(params=["fake", "cloudsso"])
def directories(request: pytest.FixtureRequest) -> DirectoryWorld:
    """Return a directory without users."""
    if request.param == "fake":
        return FakeDirectoryWorld()
    return CloudDirectoryWorld(Deployment(request.getfixturevalue("cloud")))


@pytest.fixture(params=["fake", "kms"])
def stores(request: pytest.FixtureRequest) -> StoreWorld:
    """Return a store without secrets."""
    if request.param == "fake":
        return FakeStoreWorld()
    return CloudStoreWorld(Deployment(request.getfixturevalue("cloud")))


@pytest.fixture(params=["fake", "fc3", "fc2"])
def dispatchers(request: pytest.FixtureRequest) -> DispatcherWorld:
    """Return a dispatcher to a function that was never invoked."""
    if request.param == "fake":
        return FakeDispatcherWorld()
    return CloudDispatcherWorld(request.getfixturevalue("cloud"), FC3 if request.param == "fc3" else FC2)


@pytest.fixture(params=[FakeClock, CloudClock, SystemClock], ids=["fake", "cloud", "system"])
def clock(request: pytest.FixtureRequest) -> Clock:
    """Return each clock."""
    made: Clock
    if request.param is CloudClock:
        cloud: LocalCloud = request.getfixturevalue("cloud")
        made = CloudClock(cloud)
    else:
        made = request.param()
    return made
