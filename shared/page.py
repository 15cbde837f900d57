"""The web page: what a survey and its findings say, for people. Server-rendered, without scripts, all text escaped.

The templates (Jinja2) lie beside the function. They write names, secrets and errors, which come from outside, through
autoescaping, and characters that print nothing or turn the writing direction as their escapes: a user name can neither
add to the page nor rearrange it. The page loads nothing, runs nothing, and cannot be framed (HEADERS).

Jinja2 is imported when the first page is asked for (shared/deferral.py): whoever asks for JSON does not wait for it.
docs/decisions/0013-status-page.md says why it is made like this.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import jinja2
import msgspec

from shared import charts, commands
from shared.charts import Chart
from shared.doctor import SOON, Finding, Problem, not_checked
from shared.errors import (
    DirectoryUnavailable,
    RotatorError,
)
from shared.model import UserName
from shared.rotation import CLAIMS
from shared.status import ALARMING, EXEMPT, Gap, Selection, Standing, State, Survey
from shared.words import (
    CAUSES,
    FAILED,
    LOST,
    MISSED,
    REFUSALS,
    TITLES,
    WORDS,
    Word,
    day,
    days,
    iso,
    minute,
    number,
    people,
    people_days,
    relative,
    visible,
)

# Of the style sheet, style.css beside the templates, which is written into each page. A test compares them.
STYLE_HASH = "sha256-xrDrVa3SMwdbi3N4Cs/kujED4bkF5SAyiZy6j0Wnr1U="

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

PER_PAGE = 50
SHOWN = 3  # findings of one kind on the status page
NEAR = timedelta(days=2)  # of an instant whose hour matters
LISTED = 60  # of one kind on the doctor's, who names no more than 50

# A command that changes nothing, however often it is typed.
_LOOKS = re.compile(
    r"""s rotation_status |s \w+ logs |aliyun \w+ (?:Get|List)|s \w+ invoke --event '.*"DryRun": true"""
)
_ALWAYS = (State.EXPIRED, State.STUCK, State.DUE, State.UNMANAGED, State.FRESH)  # tiles, even of nobody
_QUIET = tuple(EXEMPT.values())
_DOUBTED = (State.STUCK, State.FOREIGN)  # what the secret holds may not be the password that expires
# What has to be read to know that nobody is in a state.
_NEEDS: Mapping[State, tuple[str, ...]] = {
    State.EXPIRED: ("secrets", "password policy"),
    State.STUCK: ("secrets", "versions"),
    State.FOREIGN: ("secrets", "versions"),
    State.SECRET_IN_DELETION: ("secrets",),
    State.DUE: ("secrets", "password policy"),
    State.UNMANAGED: ("secrets",),
    State.IN_PROGRESS: ("secrets", "versions"),
    State.FRESH: ("secrets", "password policy"),
}

_OF_SCANS = (Problem.OVERDUE, Problem.SECRET_MISSING)  # which scans mend, or should have: nobody is locked out yet

_RANK = {problem: rank for rank, problem in enumerate(Problem)}

# What is wrong with the whole directory, and is said above everything else.
_WHOLE = (Problem.PERMISSION_MISSING, Problem.WRONG_REGION, Problem.ENDPOINT_UNREACHABLE, Problem.SSO_ENABLED)


class Link(msgspec.Struct, frozen=True):
    """A part of the same page, or another view of it: a relative query."""

    state: State | None = None
    search: str = ""
    page: int = 1
    view: str = ""
    form: str = ""
    fresh: bool = False  # read anew

    def __str__(self) -> str:
        """Return the query, which is never empty: an empty reference keeps the query that there is."""
        state = "" if self.state is None else self.state.value
        given = {"view": self.view, "state": state, "q": self.search, "format": self.form}
        if self.page > 1:
            given["page"] = str(self.page)
        if self.fresh:
            given["fresh"] = "1"
        return "?" + urlencode({name: value for name, value in given.items() if value})


class Tile(msgspec.Struct, frozen=True):
    """A number, and what it counts."""

    state: State
    count: int
    word: Word
    link: str
    current: bool

    @property
    def tone(self) -> str:
        """Return its colour: zero is nothing to look at."""
        return self.word.tone if self.count else "zero"


class Verdict(msgspec.Struct, frozen=True):
    """The page in a sentence."""

    tone: str
    title: str
    detail: str


class Banner(msgspec.Struct, frozen=True):
    """Something that is wrong with the whole directory."""

    title: str
    code: str  # as the doctor names it
    reason: str  # as the error does
    tone: str
    text: str
    how: str
    mend: tuple[str, ...]
    more: str


class Group(msgspec.Struct, frozen=True):
    """All findings of one kind."""

    problem: Problem
    tone: str
    shown: tuple[Finding, ...]
    findings: int
    count: int  # of findings or, where one is about many users, of users
    counted: bool  # the doctor names some users and counts the others
    link: str  # to all whom it is about

    @property
    def title(self) -> str:
        """Return what is wrong."""
        return TITLES[self.problem]

    @property
    def many(self) -> str:
        """Return how many there are."""
        return f"{self.count:,}{'+' * self.counted}"

    @property
    def more(self) -> bool:
        """Tell whether there are others than those shown."""
        return self.counted or len(self.shown) < self.count


class Drawn(msgspec.Struct, frozen=True):
    """A chart in both widths, and what it says in words."""

    charts: tuple[Chart, ...]
    says: str
    rows: tuple[tuple[str, ...], ...]  # the same as a table


class Pages:
    """The pages of a function instance, from the folder with its templates."""

    def __init__(self, templates: Path) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {"words": WORDS, "word": word, "how": how, "doubted": _DOUBTED}
        self._environment.filters |= {"number": number, "day": day, "minute": minute, "iso": iso, "days": days}

    def status(self, survey: Survey, selection: Selection, findings: Sequence[Finding], *, age: timedelta) -> str:
        """Return the page that shows how everybody stands. `age` is how old the survey is: it is kept for a while."""
        now = survey.as_of + age
        above, rest = banners(survey, findings)
        needs, notes = told_apart(groups(survey, rest, SHOWN))
        return self._environment.get_template("status.html").render(
            view="status",
            survey=survey,
            selection=selection,
            now=now,
            age=age,
            when=lambda moment: relative(moment, now),
            near=lambda moment: abs(moment - now) < NEAR,
            verdict=verdict(survey, findings),
            tiles=tiles(survey, selection),
            banners=above,
            needs=needs,
            notes=notes,
            alarm=any(group.tone == "bad" for group in needs),
            begin=begin(survey),
            again=Link(selection.state, selection.search, selection.page, fresh=True),
            quiet=_QUIET,
            bare=not survey.secrets_known,
            coming=coming(survey),
            ages=ages(survey),
            options=options(survey),
            pages=neighbours(selection),
            per_page=PER_PAGE,
        )

    def doctor(self, survey: Survey, findings: Sequence[Finding], *, age: timedelta = timedelta()) -> str:
        """Return the page that says of each problem what it is and how to mend it. `age` is how old the survey is."""
        now = survey.as_of + age
        needs, notes = told_apart(groups(survey, findings, LISTED))
        return self._environment.get_template("doctor.html").render(
            view="doctor",
            survey=survey,
            age=age,
            when=lambda moment: relative(moment, now),
            tone=verdict(survey, findings).tone if needs else "good",
            title=tally(needs, notes),
            missing=partial(survey) if survey.gaps else None,
            needs=needs,
            notes=notes,
            unchecked=not_checked(survey),
            again=Link(view="doctor", fresh=True),
        )

    def failure(self, error: RotatorError) -> str:
        """Return the page that says why there is none."""
        title = next((said for kind, said in REFUSALS if isinstance(error, kind)), "The state could not be read")
        return self._environment.get_template("failure.html").render(view="failure", error=error, title=title)


# -------------------------------------------------------------------------------------------------------------- parts


def verdict(survey: Survey, findings: Iterable[Finding]) -> Verdict:  # noqa: PLR0911 - one line a verdict, in order
    """Return the page in a sentence: the gravest thing that is so."""
    counts = survey.counts()
    alarming = sum(counts[state] for state in ALARMING)
    told = ", ".join(_counted(state, counts[state]) for state in ALARMING if counts[state])
    if survey.standings is None:
        return Verdict("bad", "The users could not be read", "What to do is said below.")
    if survey.sso_enabled:
        return Verdict("bad", "SSO logon is enabled: nobody's password can be reset", told and f"Besides: {told}.")
    if alarming:
        verb = "needs" if alarming == 1 else "need"
        return Verdict("bad", f"{people(alarming)} {verb} you", _sentence(told))
    if survey.gaps:
        return partial(survey)
    findings = list(findings)
    grave = [one.problem for one in findings if not one.problem.advice and one.problem not in _OF_SCANS]
    if grave:
        verb = "needs" if len(grave) == 1 else "need"
        kinds = ", ".join(TITLES[problem].lower() for problem in Problem if problem in grave)
        return Verdict("bad", f"{len(grave):,} secret{'' if len(grave) == 1 else 's'} {verb} you", _sentence(kinds))
    if not survey.standings:
        return Verdict("calm", "The directory has no users", "There is nothing to rotate yet.")
    if not survey.managed:
        return Verdict("warn", "No password is managed yet", "Below is how to begin.")
    return _nobody_is_locked_out(survey, findings)


def _nobody_is_locked_out(survey: Survey, findings: Iterable[Finding]) -> Verdict:
    late = _late(survey)
    if late:
        verb = "is" if late == 1 else "are"
        return Verdict(
            "warn",
            f"{people(late)} {verb} overdue",
            f"Due for more than {days(SOON)}: does the scan run every night, and is SCAN_LIMIT high enough?",
        )
    missing = sum(one.problem is Problem.SECRET_MISSING for one in findings)
    if missing:
        return Verdict("warn", f"{people(missing)} should have a secret by now", "ONBOARD selects them; see below.")
    if survey.counts()[State.UNMANAGED]:
        return Verdict("good", "Every managed password is in order", _unmanaged(survey))
    return Verdict("good", "Every password is in order", "Nobody needs you.")


def _unmanaged(survey: Survey) -> str:
    those = [one for one in survey.standings or () if one.state is State.UNMANAGED]
    left = sum(not one.selected for one in those)
    if not left:
        return f"The next scan begins with {people(len(those))}."
    return f"{people(left)} {'is' if left == 1 else 'are'} not managed: if that is meant, nothing is to be done."


def partial(survey: Survey) -> Verdict:
    """Return what is not known, why, and whether people notice."""
    gaps = {gap.part: gap.error for gap in reversed(survey.gaps)}
    part = next((part for part in MISSED if part in gaps), None)
    cause = next((said for kind, said in CAUSES if isinstance(gaps.get(part or ""), kind)), "")
    unknown = survey.counts()[State.UNKNOWN]
    passwords = f"{unknown:,} password{'' if unknown == 1 else 's'}" if unknown else "any password"
    lost = MISSED[part].format(passwords=passwords) if part else ""
    title = _sentence(": ".join(filter(None, [cause, lost]))).removesuffix(".") or "A part of the picture is missing"
    # Whether CloudSSO lets people log on while it does not answer us is not known.
    away = any(isinstance(error, DirectoryUnavailable) for error in gaps.values())
    return Verdict("warn", title, "What could be read is shown." if away else "People can log on as before.")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _late(survey: Survey) -> int:
    """Return how many are due whom scans should have handed on, as the doctor counts them."""
    due = [one.due_at for one in survey.standings or () if one.state is State.DUE and one.due_at is not None]
    return sum(one + SOON <= survey.as_of for one in due)


def _counted(state: State, count: int) -> str:
    word = WORDS[state]
    return f"{count:,} {word.title.lower() if count == 1 else word.many}"


def tiles(survey: Survey, selection: Selection) -> tuple[Tile, ...]:
    """Return a tile for every state that is worth one. That nobody is in a state is not said where it is not known."""
    return tuple(
        Tile(state, count, WORDS[state], str(Link(state=state)), state is selection.state)
        for state, count in survey.counts().items()
        if count or (state in _ALWAYS and _known(survey, state))
    )


def _known(survey: Survey, state: State) -> bool:
    """Tell whether everything could be read that says who is in a state."""
    return not any(gap.part in _NEEDS.get(state, ()) for gap in survey.gaps)


def options(survey: Survey) -> tuple[tuple[State, Word, int | None], ...]:
    """Return what the filter can be set to, and how many that would show; None: that is not known."""
    counts = survey.counts().items()
    return tuple((state, WORDS[state], count if count or _known(survey, state) else None) for state, count in counts)


def word(one: Standing) -> Word:
    """Return how a user's state is written."""
    failed = one.state is State.STUCK and one.claim is not None and one.claim.attempt >= CLAIMS
    return FAILED if failed else WORDS[one.state]


def how(one: Finding) -> str:
    """Return what the commands of a finding are for; empty: they mend it."""
    if all(_LOOKS.match(command) for command in one.mend):
        return "To find out more, which changes nothing:"
    return "Only if you want that changed:" if one.problem.advice else ""


def banners(survey: Survey, findings: Iterable[Finding]) -> tuple[tuple[Banner, ...], tuple[Finding, ...]]:
    """Return what is wrong with the whole directory, each cause once, and the findings that are about users."""
    whole = [one for one in findings if one.problem in _WHOLE]
    parts: dict[tuple[str, str], list[Gap]] = defaultdict(list)
    for gap in survey.gaps:
        parts[gap.error.reason, gap.error.happened].append(gap)
    found = []
    for (reason, happened), gaps in parts.items():
        said = next((one for one in whole if happened in one.what), None)
        told = " and ".join(f"the {gap.part}" for gap in gaps)
        lost = [LOST[gap.part] for gap in gaps if gap.part in LOST]
        more = said.what.partition(happened)[2].strip() if said else gaps[0].error.cure
        title = _sentence(f"{told} could not be read").removesuffix(".")
        tone = "bad" if survey.standings is None else "warn"
        text = " ".join(filter(None, [happened, *lost, more]))
        found.append(_banner(said, title, reason, tone, text))
    found += [
        _banner(one, TITLES[one.problem], "", "bad", one.what) for one in whole if one.problem is Problem.SSO_ENABLED
    ]
    return tuple(found), tuple(one for one in findings if one.problem not in _WHOLE)


def _banner(said: Finding | None, title: str, reason: str, tone: str, text: str) -> Banner:
    if said is None:
        return Banner(title, "", reason, tone, text, "", (), "")
    cure = how(said) or "What to do, where s.yaml is:"
    return Banner(title, said.problem.value, reason, tone, text, cure, said.mend, said.more)


def groups(survey: Survey, findings: Iterable[Finding], most: int) -> tuple[Group, ...]:
    """Return findings by kind, the gravest first, and of each as many as are to be shown."""
    found: dict[Problem, list[Finding]] = defaultdict(list)
    for one in findings:
        found[one.problem].append(one)
    states = {word.problem: state for state, word in WORDS.items() if word.problem} | {Problem.OVERDUE: State.DUE}
    made = []
    for problem, those in sorted(found.items(), key=lambda each: _RANK[each[0]]):
        counted = len(those) > 1 and those[-1].user is None and those[0].user is not None
        count = number = len(those) - counted
        if problem is Problem.UNMANAGED:  # one finding for them all
            count = sum(one.state is State.UNMANAGED and not one.selected for one in survey.standings or ())
        link = Link(state=states[problem]) if problem in states else Link(view="doctor")
        if problem is Problem.OVERDUE:  # likewise
            count = _late(survey) or count
        tone = _gravity(survey, problem)
        made.append(Group(problem, tone, tuple(those[:most]), number, count, counted, str(link)))
    return tuple(made)


def _gravity(survey: Survey, problem: Problem) -> str:
    """Return the colour of a problem: the headline's, if it is nothing but this."""
    if problem.advice:
        return "note"
    if problem is Problem.SSO_ENABLED or (problem in _WHOLE and survey.standings is None):
        return "bad"
    return "warn" if problem in (*_WHOLE, *_OF_SCANS) else "bad"


def told_apart(found: Iterable[Group]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Return what is to be mended, and what may stay as it is."""
    found = tuple(found)
    return (
        tuple(group for group in found if not group.problem.advice),
        tuple(group for group in found if group.problem.advice),
    )


def tally(needs: Sequence[Group], notes: Sequence[Group]) -> str:
    """Return how many findings there are, of both kinds."""
    things, more = (_many(each) for each in (needs, notes))
    said = "Nothing to mend" if not needs else f"{things} thing{'' if things == '1' else 's'} to mend"
    if notes:
        said += f"{', ' if needs else '. '}{more} note{'' if more == '1' else 's'}"
    return said


def _many(those: Sequence[Group]) -> str:
    return f"{sum(group.findings for group in those):,}{'+' * any(group.counted for group in those)}"


def begin(survey: Survey) -> tuple[str, str]:
    """Return the commands that make a first user managed."""
    free = [one.user.name for one in survey.standings or () if one.state is State.UNMANAGED]
    name = min(free, default=UserName("alice"))
    return commands.rotate(name, DryRun=True), commands.rotate(name)


def neighbours(selection: Selection) -> Mapping[str, str]:
    """Return links to the pages before and after this one, and to the first and the last."""
    page, last = selection.page, selection.pages
    wanted = {"first": 1 if page > 1 else 0, "previous": page - 1, "next": page + 1, "last": last if page < last else 0}
    return {
        name: str(Link(selection.state, selection.search, each)) if 1 <= each <= last else ""
        for name, each in wanted.items()
    }


def coming(survey: Survey) -> Drawn | None:
    """Return the timeline; None if nothing is known to come."""
    schedule = survey.schedule
    if schedule is None:
        return None
    rows = [one for one in survey.standings or () if one.state not in _QUIET]
    due = [one.due_at for one in rows if one.due_at is not None]
    expires = [one.expires_at for one in rows if one.expires_at is not None and one.expires_at > survey.as_of]
    if not due:
        return None
    plan = charts.Coming.of(due, expires, survey.as_of, schedule.max_age)
    drawn = tuple(charts.timeline(plan, frame) for frame in (charts.WIDE, charts.NARROW))
    week = survey.as_of + timedelta(weeks=1)
    soon = sum(survey.as_of < one <= week for one in due)
    gone = sum(one <= week for one in expires)
    gone_told = f"Without a rotation, {people(gone) if gone else 'nobody'} would expire within 7 days."
    says = f"{_due_told(survey, soon)} {gone_told}"
    table = [(charts.span(plan.today, one), *map(number, one.counts)) for one in plan.bins(charts.TABLE)]
    return Drawn(drawn, says, tuple(table))


def _due_told(survey: Survey, soon: int) -> str:
    """Return who is due, as the tiles count them: whoever is in a graver state is counted there, and said besides."""
    past = [one.state for one in survey.standings or () if one.due_at is not None and one.due_at <= survey.as_of]
    now = past.count(State.DUE)
    others = ((state, past.count(state)) for state in State if state is not State.DUE and state not in _QUIET)
    besides = ", ".join(_counted(state, count) for state, count in others if count)
    if not now and not besides and not soon:
        return "Nobody is due within 7 days."
    who = f"{people(now)} {'is' if now == 1 else 'are'} due now" if now else "Nobody is due now"
    more = f"{soon:,} more within 7 days" if soon else "nobody else within 7 days"
    return f"{who}{f', besides {besides}' if besides else ''}; {more}."


def ages(survey: Survey) -> Drawn | None:
    """Return how old passwords are; None if of none that is known."""
    rows = [one for one in survey.standings or () if one.state not in _QUIET and one.managed is not None]
    known = [max(survey.as_of - one.rotated_at, timedelta()) for one in rows if one.rotated_at is not None]
    if not known:
        return None
    schedule = survey.schedule
    limit = due = None
    if schedule is not None:
        limit = schedule.max_age
        due = (limit - schedule.lead - schedule.spread, limit - schedule.lead)
    found = charts.Ages.of(known, limit, due)
    drawn = tuple(charts.histogram(found, frame) for frame in (charts.HALF, charts.NARROW))
    never = len(rows) - len(known)
    middle = sorted(known)[len(known) // 2]
    recent, oldest = people_days(middle), people_days(max(known))
    half = "All" if recent == oldest else "Half"
    says = f"{half} of them were rotated within the last {recent.removeprefix('1 ')}"
    says += "." if half == "All" else f"; the oldest is {oldest} old."
    if never:
        says += f" Of {never:,} more it is not known when, or they never were."
    return Drawn(drawn, says, tuple((charts.age(one), number(one.counts[0])) for one in found.bins(charts.TABLE)))
