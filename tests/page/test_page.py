"""What the page says of every state and of what is missing, and that nothing from outside becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import commands, page, words
from shared.doctor import Finding, Problem, not_checked
from shared.errors import (
    DirectoryUnavailable,
    MalformedEvent,
    OutOfTime,
    PasswordInEvent,
    RotatorError,
    SecretStoreDenied,
    SecretStoreUnavailable,
    SettingsError,
    UnexpectedFailure,
    UnsupportedEvent,
    UserNotFound,
)
from shared.page import HEADERS, Link, Pages
from shared.status import ALARMING, Gap, Selection, Standing, State, Survey
from shared.words import TITLES, WORDS, relative, visible
from tests.page import samples
from tests.page.samples import DAY, NOW, crowd, findings, selected, standing, survey

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "functions" / "rotation_status"
PAGES = Pages(TEMPLATES)
OUTAGE = SecretStoreUnavailable("KMS did not answer within 5 s.")
DENIED = SecretStoreDenied("RAM does not allow kms:ListSecrets.")
VOID = {"br", "hr", "img", "input", "meta"}
NOT_SSO = "KMS does not answer: it is not known whether SSO logon is enabled"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "x" * 64,
    "\u202ecod.ecila",
    "a\x00b\nc\u2028",
)


class Outline(HTMLParser):
    """What a browser would find, checked for balance on the way."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self._quiet = 0
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def bones(self) -> list[tuple[str, list[str]]]:
        """Return what the page is made of, but for the words of commands, which may have more or fewer."""
        word = ("span", {"class": "w"})
        return [(tag, sorted(attributes)) for tag, attributes in self.tags if (tag, attributes) != word]

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)

    def links(self) -> list[str]:
        return [each["href"] or "" for each in self.all("a")]


def shown(  # noqa: PLR0913 - as a browser asks
    found: Survey,
    *,
    state: State | None = None,
    search: str = "",
    number: int = 1,
    said: tuple[Finding, ...] | None = None,
    age: float = 20,
) -> Outline:
    selection = selected(found, state, search, number)
    told = findings(found) if said is None else said
    return Outline(PAGES.status(found, selection, told, age=timedelta(seconds=age)))


def doctor(found: Survey, said: tuple[Finding, ...] | None = None) -> Outline:
    return Outline(PAGES.doctor(found, findings(found) if said is None else said))


def overdue(length: float) -> Standing:
    return replace(standing("a", State.DUE), due_at=NOW - length * DAY)


# ------------------------------------------------------------------------------------------------------------- headers


def test_the_style_sheet_is_the_one_that_the_policy_allows() -> None:
    text = PAGES.failure(SettingsError("Nothing is set."))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" == page.STYLE_HASH, "write the left one into shared/page.py"


def test_the_policy_allows_one_style_sheet_and_a_form_and_nothing_else() -> None:
    policy = dict(each.strip().split(" ", 1) for each in HEADERS["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'{page.STYLE_HASH}'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Content-Type"] == "text/html; charset=utf-8"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


def test_no_template_marks_text_as_safe() -> None:
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\bsafe\b|autoescape|Markup", text), template.name


def test_no_template_has_a_script_or_a_style_of_an_element_or_names_a_host() -> None:
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"<script|javascript:|\son\w+=|\sstyle=|https?:|//\w", text), template.name
    assert "url(" not in (TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert "@import" not in (TEMPLATES / "style.css").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------ escaping


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_nothing_to_the_page(name: str) -> None:
    plain = shown(survey([standing("alice", state) for state in ALARMING]), search="alice")
    one = replace(standing("alice").user, name=name)
    rows = [replace(standing("alice", state), user=one, secret=f"cloudsso/{name}") for state in ALARMING]
    hostile = shown(survey(rows), search=name)
    assert hostile.bones == plain.bones
    assert str(visible(name)) in hostile.text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_findings_errors_and_directories_add_nothing_either(name: str) -> None:
    def told(text: str) -> tuple[Outline, ...]:
        said = tuple(Finding(problem, text, (text,), text) for problem in Problem)  # type: ignore[arg-type]
        found = replace(survey([standing("alice")]), directory_id=text, gaps=(Gap(text, SecretStoreDenied(text)),))
        return shown(found, said=said), doctor(found, said), Outline(PAGES.failure(UnexpectedFailure(text)))

    for hostile, plain in zip(told(name), told("plain"), strict=True):
        assert hostile.bones == plain.bones


def test_characters_that_nobody_sees_or_that_turn_the_direction_are_shown_as_escapes() -> None:
    assert visible("a\u202eb\x00c\u200bd") == "a\\u202eb\\x00c\\u200bd"
    assert visible("Zoë 王") == "Zoë 王"
    assert visible(7) == 7


@given(st.text(max_size=40))
def test_what_is_shown_of_any_text_is_printable(text: str) -> None:
    assert str(visible(text)).isprintable()


# ------------------------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize("state", State)
def test_every_state_is_shown_in_a_word_with_a_shape_of_its_own(state: State) -> None:
    found = survey([standing("alice", state)])
    assert found.counts()[state] == 1
    outline = shown(found)
    assert WORDS[state].title in outline.text
    symbols = [each["id"] for each in outline.all("symbol")]
    assert f"i-{state.value}" in symbols
    used = {each["href"] for each in outline.all("use")}
    assert f"#i-{state.value}" in used
    assert used <= {f"#{each}" for each in symbols}


def test_no_two_states_share_a_word_or_a_shape() -> None:
    assert len({word.title for word in WORDS.values()}) == len(State) == len(WORDS)
    drawn = re.findall(
        r'<symbol id="i-[\w-]+" viewBox="0 0 16 16">(.*?)</symbol>', (TEMPLATES / "icons.html").read_text()
    )
    assert len(set(drawn)) == len(drawn) == len(State)


def test_every_problem_has_a_title() -> None:
    assert set(TITLES) == set(Problem)


def test_tiles_count_every_state_and_link_to_its_users() -> None:
    found = crowd(300)
    tiles = page.tiles(found, selected(found))
    assert sum(tile.count for tile in tiles) == 300
    assert all(found.counts()[tile.state] == tile.count for tile in tiles)
    outline = shown(found)
    for tile in tiles:
        assert f"?state={tile.state.value}#users" in outline.links()


def test_the_urgent_come_first_and_whoever_is_exempt_comes_last() -> None:
    rows = [standing(f"u{index}", state, seed=index) for index, state in enumerate(reversed(State))]
    text = shown(survey(rows)).text
    table = text[text.index("Version Last outcome") :]
    places = [table.index(WORDS[state].title) for state in (*ALARMING, State.DUE, State.UNMANAGED, State.FRESH)]
    assert places == sorted(places)
    assert table.index("Fresh") < table.index("Disabled")


def test_a_row_says_what_is_known_of_a_user() -> None:
    text = shown(survey([standing("alice", State.STUCK)])).text
    assert "cloudsso/d-00fc2p61example/alice" in text
    assert re.search(r"r3 current r4-c1 claimed \d+ hours ago reset-outcome-unknown", text)
    assert re.search(r"\d+ days ago \d+ (Dec|Jan|Feb) 202[56] in \d+ days", text)


def test_whose_secret_is_in_doubt_is_not_said_to_have_that_long() -> None:
    doubted = [
        state
        for state in State
        if "in doubt" in (text := shown(survey([standing("zoe", state)])).text)
        and "in doubt" in text[text.index("Times are UTC") :]
    ]
    assert doubted == [State.STUCK, State.FOREIGN]


def test_whoever_is_out_of_attempts_has_the_word_of_the_doctors_finding() -> None:
    one = standing("alice", State.STUCK)
    assert one.claim is not None
    failed = replace(one, claim=replace(one.claim, attempt=6))
    outline = shown(survey([failed]))
    assert "?view=doctor#failed-attempts" in outline.links()
    assert "alice Failed attempts" in outline.text.replace(" cloudsso/d-00fc2p61example/alice", "")
    assert "?view=doctor#stuck-claim" in shown(survey([one])).links()


def test_an_instant_within_two_days_has_its_hour() -> None:
    near = replace(standing("alice"), expires_at=NOW + timedelta(hours=30))
    far = replace(standing("alice"), expires_at=NOW + timedelta(days=3))
    assert "in 1 day 4 Mar 2026, 14:41" in shown(survey([near])).text
    assert "in 2 days 6 Mar 2026 r" in shown(survey([far])).text


def test_how_many_secrets_were_looked_at_is_said() -> None:
    text = shown(samples.blurred(crowd(300), 20)).text
    assert "Versions of 20 of 284 secrets were looked at: the most suspicious first. The others are judged by" in text


def test_the_page_says_how_old_it_is_and_how_to_have_it_read_now() -> None:
    found = survey([standing("alice")])
    assert "3 Mar 2026, 08:41 UTC read 20 s ago" in shown(found).text
    assert "08:41 UTC just read" in shown(found, age=0.2).text
    assert "As of (all times are UTC)" in shown(found).text
    assert "?fresh=1" in shown(found).links()
    assert "?state=fresh&q=a&fresh=1" in shown(found, state=State.FRESH, search="a").links()
    doctors = Outline(PAGES.doctor(found, (), age=timedelta(seconds=31)))
    assert "08:41 UTC read 31 s ago Read it now" in doctors.text
    assert "?view=doctor&fresh=1" in doctors.links()


# ------------------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("found", "tone", "title"),
    [
        (survey(None), "bad", "The users could not be read"),
        (survey([]), "calm", "The directory has no users"),
        (survey([standing("a")], sso_enabled=True), "bad", "SSO logon is enabled: nobody's password can be reset"),
        (survey([standing("a", State.STUCK)]), "bad", "1 user needs you"),
        (survey([standing("a", State.STUCK), standing("b", State.EXPIRED)]), "bad", "2 users need you"),
        (survey([standing("a")], gaps=[Gap("SSO logon", OUTAGE)]), "warn", NOT_SSO),
        (survey([standing("a", State.UNMANAGED)]), "warn", "No password is managed yet"),
        (survey([standing("z", State.UNMANAGED), standing("b")]), "good", "Every managed password is in order"),
        (survey([standing("a", State.UNMANAGED), standing("b")]), "warn", "1 user should have a secret by now"),
        (survey([overdue(1.9)]), "good", "Every password is in order"),
        (survey([overdue(2.1)]), "warn", "1 user is overdue"),
        (survey([standing("a")]), "good", "Every password is in order"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_gravest_thing_is_the_headline(found: Survey, tone: str, title: str) -> None:
    verdict = page.verdict(found, findings(found))
    assert (verdict.tone, verdict.title) == (tone, title)
    assert title in shown(found).text


def test_the_headline_counts_what_is_alarming() -> None:
    rows = [standing("a", State.STUCK), standing("b", State.STUCK), standing("c", State.SECRET_IN_DELETION)]
    assert page.verdict(survey(rows), ()).detail == "2 stuck claims, 1 secret in deletion."


def test_what_the_doctor_finds_grave_is_the_headline_where_no_user_is() -> None:
    said = (Finding(Problem.USER_RENAMED, "It has another name now.", (), samples.made("zoe").name),)
    found = survey([standing("alice")])
    assert page.verdict(found, said) == page.Verdict("bad", "1 secret needs you", "Renamed users.")
    assert "What needs you" in shown(found, said=said).text
    advice = (Finding(Problem.USER_DELETED, "There is no such user any more.", ()),)
    assert page.verdict(found, advice).title == "Every password is in order"
    assert "Notes Nobody is locked out by these." in shown(found, said=advice).text
    late = (Finding(Problem.OVERDUE, "They are late.", ()),)
    assert "Worth a look" in shown(found, said=late).text


@pytest.mark.parametrize(
    ("kinds", "title", "tone"),
    [
        ((), "Nothing to mend", "good"),
        ((Problem.UNMANAGED,), "Nothing to mend. 1 note", "good"),
        ((Problem.UNMANAGED, Problem.TAG_STALE), "Nothing to mend. 2 notes", "good"),
        ((Problem.USER_RENAMED,), "1 thing to mend", "bad"),
        ((Problem.USER_RENAMED, Problem.USER_RENAMED, Problem.UNMANAGED), "2 things to mend, 1 note", "bad"),
    ],
)
def test_the_doctor_counts_findings_and_tells_what_is_to_be_mended_from_what_is_not(
    kinds: tuple[Problem, ...], title: str, tone: str
) -> None:
    found = survey([standing("alice"), *(standing(f"user{index}", State.UNMANAGED) for index in range(12))])
    outline = doctor(found, tuple(Finding(kind, "It is so.", ()) for kind in kinds))
    assert outline.text.startswith(f"{title} \N{MIDDLE DOT}")
    assert {"class": f"verdict {tone}", "aria-labelledby": "verdict"} in list(outline.all("section"))


def test_findings_that_are_counted_only_are_told_with_a_plus() -> None:
    rows = [standing(f"user{index:03}", State.STUCK, seed=index) for index in range(70)]
    assert doctor(survey(rows)).text.startswith("50+ things to mend")


@pytest.mark.parametrize(
    "found",
    [
        crowd(300),
        survey([standing("alice", State.EXPIRED)]),
        survey([overdue(3)]),
        survey([standing("alice", State.UNMANAGED), standing("bob")]),
        survey([standing("alice")], sso_enabled=True),
        survey([standing("alice", State.UNKNOWN)], gaps=[Gap("secrets", OUTAGE)]),
        survey(None, gaps=[Gap("users", DirectoryUnavailable("No answer."))]),
    ],
)
def test_both_pages_have_the_same_sign(found: Survey) -> None:
    said = findings(found)
    assert any(not one.problem.advice for one in said)
    signs = [
        {name for each in outline.all("section") if (name := each.get("class") or "").startswith("verdict ")}
        for outline in (shown(found), doctor(found))
    ]
    assert signs[0] == signs[1] == {f"verdict {page.verdict(found, said).tone}"}


def test_the_code_of_a_problem_stands_beside_its_heading_on_both_pages() -> None:
    found = crowd(300)
    for outline in (shown(found), doctor(found)):
        for group in page.groups(found, findings(found), page.SHOWN):
            assert f"{group.title} {group.many} {group.problem.value}" in outline.text


def test_what_needs_somebody_is_above_the_numbers_and_notes_are_below() -> None:
    text = shown(crowd(300)).text
    assert text.index("What needs you") < text.index("Users by state") < text.index("Notes Nobody")
    outline = shown(survey([overdue(3), overdue(4), standing("bob")]))
    late = outline.text
    assert "Overdue users 2 overdue" in late
    assert "?state=due" in outline.links()
    assert late.index("Users by state") < late.index("Worth a look")


def test_commands_that_only_look_are_not_said_to_mend() -> None:
    def said(problem: Problem, *mend: str) -> str:
        return page.how(Finding(problem, "", mend))

    look = "To find out more, which changes nothing:"
    assert said(Problem.ENDPOINT_UNREACHABLE, "aliyun kms ListSecrets --PageSize 1", commands.DOCTOR) == look
    assert said(Problem.UNMANAGED, """s scan_expiring invoke --event '{"DryRun": true}'""") == look
    assert said(Problem.TAG_STALE, commands.rotate(samples.made("zoe").name)) == "Only if you want that changed:"
    assert said(Problem.EXPIRED, commands.rotate(samples.made("zoe").name)) == ""
    assert said(Problem.ENDPOINT_UNREACHABLE, commands.DEPLOY, commands.DOCTOR) == ""
    name = replace(samples.made("zoe"), name='"DryRun": true').name
    assert said(Problem.EXPIRED, commands.rotate(name)) == ""


def test_the_doctor_says_what_it_did_not_check() -> None:
    found = survey([standing("alice")])
    text = doctor(found).text
    for each in not_checked(found):
        assert each.what in text
        assert each.how in text


# ---------------------------------------------------------------------------------------------------- what is missing


def test_what_could_not_be_read_is_said_once_for_each_cause_with_its_commands() -> None:
    found = survey(
        [standing("alice", State.UNKNOWN)],
        gaps=[Gap("secrets", OUTAGE), Gap("versions", OUTAGE), Gap("SSO logon", DirectoryUnavailable("No answer."))],
        sso_enabled=None,
    )
    text = shown(found).text
    lost = "could not be read endpoint-unreachable"
    assert text.count(f"The secrets and the versions {lost} secret-store-unavailable") == 1
    assert text.count(f"The SSO logon {lost} directory-unavailable") == 1
    assert "It is not known who is managed" in text
    assert text.count("aliyun kms ListSecrets") == 1
    assert "SSO logon not known" in text


def test_without_the_secrets_nobody_is_said_to_be_in_order_or_without_a_secret() -> None:
    found = survey([standing("alice", State.UNKNOWN), standing("bob", State.UNKNOWN)], gaps=[Gap("secrets", DENIED)])
    outline = shown(found)
    assert "managed: not known" in outline.text
    assert "2, the urgent first. Times are UTC. Nothing is known of their secrets. User State alice" in outline.text
    assert "no secret" not in outline.text
    assert "not known" not in outline.text[outline.text.index("Times are UTC. Nothing") :]
    assert [tile.state for tile in page.tiles(found, selected(found))] == [State.UNKNOWN]


@pytest.mark.parametrize(
    ("gaps", "title", "detail"),
    [
        (
            ("secrets", OUTAGE),
            "KMS does not answer: nothing is known about 2 passwords",
            "People can log on as before.",
        ),
        (("secrets", DENIED), "KMS denies access: nothing is known about 2 passwords", "People can log on as before."),
        (
            ("password policy", DirectoryUnavailable("No.")),
            "CloudSSO does not answer: it is not known when passwords expire",
            "What could be read is shown.",
        ),
        (("versions", OutOfTime("Late.")), "There was not enough time: claims and current versions", "People can"),
        (("versions", UnexpectedFailure("A bug.")), "Claims and current versions were not looked at", "People can"),
        (("another part", OUTAGE), "A part of the picture is missing", "People can log on as before."),
    ],
)
def test_what_is_not_known_is_said_plainly_and_whether_people_notice(
    gaps: tuple[str, RotatorError], title: str, detail: str
) -> None:
    found = survey([standing("alice", State.UNKNOWN), standing("bob", State.UNKNOWN)], gaps=[Gap(*gaps)])
    said = page.verdict(found, ())
    assert said.title.startswith(title)
    assert said.detail.startswith(detail)
    assert f"{said.title}. {said.detail}" in doctor(found).text


def test_without_the_secrets_the_filter_has_no_numbers_but_of_whom_they_are_known() -> None:
    rows = [standing("alice", State.UNKNOWN), standing("bob", State.DISABLED)]
    text = shown(survey(rows, gaps=[Gap("secrets", OUTAGE)])).text
    assert "Expired Stuck claim Foreign version Secret in deletion Due Unmanaged Unknown (1)" in text
    assert "Synchronized (0) Protected (0) Disabled (1)" in text
    assert "Expired (0)" in shown(survey([standing("alice")])).text
    unseen = survey([standing("alice")], gaps=[Gap("versions", OUTAGE)])
    assert "Expired (0) Stuck claim Foreign version Secret in deletion (0)" in shown(unseen).text


def test_without_the_policy_there_is_no_timeline_and_nobody_is_said_to_be_due() -> None:
    found = survey([standing("alice")], schedule=None, gaps=[Gap("password policy", DirectoryUnavailable("No."))])
    text = shown(found).text
    assert page.coming(found) is None
    assert "What is coming" not in text
    assert "Passwords live not known" in text


def test_a_cause_that_the_doctor_has_no_finding_for_is_said_with_the_errors_own_cure() -> None:
    found = survey([standing("alice")], gaps=[Gap("versions", OUTAGE)])
    assert OUTAGE.cure in shown(found, said=()).text


def test_sso_is_said_above_everything_else_with_the_command_that_disables_it() -> None:
    text = shown(survey([standing("alice")], sso_enabled=True)).text
    assert text.index("SetExternalSAMLIdentityProvider") < text.index("What is coming")
    assert text.count("SetExternalSAMLIdentityProvider") == 1


def test_an_empty_directory_says_what_to_do_first() -> None:
    text = shown(survey([])).text
    assert "What to do first" in text
    assert """s reset_password invoke --event '{"UserName": "alice", "DryRun": true}'""" in text


def test_a_directory_that_nobody_manages_says_how_to_begin_with_one_of_its_users() -> None:
    text = shown(survey([standing("zoe", State.UNMANAGED), standing("kim", State.UNMANAGED)])).text
    assert "How to begin" in text
    assert """s reset_password invoke --event '{"UserName": "kim", "DryRun": true}'""" in text


@pytest.mark.parametrize(
    "error", [SettingsError("A setting is missing."), UnexpectedFailure("A ValueError at scan.py:7.")]
)
def test_a_failure_says_what_happened_why_and_what_to_do(error: RotatorError) -> None:
    text = Outline(PAGES.failure(error)).text
    assert error.happened in text
    assert error.cure in text
    assert error.reason in text
    assert ("Try again" in text) is error.retryable


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (MalformedEvent("Field 'stat' is unknown."), "The address makes no sense"),
        (UnsupportedEvent("There is no page '/favicon.ico'."), "The address makes no sense"),
        (PasswordInEvent("There is a password in the event."), "The request carries a password"),
        (UserNotFound("There is no user 'zoe'."), "There is no such user"),
        (SettingsError("Nothing is set."), "The state could not be read"),
    ],
)
def test_a_failure_is_not_blamed_on_the_function_and_leads_to_the_start_page(error: RotatorError, title: str) -> None:
    outline = Outline(PAGES.failure(error))
    assert outline.text.startswith(title)
    assert "To the start page" in outline.text
    assert "Try again" not in outline.text
    # From whatever path that was asked for.
    assert {each for each in outline.links() if each != "#main"} == {
        "/?view=status",
        "/?view=doctor",
        "/?format=json",
    }


# ---------------------------------------------------------------------------------------------------------- findings


def test_findings_are_grouped_and_long_lists_are_cut_with_a_link_to_all() -> None:
    found = survey([standing(f"user{index:03}", State.STUCK, seed=index) for index in range(70)])
    (group,) = page.groups(found, findings(found), page.SHOWN)
    assert (group.problem, len(group.shown)) == (Problem.STUCK_CLAIM, page.SHOWN)
    assert group.more
    outline = shown(found)
    assert "?state=stuck" in outline.links()
    assert len(list(outline.all("code"))) < 20


def test_unmanaged_users_are_called_out_and_counted() -> None:
    rows = [standing("alice"), *(standing(f"user{index}", State.UNMANAGED) for index in range(7))]
    found = survey(rows)
    assert [(group.problem, group.count) for group in page.groups(found, findings(found), 3)] == [
        (Problem.UNMANAGED, 7)
    ]
    assert "Unmanaged users 7" in shown(found).text
    assert "All 7" in shown(found).text


def test_the_doctors_page_has_every_finding_with_its_commands_and_where_to_read_on() -> None:
    found = crowd(300)
    outline = doctor(found)
    for one in findings(found):
        assert one.what.replace("\n", " ") in outline.text
        assert one.more in outline.text
        for command in one.mend:
            assert command in outline.text
    assert {f"#{one.problem.value}" for one in findings(found)} <= set(outline.links())
    assert doctor(survey([standing("alice")])).text.count("Nothing to mend") == 2  # title and headline


# ------------------------------------------------------------------------------------------------- filter and paging


def test_links_are_relative_queries_without_what_goes_without_saying() -> None:
    assert str(Link(state=State.STUCK)) == "?state=stuck"
    assert str(Link(State.STUCK, "a&b=<c>", 3)) == "?state=stuck&q=a%26b%3D%3Cc%3E&page=3"
    assert str(Link(view="doctor")) == "?view=doctor"
    assert str(Link(form="json")) == "?format=json"


@given(st.none() | st.sampled_from(State), st.text(max_size=20), st.integers(1, 9))
def test_a_link_asks_for_what_it_was_made_of(state: State | None, search: str, number: int) -> None:
    search = search.encode("utf-8", "ignore").decode()
    asked = dict(parse_qsl(str(Link(state, search, number))[1:]))
    assert asked.get("state") == (state.value if state else None)
    assert asked.get("q", "") == search
    assert int(asked.get("page", 1)) == number


@pytest.mark.parametrize("view", ["status", "doctor"])
def test_every_link_stays_on_the_page(view: str) -> None:
    found = crowd(300)
    outline = shown(found, number=2) if view == "status" else doctor(found)
    assert all(link.startswith(("?", "#")) for link in outline.links())
    assert all(form["method"] == "get" for form in outline.all("form"))


def test_pages_lead_to_each_other_and_keep_the_filter() -> None:
    selection = Selection((), 300, 2, 6, State.FRESH, "a b")
    assert page.neighbours(selection) == {
        "first": "?state=fresh&q=a+b",
        "previous": "?state=fresh&q=a+b",
        "next": "?state=fresh&q=a+b&page=3",
        "last": "?state=fresh&q=a+b&page=6",
    }
    assert set(page.neighbours(Selection((), 0, 1, 1)).values()) == {""}


def test_the_table_says_which_part_of_whom_it_shows() -> None:
    assert "All 300, the urgent first; page 6 of 6. Times are UTC." in shown(crowd(300), number=6).text
    assert "251\u2013300 of 300" in shown(crowd(300), number=6).text
    assert "9 of 300, the urgent first. Times are UTC." in shown(crowd(300), state=State.UNMANAGED).text
    assert "Nobody matches. Show everybody" in shown(crowd(300), search="nobody at all").text


def test_the_filter_keeps_what_was_asked() -> None:
    outline = shown(crowd(300), state=State.DUE, search='a"b')
    assert 'a"b' in [each.get("value") for each in outline.all("input")]
    assert [each["value"] for each in outline.all("option") if "selected" in each] == ["due"]


# --------------------------------------------------------------------------------------------------- charts and words


def test_charts_have_a_name_a_description_and_a_table() -> None:
    outline = shown(crowd(300))
    charts = [each for each in outline.all("svg") if each.get("role") == "img"]
    ids = {each["id"] for _, each in outline.tags if "id" in each}
    assert len(charts) == 4  # two, each wide and narrow
    assert all(set((each["aria-labelledby"] or "").split()) <= ids for each in charts)
    assert outline.text.count("The same as a table") == 2


def test_the_table_of_a_chart_adds_up() -> None:
    found = crowd(300)
    coming, ages = page.coming(found), page.ages(found)
    assert coming is not None
    assert ages is not None
    due = sum(one.due_at is not None and one.state not in page._QUIET for one in found.standings or ())
    assert sum(int(row[1]) for row in coming.rows) == due
    assert sum(int(row[1]) for row in ages.rows) == due
    assert len(coming.rows) <= 14


def test_no_user_means_no_chart() -> None:
    assert page.coming(survey([])) is None
    assert page.ages(survey([standing("alice", State.UNMANAGED)])) is None


def test_of_whom_no_rotation_is_known_is_said_beside_the_ages() -> None:
    never = replace(standing("bob"), rotated_at=None, expires_at=None, due_at=None)
    drawn = page.ages(survey([standing("alice"), never]))
    assert drawn is not None
    assert drawn.says.endswith(" Of 1 more it is not known when, or they never were.")


def test_what_is_coming_is_said_in_a_sentence() -> None:
    def said(*rows: float) -> str:
        chance = samples.dice(1)
        made = [samples.made(f"u{index}") for index in range(len(rows))]
        all_ = [
            samples.judge().standing(one, *samples.fresh(one, chance, days))
            for one, days in zip(made, rows, strict=True)
        ]
        drawn = page.coming(survey(all_))
        return drawn.says if drawn else ""

    nobody = "Without a rotation, nobody would expire within 7 days."
    assert said(1) == f"Nobody is due within 7 days. {nobody}"
    assert said(70) == f"Nobody is due now; 1 more within 7 days. {nobody}"
    assert said(80) == f"1 user is due now; nobody else within 7 days. {nobody}"
    assert said(95) == f"Nobody is due now, besides 1 expired; nobody else within 7 days. {nobody}"
    assert said(95, 96, 85, 70) == (
        "1 user is due now, besides 2 expired; 1 more within 7 days. "
        "Without a rotation, 1 user would expire within 7 days."
    )


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((0.1,), "All of them were rotated within the last day."),
        ((8.5, 8.6, 2), "All of them were rotated within the last 9 days."),
        ((0.1, 0.2, 3.5), "Half of them were rotated within the last day; the oldest is 4 days old."),
    ],
)
def test_how_old_passwords_are_is_said_in_a_sentence(days: tuple[float, ...], said: str) -> None:
    rows = [replace(standing(f"u{index}"), rotated_at=NOW - each * DAY) for index, each in enumerate(days)]
    drawn = page.ages(survey(rows))
    assert drawn is not None
    assert drawn.says == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (-59, "just now"),
        (60, "in 1 minute"),
        (-3599, "59 minutes ago"),
        (7200, "in 2 hours"),
        (-86_400, "1 day ago"),
        (1_200 * 86_400, "in 1,200 days"),
    ],
)
def test_instants_are_said_relative_to_now(seconds: int, said: str) -> None:
    assert relative(NOW + timedelta(seconds=seconds), NOW) == said


def test_spans_are_said_in_days() -> None:
    assert words.days(14 * DAY) == "14 days"
    assert words.days(DAY) == "1 day"
    assert words.days(DAY * 1.25) == "1.25 days"
    assert words.number(30_000) == "30,000"


# -------------------------------------------------------------------------------------------------------- structure


@pytest.mark.parametrize(
    "found",
    [
        survey(None),
        survey([]),
        crowd(3),
        crowd(300),
        survey([standing("a", state) for state in State], sso_enabled=True),
    ],
    ids=["unread", "0", "3", "300", "all states"],
)
def test_headings_landmarks_labels_and_ids_are_in_order(found: Survey) -> None:
    for outline in (shown(found), doctor(found)):
        tags = [tag for tag, _ in outline.tags]
        assert [tags.count(each) for each in ("main", "header", "footer", "h1", "title")][:4] == [1, 1, 1, 1]
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for _, attributes in outline.tags:
            for name in (attributes.get("aria-labelledby") or "").split():
                assert name in ids
        levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
        assert all(other - one <= 1 for one, other in pairwise(levels))
        assert next(outline.all("html"))["lang"] == "en"
        assert next(outline.all("a"))["href"] == "#main"


def test_a_page_of_thirty_thousand_users_is_no_larger_than_one_of_three_hundred() -> None:
    few, many = (PAGES.status(each, selected(each), findings(each), age=DAY * 0) for each in (crowd(300), crowd(3000)))
    assert len(many) < len(few) * 1.3
