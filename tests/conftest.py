"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import darabonba.core
import pytest
from hypothesis import settings

from shared import connections
from tests.deployment import Deployment
from tests.localcloud.server import LocalCloud

pytest_plugins = ["tests.evidence.plugin"]

# `make test` tries the same examples every time: its verdict on a change must not depend on luck. `make fuzz` searches.
# No deadlines: how fast an example is says something of the machine.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# All that the function that shows the state may ever ask for, in whatever test it runs; and what Function Compute asks
# for in its role's name.
_LOOKERS = ("rotation-status", "cloudsso-rotator-rotation-status")
_READS = frozenset(
    {
        "cloudsso:GetExternalSAMLIdentityProvider",
        "cloudsso:GetPasswordPolicy",
        "cloudsso:ListUsers",
        "kms:ListSecretVersionIds",
        "kms:ListSecrets",
    }
)
_PLATFORMS = frozenset({"log:PostLogStoreLogs", "mns:SendMessage"})
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the SDKs on loopback: their synchronous client honours proxies and ignores NO_PROXY."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _who_looks_only_reads() -> Iterator[None]:
    """Hold the function that shows the state to its five reads, by what RAM was asked on every cloud of every test."""
    stop = LocalCloud.stop

    def stopped(cloud: LocalCloud) -> None:
        stop(cloud)
        asked = {made.action for made in cloud.ram.decisions if made.role in _LOOKERS}
        assert asked <= _READS | _PLATFORMS, f"the function that shows the state asked for {asked - _READS}"

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalCloud, "stop", stopped)
        yield


@pytest.fixture(autouse=True)
def _sdk_as_it_comes() -> Iterator[None]:
    """Give every test the SDK's runtime as it is installed: a gateway makes it safe for the whole process."""
    session, adapter = darabonba.core.Session, darabonba.core.DaraCore.get_adapter
    yield
    darabonba.core.Session, darabonba.core.DaraCore.get_adapter = session, staticmethod(adapter)
    darabonba.core.DaraCore._sessions.clear()
    connections._shared.cache_clear()  # the next cloud may have the last one's port


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Serve a fresh, empty cloud."""
    with LocalCloud() as serving:
        yield serving


@pytest.fixture
def deployed(cloud: LocalCloud) -> Deployment:
    """Deploy the function, with a user alice who has a password."""
    deployment = Deployment(cloud)
    deployment.add_user("alice", "Old-Secret-01!")
    cloud.calls.clear()
    return deployment
