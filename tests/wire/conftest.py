"""What the wire tests share."""

from __future__ import annotations

import pytest

from tests.localcloud.server import LocalCloud
from tests.wire.threats import Attacked, Threat


@pytest.fixture
def attacked(cloud: LocalCloud) -> Attacked:
    """Deploy the rotator, to be attacked."""
    return Attacked(cloud)


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> str:
    """Return how the threat ends that a test is the proof of."""
    proven: Threat = request.function.threat
    return proven.ends
