"""What the tests of the suite share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.rehearsal import Stage, stage


@pytest.fixture
def rehearsal() -> Iterator[Stage]:
    """Set a stage with everything that the suite can use."""
    with stage() as there:
        yield there
