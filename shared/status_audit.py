"""What a survey found, as audit lines (audit.py): what alerts on the state of passwords go by."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from shared import audit
from shared.doctor import Finding
from shared.status import State, Survey


def surveyed(invocation: str, trigger: str, survey: Survey) -> None:
    """Log a survey in numbers; what could not be read is logged as failed, a line each."""
    for gap in survey.gaps:
        audit.problem(invocation, gap.error)
    facts: audit.Facts = {"Outcome": "surveyed", "Trigger": trigger, "AsOf": audit.instant(survey.as_of)}
    if survey.standings is not None:
        counts = survey.counts()
        numbers = {"Users": len(survey.standings), "Managed": survey.managed, "Due": counts[State.DUE]}
        alarming = {"Expired": counts[State.EXPIRED], "Stuck": counts[State.STUCK]}
        facts |= {**numbers, **alarming, "Unmanaged": counts[State.UNMANAGED]}
    audit.write(logging.INFO, invocation, facts)


def diagnosed(invocation: str, findings: Iterable[Finding]) -> None:
    """Log what the doctor found, a line each."""
    for each in findings:
        whom = {} if each.user is None else {"User": each.user}
        facts: audit.Facts = {"Outcome": "finding", "Problem": each.problem.value, **whom, "Message": each.what}
        audit.write(logging.WARNING, invocation, facts)
