"""What the tests of the loopback cloud share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.server import LocalCloud
from tests.loopback.workshop import Workshop


@pytest.fixture
def skipping() -> Iterator[LocalCloud]:
    """Serve a cloud in which nobody waits in real time."""
    with LocalCloud(skip_waiting=True) as serving:
        yield serving


@pytest.fixture
def workshop(skipping: LocalCloud, tmp_path: Path) -> Workshop:
    """Deploy small functions on it."""
    return Workshop(skipping, tmp_path)
