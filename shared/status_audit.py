"""What a survey found, as audit lines (audit.py): what alerts on the state of passwords go by."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from shared import audit
from shared.doctor import Finding
from shared.status import State, Survey


def surveyed(invocation: str, trigger: str, survey: Survey) -> None:
    """Log a survey in numbers; what could not be read is logged as failed, a line each.

    A number that follows from it is left out: alerts go by the latest one, and none is over because nobody could look.
    """
    for gap in survey.gaps:
        audit.problem(invocation, gap.error)
    facts: audit.Facts = {"Outcome": "surveyed", "Trigger": trigger, "AsOf": audit.instant(survey.as_of)}
    audit.write(logging.INFO, invocation, facts | _numbers(survey))


def _numbers(survey: Survey) -> audit.Facts:
    if survey.standings is None:
        return {}
    counts, found = survey.counts(), {"Users": len(survey.standings)}
    if survey.secrets_known:
        selected = sum(one.selected for one in survey.standings if one.state is State.UNMANAGED)  # as in a scan's line
        found |= {"Managed": survey.managed, "Unmanaged": counts[State.UNMANAGED] - selected}
        if survey.schedule is not None:
            # While SSO logon is enabled nobody needs a password; a scan's line says so too, and alerts go by both.
            found |= {"Due": counts[State.DUE], "Expired": 0 if survey.sso_enabled else counts[State.EXPIRED]}
        if all(gap.part != "versions" for gap in survey.gaps):
            found["Stuck"] = counts[State.STUCK]
    return dict(found)


def diagnosed(invocation: str, findings: Iterable[Finding]) -> None:
    """Log what the doctor found, a line each."""
    for each in findings:
        whom = {} if each.user is None else {"User": each.user}
        facts: audit.Facts = {"Outcome": "finding", "Problem": each.problem.value, **whom, "Message": each.what}
        audit.write(logging.WARNING, invocation, facts)
