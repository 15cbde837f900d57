"""The page in a real browser, without scripts: quiet, legible, usable by keyboard, and as wide as the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from shared.errors import DirectoryUnavailable, SecretStoreDenied, SecretStoreUnavailable, SettingsError
from shared.page import HEADERS, Pages
from shared.status import Gap, State, Survey
from shared.words import WORDS
from tests.page.browser import CONTRAST, ORIGIN, THEMES, Answer, Look, Serve, Theme, looking, serve
from tests.page.samples import DAY, NOW, crowd, findings, selected, standing, survey

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEMPLATES = Path(__file__).parents[2] / "functions" / "rotation_status"
PAGES = Pages(TEMPLATES)
DENIED = SecretStoreDenied("RAM does not allow kms:ListSecrets.")
OUTAGE = SecretStoreUnavailable("KMS did not answer within 5 s.")
SILENT = DirectoryUnavailable("CloudSSO did not answer within 5 s.")
HOSTILE = "<script>alert(1)</script><style>*{display:none}</style>\u202e\"'&{{7*7}}"


def answering(found: Survey) -> Serve:
    """Return what answers for a directory, as the function does."""

    def answer(asked: dict[str, str]) -> Answer:
        said = findings(found)
        if asked.get("view") == "doctor":
            return 200, HEADERS, PAGES.doctor(found, said)
        state = State(asked["state"]) if asked.get("state") else None
        selection = selected(found, state, asked.get("q", ""), int(asked.get("page", "1")))
        return 200, HEADERS, PAGES.status(found, selection, said, age=timedelta(seconds=20))

    return answer


def hostile() -> Survey:
    one = replace(standing("x").user, name=HOSTILE)
    return survey(
        [replace(standing(f"a{state.value}", state), user=one, secret=f"cloudsso/{HOSTILE}") for state in State]
    )


EVERYTHING: dict[str, Callable[[], Survey]] = {
    "nobody": lambda: survey([]),
    "3 users": lambda: crowd(3, trouble=False),
    "300 users": lambda: crowd(300),
    "every state": lambda: survey([standing(f"user{state.value}", state) for state in State]),
    "hostile names": hostile,
    "long names": lambda: survey([standing("w" * 64, state) for state in State]),
    "nobody managed": lambda: survey([standing(name, State.UNMANAGED) for name in ("kim", "zoe")]),
    "no secrets": lambda: survey([standing("kim", State.UNKNOWN)], gaps=[Gap("secrets", DENIED)]),
    "an outage": lambda: survey(
        None,
        schedule=None,
        sso_enabled=None,
        gaps=[Gap("users", SILENT), Gap("password policy", SILENT), Gap("secrets", OUTAGE)],
    ),
    "overdue": lambda: survey([replace(standing("kim", State.DUE), due_at=NOW - 3 * DAY)]),
    "SSO": lambda: survey([standing("kim")], sso_enabled=True),
}
LOOKS: tuple[tuple[int, Theme], ...] = ((320, "dark"), (1280, "dark"), (1280, "light"))
WIDTHS = (1280, 640, 390, 320)  # a desk, the same at 200 %, a phone, the smallest one


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    """Look at 300 users from a desk."""
    with looking(browser) as look:
        serve(look, answering(crowd(300)))
        look.open()
        yield look


# ------------------------------------------------------------------------------------------------------ what is shown


@pytest.mark.parametrize("what", EVERYTHING)
def test_it_is_quiet_legible_and_as_wide_as_the_screen(browser: Browser, what: str) -> None:
    with looking(browser) as look:
        serve(look, answering(EVERYTHING[what]()))
        for view in ("status", "doctor"):
            look.open(f"{ORIGIN}/?view={view}")
            assert look.page.get_by_role("heading", level=1).is_visible()
            for width in WIDTHS:
                look.resize(width)
                assert (width, look.asks("document.documentElement.scrollWidth")) == (width, width)
            for width, theme in LOOKS:
                look.resize(width)
                look.wear(theme)
                found = look.asks(CONTRAST)
                assert (view, theme, found["failed"]) == (view, theme, [])
                assert found["looked"] > 10
        assert look.requests == [f"{ORIGIN}/?view=status", f"{ORIGIN}/?view=doctor"]
        assert look.complaints == []


def test_the_page_about_a_failure_is_as_quiet_and_as_legible(browser: Browser) -> None:
    with looking(browser, width=390, theme="dark") as look:
        serve(look, lambda _asked: (500, HEADERS, PAGES.failure(SettingsError("CLOUDSSO_DIRECTORY_ID is not set."))))
        look.open()
        assert "CLOUDSSO_DIRECTORY_ID is not set." in look.page.inner_text("main")
        assert look.asks(CONTRAST)["failed"] == []
        assert [each for each in look.complaints if "status of 500" not in each] == []


def test_it_is_dark_where_that_is_preferred(browser: Browser) -> None:
    grounds = {}
    with looking(browser) as look:
        serve(look, answering(crowd(3)))
        look.open()
        for theme in THEMES:
            look.wear(theme)
            grounds[theme] = look.asks("getComputedStyle(document.body).backgroundColor")
    assert grounds == {"light": "rgb(245, 246, 248)", "dark": "rgb(14, 17, 22)"}


def test_a_hostile_name_is_text(browser: Browser) -> None:
    with looking(browser) as look:
        serve(look, answering(hostile()))
        look.open()
        assert look.asks("document.querySelectorAll('script').length") == 0
        assert look.asks("document.querySelectorAll('style').length") == 1
        assert look.names() == [HOSTILE.replace("\u202e", "\\u202e")] * len(State)


def test_what_a_screen_reader_is_told(look: Look) -> None:
    page = look.page
    assert page.get_by_role("link", name="Skip to the content").count() == 1
    assert [page.get_by_role(role).count() for role in ("banner", "main", "contentinfo", "search")] == [1, 1, 1, 1]
    assert page.get_by_role("link", name="Expired 2 cannot log on").count() == 1
    assert page.get_by_role("img", name="Upcoming rotations and expiries, by day").count() == 1  # not both widths
    assert page.get_by_role("searchbox", name="Name contains").count() == 1
    assert page.get_by_role("combobox", name="State").count() == 1
    table = page.get_by_role("table", name="All 300, the urgent first")
    assert table.get_by_role("columnheader").all_inner_texts()[:2] == ["User and secret", "State"]
    assert table.get_by_role("rowheader").count() == 50
    assert table.get_by_role("row").count() == 51


def test_a_command_is_broken_between_words_only(browser: Browser) -> None:
    """One that is broken at a hyphen reads like another one; a word that is too long is scrolled to."""
    with looking(browser, width=320) as look:
        serve(look, answering(survey([standing("w" * 64, State.SECRET_IN_DELETION), standing("kim", State.STUCK)])))
        for view in ("status", "doctor"):
            look.open(f"{ORIGIN}/?view={view}")
            words = "document.querySelectorAll('.card .command .w')"
            assert look.asks(f"{words}.length") > 10
            assert look.asks(f"[...{words}].filter((each) => each.getClientRects().length > 1).length") == 0
            wide = "[...document.querySelectorAll('.command')].filter((each) => each.scrollWidth > each.clientWidth)"
            assert look.asks(f"{wide}.length") == 1
            assert look.asks(f"getComputedStyle({wide}[0]).overflowX") == "auto"


def test_tiles_stand_in_rows_that_are_as_long_as_each_other(look: Look) -> None:
    tops = look.asks("[...document.querySelectorAll('.tiles li')].map((each) => each.getBoundingClientRect().top)")
    assert [tops.count(each) for each in sorted(set(tops))] == [5, 4]


def test_of_whom_nothing_is_known_the_names_are_shown_and_still_are_a_table(browser: Browser) -> None:
    with looking(browser) as look:
        rows = [standing(f"user{index}", State.UNKNOWN) for index in range(43)]
        serve(look, answering(survey(rows, gaps=[Gap("secrets", OUTAGE)])))
        look.open()
        table = look.page.get_by_role("table", name="All 43, the urgent first")
        assert table.get_by_role("columnheader").all_inner_texts() == ["User", "State"]
        assert table.get_by_role("rowheader").count() == 43
        box = look.page.locator("table.users").bounding_box()
        assert box is not None
        assert box["height"] < 900


# ---------------------------------------------------------------------------------------------------------- on a phone


def test_on_a_phone_the_table_is_cards_with_a_label_at_every_value(browser: Browser) -> None:
    with looking(browser, width=390) as look:
        serve(look, answering(crowd(300)))
        look.open()
        row = look.page.locator("table.users tbody tr").first
        box = row.bounding_box()
        assert box is not None
        assert 120 < box["height"] < 320
        labels = look.asks(
            "[...document.querySelector('table.users tbody tr').querySelectorAll('td')]"
            ".map((each) => getComputedStyle(each, '::before').content)"
        )
        assert labels[1:] == ['"Last rotation"', '"Due"', '"Expires"', '"Version"', '"Last outcome"']
        assert look.page.get_by_role("rowheader").count() == 50  # and a table it still is
        assert look.page.locator("svg.chart.narrow").first.is_visible()
        assert not look.page.locator("svg.chart.wide").first.is_visible()


def test_what_is_tapped_on_a_phone_is_large_enough(browser: Browser) -> None:
    """WCAG 2.2, 2.5.8: 24 by 24 CSS pixels; links within a sentence are excepted."""
    with looking(browser, width=390) as look:
        serve(look, answering(crowd(300)))
        look.open()
        small = look.asks(
            "[...document.querySelectorAll('nav a, .tile, button, input, select, summary')]"
            ".filter((each) => each.checkVisibility())"
            ".filter((each) => Math.min(each.getBoundingClientRect().height, each.getBoundingClientRect().width) < 24)"
            ".map((each) => each.textContent.trim())"
        )
        assert small == []


# --------------------------------------------------------------------------------------------------------- by keyboard


def test_by_keyboard_everything_is_reached_in_the_order_in_which_it_is_read_and_is_seen_to_be(look: Look) -> None:
    order = []
    for _ in range(80):
        look.page.keyboard.press("Tab")
        at = look.asks(
            """
            (() => {
              const each = document.activeElement, style = getComputedStyle(each), box = each.getBoundingClientRect();
              const all = [...document.querySelectorAll('a[href], summary, input, select, button')];
              return [all.indexOf(each), parseFloat(style.outlineWidth), style.outlineStyle, box.width * box.height];
            })()
            """
        )
        if at[0] < 0:  # past the last one
            break
        order.append(at[0])
        assert at[1] >= 2
        assert at[2] == "solid"
        assert at[3] > 0
    assert order[0] == 0
    assert len(order) > 30
    assert order == sorted(order)


def test_the_first_stop_leads_past_the_navigation(look: Look) -> None:
    look.page.keyboard.press("Tab")
    assert look.asks("document.activeElement.textContent") == "Skip to the content"
    box = look.page.locator("a.skip").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    look.page.keyboard.press("Enter")
    assert look.asks("document.activeElement.id") == "main"


def test_what_is_folded_away_unfolds_by_keyboard(look: Look) -> None:
    summary = look.page.locator("summary", has_text="The same as a table").first
    table = look.page.get_by_role("table", name="Users who become due")
    assert table.count() == 0
    summary.focus()
    look.page.keyboard.press("Enter")
    assert table.is_visible()


# ---------------------------------------------------------------------------------------------------- filter and pages


def test_a_tile_shows_the_users_whom_it_counts(look: Look) -> None:
    look.page.get_by_role("link", name="Unmanaged 9").click()
    assert parse_qs(urlsplit(look.page.url).query) == {"state": ["unmanaged"]}
    assert len(look.names()) == 9
    assert set(look.page.locator("table.users .state").all_inner_texts()) == {"Unmanaged"}
    assert look.page.locator("a.tile[aria-current]").inner_text().startswith("Unmanaged")


def test_the_filter_works_by_keyboard_and_stays(look: Look) -> None:
    look.page.get_by_role("combobox", name="State").select_option("fresh")
    look.page.get_by_label("Name contains").fill("chen")
    look.page.keyboard.press("Enter")
    look.page.wait_for_url("**q=chen**")
    assert parse_qs(urlsplit(look.page.url).query) == {"q": ["chen"], "state": ["fresh"]}
    assert urlsplit(look.page.url).fragment == "users"
    assert look.names()
    assert all("chen" in name for name in look.names())
    assert look.page.get_by_label("Name contains").input_value() == "chen"
    assert look.page.get_by_role("combobox", name="State").input_value() == "fresh"
    look.page.get_by_role("link", name="Clear").click()
    assert len(look.names()) == 50


def test_pages_lead_through_everybody_and_keep_the_filter(look: Look) -> None:
    look.page.get_by_role("link", name=f"{WORDS[State.FRESH].title} 270").click()
    seen = look.names()
    while (following := look.page.get_by_role("link", name="Next", exact=True)).count():
        following.click()
        seen += look.names()
    assert len(seen) == len(set(seen)) == 270
    assert "251\u2013270 of 270" in look.page.inner_text("nav.pages")
    look.page.get_by_role("link", name="First", exact=True).click()
    assert look.names() == seen[:50]


def test_a_state_leads_to_what_the_doctor_says_of_it(look: Look) -> None:
    look.page.locator("table.users").get_by_role("link", name="Stuck claim").first.click()
    assert urlsplit(look.page.url).fragment == "stuck-claim"
    section = look.page.get_by_role("region", name="Stuck claims 2")
    assert """s reset_password invoke --event '{"UserName": "carol.adams"}'""" in section.inner_text()
    look.page.get_by_role("link", name="Status", exact=True).click()
    assert len(look.names()) == 50


def test_a_command_is_selected_whole_and_as_it_is(look: Look) -> None:
    command = look.page.locator("#attention code.command", has_text="alice.adams").first
    assert look.asks("getComputedStyle(document.querySelector('#attention code.command')).userSelect") == "all"
    command.click()
    assert look.asks("getSelection().toString()") == """s reset_password invoke --event '{"UserName": "alice.adams"}'"""
