"""What workflows are answered and what is logged of a survey: one shape, and nothing where nothing is known."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import audit, status_audit, status_report
from shared.doctor import Finding, Problem
from shared.errors import DirectoryDenied, SecretStoreUnavailable
from shared.expiry import Schedule
from shared.model import CURRENT, Managed, SecretName, User, UserName, Version, VersionId
from shared.status import Gap, LastOutcome, OpenClaim, Orphan, Standing, State, Survey, select
from tests.fakes import DIRECTORY, NOON, user

DAY = timedelta(days=1)
SCHEDULE = Schedule.of(NOON, 90 * DAY, lead=14 * DAY, spread=3 * DAY)
ALICE = user("alice")
SECRET = SecretName("cloudsso/alice")

Object = dict[str, Any]
Lines = Callable[[], list[Object]]


def bare(state: State = State.UNKNOWN, one: User = ALICE) -> Standing:
    return Standing(one, SECRET, state)


FULL = Standing(
    user=ALICE,
    secret=SECRET,
    state=State.STUCK,
    managed=Managed(SECRET, NOON),
    rotated_at=NOON - DAY,
    expires_at=NOON + 89 * DAY,
    due_at=NOON + 75 * DAY,
    versions=(
        Version(VersionId("r1"), NOON - DAY, frozenset({CURRENT, "Also"})),
        Version(VersionId("r2-c1"), NOON - timedelta(hours=1)),
    ),
    claim=OpenClaim(VersionId("r2-c1"), 1, NOON - timedelta(hours=1), stuck=True),
    last=LastOutcome("reset-outcome-unknown", NOON - timedelta(hours=1), VersionId("r2-c1")),
)


def survey(*rows: Standing, **more: object) -> Survey:
    found = Survey(
        as_of=NOON,
        directory_id=DIRECTORY,
        schedule=SCHEDULE,
        adjusted=(),
        sso_enabled=False,
        standings=rows,
        orphans=(),
        gaps=(),
        looked_at=0,
    )
    return replace(found, **more)


def status(found: Survey, *findings: Finding, **asked: Any) -> Object:  # noqa: ANN401 - as `select` is asked
    """Return an answer, as whoever asked reads it."""
    rows = select(found.standings or (), per_page=3, **asked)
    read: Object = json.loads(json.dumps(status_report.status(found, findings, rows)))
    return read


def finding(problem: Problem, name: str | None = None) -> Finding:
    return Finding(problem, "This is so.", ("s deploy -y", "next"), name and UserName(name), NOON)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------ shape


def test_the_directory_is_told_in_numbers() -> None:
    rows = [bare(State.DUE), FULL, bare(State.UNMANAGED)]
    answer = status(survey(*rows, looked_at=1, adjusted=("SPREAD_DAYS",)))
    del answer["Standings"]
    assert answer == {
        "AsOf": "2026-03-01T12:00:00Z",
        "DirectoryId": DIRECTORY,
        "Healthy": True,
        "Complete": True,
        "SsoEnabled": False,
        "MaxPasswordAgeDays": 90,
        "RotateBeforeExpiryDays": 14,
        "SpreadDays": 3,
        "Adjusted": ["SPREAD_DAYS"],
        "Users": 3,
        "Managed": 1,
        "LookedAt": 1,
        "States": {**{state.value: 0 for state in State}, "due": 1, "stuck": 1, "unmanaged": 1},
        "Gaps": [],
        "Matching": 3,
        "Page": 1,
        "Pages": 1,
    }


def test_all_that_is_known_of_a_user_is_told() -> None:
    assert status_report.standing(FULL) == {
        "UserName": "alice",
        "UserId": "u-alice",
        "State": "stuck",
        "Managed": True,
        "SecretName": "cloudsso/alice",
        "RotatedAt": "2026-02-28T12:00:00Z",
        "DueAt": "2026-05-15T12:00:00Z",
        "ExpiresAt": "2026-05-29T12:00:00Z",
        "Claim": {"VersionId": "r2-c1", "Attempt": 1, "Since": "2026-03-01T11:00:00Z", "Stuck": True},
        "LastOutcome": {"Outcome": "reset-outcome-unknown", "At": "2026-03-01T11:00:00Z", "VersionId": "r2-c1"},
        "Versions": [
            {"VersionId": "r1", "CreatedAt": "2026-02-28T12:00:00Z", "Stages": ["ACSCurrent", "Also"]},
            {"VersionId": "r2-c1", "CreatedAt": "2026-03-01T11:00:00Z", "Stages": []},
        ],
        "Unread": None,
    }


def test_of_a_user_of_whom_little_is_known_the_same_is_told_with_nothing_in_it() -> None:
    told = status_report.standing(bare())
    assert list(told) == list(status_report.standing(FULL))
    assert {name for name, value in told.items() if value is None} == {
        "RotatedAt",
        "DueAt",
        "ExpiresAt",
        "Claim",
        "LastOutcome",
        "Versions",
        "Unread",
    }
    assert told["Managed"] is False
    assert status_report.standing(replace(bare(), unread="secret-in-deletion"))["Unread"] == "secret-in-deletion"


def test_versions_that_were_looked_at_and_are_none_are_told_from_those_that_were_not() -> None:
    assert status_report.standing(replace(bare(), versions=()))["Versions"] == []


def test_an_outcome_by_a_tag_has_no_version() -> None:
    told = status_report.standing(replace(bare(), last=LastOutcome("rotated", None, None)))
    assert told["LastOutcome"] == {"Outcome": "rotated", "At": None, "VersionId": None}


def test_a_page_of_those_who_were_asked_for_is_told() -> None:
    rows = [bare(State.DUE, user(f"user{n}")) for n in range(7)]
    answer = status(survey(*rows), page=3)
    assert (answer["Matching"], answer["Page"], answer["Pages"], answer["Users"]) == (7, 3, 3, 7)
    assert [one["UserName"] for one in answer["Standings"]] == ["user6"]
    assert status(survey(*rows), state=State.FRESH)["Standings"] == []


def test_the_doctor_answers_with_the_same_numbers_and_every_finding() -> None:
    found = [finding(Problem.EXPIRED, "alice"), finding(Problem.UNMANAGED)]
    answer = json.loads(json.dumps(status_report.doctor(survey(FULL), found)))
    plain = status(survey(FULL), *found)
    more = {name: answer.pop(name) for name in ("Findings", "NotChecked")}
    assert plain.items() >= answer.items()
    answer |= more
    assert answer["Findings"] == [
        {
            "Problem": "expired",
            "UserName": "alice",
            "Since": "2026-03-01T12:00:00Z",
            "What": "This is so.",
            "Mend": ["s deploy -y", "next"],
            "More": "docs/operations.md#expired",
        },
        {
            "Problem": "unmanaged",
            "UserName": None,
            "Since": "2026-03-01T12:00:00Z",
            "What": "This is so.",
            "Mend": ["s deploy -y", "next"],
            "More": "docs/operations.md#unmanaged",
        },
    ]


def test_the_doctor_tells_what_it_cannot_see_and_how_to_look_at_it() -> None:
    def asked(*rows: Standing) -> dict[str, str]:
        told: Any = status_report.doctor(survey(*rows), [])["NotChecked"]
        rotation, queues = told
        assert queues["How"] == "waiting dead-letters"
        words: list[str] = shlex.split(rotation["How"])
        assert words[:4] == ["s", "reset_password", "invoke", "--event"]
        event: dict[str, str] = json.loads(words[4])
        return event

    rotated = [
        replace(bare(State.FRESH, user(name)), rotated_at=NOON - days * DAY) for name, days in (("b", 1), ("c", 9))
    ]
    assert asked(*rotated, bare(State.STUCK, user("d"))) == {"UserName": "c", "DryRun": True}
    assert asked() == {"UserName": "alice", "DryRun": True}


@pytest.mark.parametrize("problem", Problem)
def test_a_directory_is_healthy_while_all_that_is_found_is_advice(problem: Problem) -> None:
    advice = finding(Problem.UNMANAGED)
    assert status(survey(), advice)["Healthy"] is True
    assert status(survey(), advice, finding(problem))["Healthy"] is problem.advice


# ------------------------------------------------------------------------------------------------- what is not known


@pytest.mark.parametrize(
    ("part", "more", "unknown"),
    [
        ("password policy", {"schedule": None}, {"MaxPasswordAgeDays", "RotateBeforeExpiryDays", "SpreadDays"}),
        ("SSO logon", {"sso_enabled": None}, {"SsoEnabled"}),
        ("users", {"standings": None}, {"Users", "Managed", "States"}),
        ("secrets", {}, {"Managed"}),
        ("versions", {}, set()),
    ],
)
def test_what_follows_from_a_part_that_could_not_be_read_is_null(part: str, more: Object, unknown: set[str]) -> None:
    gap = Gap(part, DirectoryDenied("No permission (Code)."))
    answer = status(survey(FULL, gaps=(gap,), **more))
    assert {name for name, value in answer.items() if value is None} == unknown
    assert answer["Complete"] is False
    (told,) = answer["Gaps"]
    assert (told["Part"], told["Error"]) == (part, "directory-denied")
    assert told["Message"].startswith("No permission (Code). The password was not reset. Update the stack")
    assert list(answer) == list(status(survey(FULL)))


def test_where_the_secrets_are_not_known_nobody_is_said_to_have_none() -> None:
    unread = Gap("secrets", SecretStoreUnavailable("KMS is down."))
    (one,) = status(survey(bare(), gaps=(unread,)))["Standings"]
    assert one["Managed"] is None
    assert [each["Managed"] for each in status(survey(bare(), FULL))["Standings"]] == [False, True]


# ------------------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("span", "days"),
    [(90 * DAY, 90), (DAY / 2, 0.5), (DAY / 4, 0.25), (27 * DAY / 2, 13.5), (DAY / 3, 0.333), (timedelta(0), 0)],
)
def test_days_are_whole_numbers_where_they_are_whole(span: timedelta, days: float) -> None:
    told = status(survey(schedule=Schedule(NOON, 90 * DAY, span, span)))
    assert (told["RotateBeforeExpiryDays"], told["SpreadDays"]) == (days, days)
    assert isinstance(told["SpreadDays"], int) == (days == int(days))


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_every_instant_is_told_to_the_second_and_read_back(moment: datetime) -> None:
    told = str(status_report.standing(replace(bare(), rotated_at=moment))["RotatedAt"])
    assert len(told) == len("2026-03-01T12:00:00Z")
    assert datetime.strptime(told, "%Y-%m-%dT%H:%M:%S%z") == moment.replace(microsecond=0)


@given(st.text(), st.text(), st.lists(st.text()))
def test_whatever_names_and_stages_are_the_answer_is_json(name: str, secret: str, stages: list[str]) -> None:
    version = Version(VersionId(secret), NOON, frozenset(stages))
    one = Standing(user(name), SecretName(secret), State.FRESH, versions=(version,))
    (told,) = status(survey(one))["Standings"]
    assert (told["UserName"], told["SecretName"]) == (name, secret)
    assert told["Versions"][0]["Stages"] == sorted(set(stages))


def test_orphans_are_counted_nowhere() -> None:
    assert status(survey(orphans=(Orphan(Managed(SECRET, NOON), None),)))["Users"] == 0


# ------------------------------------------------------------------------------------------------------- audit lines


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return what has been written to the log since the last time."""
    audit.configure("INFO")
    capsys.readouterr()
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


ROWS = [bare(State.DUE), FULL, bare(State.UNMANAGED), bare(State.EXPIRED), bare(State.EXPIRED)]


def surveyed(lines: Lines, found: Survey) -> list[Object]:
    status_audit.surveyed("inv-1", "timer", found)
    return lines()


def test_a_survey_is_one_line_with_the_numbers_that_alerts_go_by(lines: Lines) -> None:
    assert surveyed(lines, survey(*ROWS)) == [
        {
            "Invocation": "inv-1",
            "Outcome": "surveyed",
            "Trigger": "timer",
            "AsOf": "2026-03-01T12:00:00Z",
            "Users": 5,
            "Managed": 1,
            "Unmanaged": 1,
            "Due": 1,
            "Expired": 2,
            "Stuck": 1,
        }
    ]


def test_nobody_is_logged_as_expired_while_nobody_logs_on_with_a_password(lines: Lines) -> None:
    assert [surveyed(lines, survey(*ROWS, sso_enabled=sso))[0]["Expired"] for sso in (True, False, None)] == [0, 2, 2]


def test_whom_the_next_scan_begins_with_is_not_logged_as_one_whom_no_setting_selects(lines: Lines) -> None:
    (told,) = surveyed(lines, survey(*ROWS, replace(bare(State.UNMANAGED), selected=True)))
    assert (told["Users"], told["Unmanaged"]) == (6, 1)


@pytest.mark.parametrize(
    ("part", "more", "known"),
    [
        ("password policy", {"schedule": None}, {"Users", "Managed", "Unmanaged", "Stuck"}),
        ("SSO logon", {"sso_enabled": None}, {"Users", "Managed", "Unmanaged", "Stuck", "Due", "Expired"}),
        ("users", {"standings": None}, set()),
        ("secrets", {}, {"Users"}),
        ("versions", {}, {"Users", "Managed", "Unmanaged", "Due", "Expired"}),
    ],
)
def test_a_number_that_is_not_known_is_not_logged_as_one(
    lines: Lines, part: str, more: Object, known: set[str]
) -> None:
    failed, told = surveyed(lines, survey(*ROWS, gaps=(Gap(part, DirectoryDenied("No permission.")),), **more))
    assert (failed["Outcome"], failed["Error"], failed["Invocation"]) == ("failed", "directory-denied", "inv-1")
    assert told.keys() - {"Invocation", "Outcome", "Trigger", "AsOf"} == known


def test_every_finding_is_a_line(lines: Lines) -> None:
    status_audit.diagnosed("inv-1", [finding(Problem.EXPIRED, "alice"), finding(Problem.UNMANAGED)])
    expired, unmanaged = lines()
    assert expired == {
        "Invocation": "inv-1",
        "Outcome": "finding",
        "Problem": "expired",
        "User": "alice",
        "Message": "This is so.",
    }
    assert "User" not in unmanaged
