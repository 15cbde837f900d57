"""`make screenshots`: the pictures of the page that the documentation shows, of a made-up directory.

python -m tests.page.screenshots [FOLDER]
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from shared.page import HEADERS, Pages
from shared.status import State, Survey
from tests.page.browser import Answer, Theme, launched, looking, serve
from tests.page.chromium import MISSING, chromium
from tests.page.samples import blurred, dice, findings, names, selected, standing, survey

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "functions" / "rotation_status"
USERS = 300
# Name, width, height, theme, pixels of the picture for each of the page.
PICTURES: tuple[tuple[str, int, int, Theme, float], ...] = (
    ("status-page.png", 1280, 1960, "light", 1),
    ("status-page-dark.png", 1280, 1960, "dark", 1),
    ("status-page-phone.png", 390, 1500, "light", 1.5),
)


def directory() -> Survey:
    """Return a directory as it is on an ordinary day: one claim was left, some are due, some nobody manages."""
    chance = dice(7)
    rows = []
    for index, name in enumerate(names(USERS)):
        draw = chance.random()
        state = State.STUCK if index == 2 else State.FRESH
        if state is State.FRESH and draw < 0.08:
            state = (State.DUE, State.UNMANAGED, State.PROTECTED, State.DISABLED)[index % 4]
        rows.append(standing(name, state, seed=index))
    return blurred(survey(rows), 200)


def main(folder: Path) -> int:
    """Write the pictures."""
    path = chromium()
    if path is None:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    found = directory()
    text = Pages(TEMPLATES).status(found, selected(found), findings(found), age=timedelta(seconds=12))

    def answer(_asked: dict[str, str]) -> Answer:
        return 200, HEADERS, text

    with sync_playwright() as playwright:
        browser = launched(playwright, path)
        for name, width, height, theme, scale in PICTURES:
            with looking(browser, width=width, height=height, theme=theme, scale=scale) as look:
                serve(look, answer)
                look.open()
                look.page.screenshot(path=folder / name)
                sys.stdout.write(f"{folder.name}/{name}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"))
