"""What a scan answers: everybody counted, as many named as an answer holds, and nobody dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.expiry import Schedule
from shared.model import UserName
from shared.report import LONGEST_LIST, MOST_NAMED, Report
from shared.scan import DUE, EXCLUDED, Fate, Plan, Policy
from tests.fakes import NOON

DAY = timedelta(days=1)


def policy(lead: int = 14, spread: int = 3) -> Policy:
    return Policy(lambda _u: None, lambda _u: None, lambda _u: False, lead * DAY, spread * DAY, 100)  # type: ignore[arg-type, return-value]


def plan(max_age: int = 90, users: int = 0, managed: int = 0) -> Plan:
    return Plan(Schedule.of(NOON, max_age * DAY, lead=14 * DAY, spread=3 * DAY), (), users, managed, 0)


def answer(report: Report, made: Plan | None = None) -> dict[str, Any]:
    return report.answer(made or plan(), policy(), dry_run=False)


def names(count: int, prefix: str = "user") -> list[UserName]:
    return [UserName(f"{prefix}{number}") for number in range(count)]


def test_an_answer_has_every_list_even_if_it_is_empty() -> None:
    nobody = {"Count": 0, "UserNames": []}
    assert answer(Report(), plan(users=7, managed=5)) == {
        "AsOf": "2026-03-01T12:00:00Z",
        "DryRun": False,
        "MaxPasswordAgeDays": 90,
        "RotateBeforeExpiryDays": 14,
        "SpreadDays": 3,
        "Adjusted": [],
        "Users": 7,
        "Managed": 5,
        "NotDue": 0,
        "Due": 0,
        "Expired": 0,
        "OutOfTime": False,
        "Dispatched": nobody,
        "AlreadyDispatched": nobody,
        "WouldDispatch": nobody,
        "Deferred": nobody,
        "Unmanaged": nobody,
        "Excluded": dict.fromkeys(
            ["protected", "disabled", "synchronized", "secret-in-deletion", "sso-enabled"], nobody
        ),
    }


def test_a_lead_and_a_spread_that_were_cut_are_told_with_what_is_used_instead() -> None:
    told = answer(Report(), plan(max_age=7))
    assert told["Adjusted"] == ["ROTATE_BEFORE_EXPIRY_DAYS", "SPREAD_DAYS"]
    assert (told["RotateBeforeExpiryDays"], told["SpreadDays"]) == (3.5, 1.75)


@given(st.lists(st.sampled_from(Fate)))
def test_the_numbers_add_up_whatever_the_fates(fates: list[Fate]) -> None:
    report = Report()
    for number, fate in enumerate(fates):
        report.add(fate, UserName(f"user{number}"))
    told = report.summary(plan(users=len(fates)), policy(), dry_run=False)
    excluded: Any = told["Excluded"]
    assert told["Users"] == told["NotDue"] + told["Due"] + told["Unmanaged"] + sum(excluded.values())  # type: ignore[operator]
    assert told["Due"] == sum(fates.count(fate) for fate in DUE)
    assert {fate.value: fates.count(fate) for fate in EXCLUDED} == excluded


def test_a_list_names_the_first_and_counts_them_all() -> None:
    report = Report()
    for name in names(MOST_NAMED + 50):
        report.add(Fate.DEFERRED, name)
    assert answer(report)["Deferred"] == {"Count": MOST_NAMED + 50, "UserNames": names(MOST_NAMED)}


def test_an_answer_with_every_list_full_of_the_longest_names_fits_into_a_queues_message() -> None:
    report = Report()
    for fate in Fate:
        for number in range(1000):
            report.add(fate, UserName(f"{number:064}"))
    assert len(json.dumps(answer(report))) < 65_536
    assert LONGEST_LIST // 64 - 1 <= len(answer(report)["Deferred"]["UserNames"]) <= MOST_NAMED


@pytest.mark.parametrize("count", [0, 1, MOST_NAMED, MOST_NAMED + 1, 1000])
def test_every_name_is_told_once_in_lines_of_a_bounded_length(count: int) -> None:
    told: list[Sequence[UserName]] = []
    report = Report(tell=lambda fate, users: told.append(users) if fate is Fate.UNMANAGED else None)
    for added, name in enumerate(names(count), 1):
        report.add(Fate.UNMANAGED, name)
        assert added - sum(len(line) for line in told) < MOST_NAMED
    report.close()
    assert [name for line in told for name in line] == names(count)
    assert all(len(line) <= MOST_NAMED for line in told)


def test_whoever_has_a_line_of_their_own_and_whoever_is_not_due_is_not_told_again() -> None:
    told: list[Fate] = []
    report = Report(tell=lambda fate, _users: told.append(fate))
    for fate in Fate:
        report.add(fate, UserName("alice"))
    report.close()
    single = {Fate.DISPATCHED, Fate.ALREADY_DISPATCHED, Fate.WOULD_DISPATCH, Fate.FAILED, Fate.NOT_DUE}
    assert set(told) == set(Fate) - single
    assert len(told) == len(set(told))
