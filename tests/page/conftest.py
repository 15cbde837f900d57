"""One browser for the tests of the page.

Playwright keeps an event loop running on the thread of the tests, so it ends before those of other packages begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.page.browser import launched
from tests.page.chromium import MISSING, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start Chromium; where there is none, skip."""
    path = chromium()
    if path is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        started = launched(playwright, path)
        yield started
        started.close()
