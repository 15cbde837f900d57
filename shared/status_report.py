"""Where passwords stand, as JSON: for workflows that branch on it, and for everybody who has no browser at hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.doctor import Finding, not_checked
from shared.status import Gap, Selection, Standing, Survey

Json = dict[str, object]


def status(survey: Survey, findings: Sequence[Finding], selection: Selection) -> Json:
    """Return the directory in numbers, and the users who were asked for."""
    return {
        **directory(survey, findings),
        "Matching": selection.matching,
        "Page": selection.page,
        "Pages": selection.pages,
        "Standings": [standing(one, secrets_known=survey.secrets_known) for one in selection.rows],
    }


def doctor(survey: Survey, findings: Sequence[Finding]) -> Json:
    """Return the directory in numbers, and everything that is wrong with it."""
    unchecked = [{"What": each.what, "How": each.how} for each in not_checked(survey)]
    found = [finding(each) for each in findings]
    return {**directory(survey, findings), "Findings": found, "NotChecked": unchecked}


def directory(survey: Survey, findings: Sequence[Finding]) -> Json:
    """Return the directory in numbers. None of a number: what it follows from could not be read."""
    schedule, known = survey.schedule, survey.standings is not None
    return {
        "AsOf": _instant(survey.as_of),
        "DirectoryId": survey.directory_id,
        "Healthy": all(each.problem.advice for each in findings),
        "Complete": survey.complete,
        "SsoEnabled": survey.sso_enabled,
        "MaxPasswordAgeDays": schedule and _days(schedule.max_age),
        "RotateBeforeExpiryDays": schedule and _days(schedule.lead),
        "SpreadDays": schedule and _days(schedule.spread),
        "Adjusted": list(survey.adjusted),
        "Users": len(survey.standings or ()) if known else None,
        "Managed": survey.managed if known and survey.secrets_known else None,
        "LookedAt": survey.looked_at,
        "States": {state.value: count for state, count in survey.counts().items()} if known else None,
        "Gaps": [_gap(gap) for gap in survey.gaps],
    }


def standing(one: Standing, *, secrets_known: bool = True) -> Json:
    """Return where one user's password stands.

    `Versions` is None where they were not looked at; `Unread` is why, if that was tried.
    """
    return {
        "UserName": one.user.name,
        "UserId": one.user.id,
        "State": one.state.value,
        "Managed": one.managed is not None if secrets_known else None,
        "SecretName": one.secret,
        "RotatedAt": _instant(one.rotated_at),
        "DueAt": _instant(one.due_at),
        "ExpiresAt": _instant(one.expires_at),
        "Claim": one.claim
        and {
            "VersionId": one.claim.id,
            "Attempt": one.claim.attempt,
            "Since": _instant(one.claim.since),
            "Stuck": one.claim.stuck,
        },
        "LastOutcome": one.last
        and {"Outcome": one.last.outcome, "At": _instant(one.last.at), "VersionId": one.last.version},
        "Versions": None
        if one.versions is None
        else [
            {"VersionId": version.id, "CreatedAt": _instant(version.created), "Stages": sorted(version.stages)}
            for version in one.versions
        ],
        "Unread": one.unread or None,
    }


def finding(each: Finding) -> Json:
    """Return one problem, with the commands that mend it."""
    return {
        "Problem": each.problem.value,
        "UserName": each.user,
        "Since": _instant(each.since),
        "What": each.what,
        "Mend": list(each.mend),
        "More": each.more,
    }


def _gap(gap: Gap) -> Json:
    return {"Part": gap.part, "Error": gap.error.reason, "Message": str(gap.error)}


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _days(span: timedelta) -> float:
    days = span / timedelta(days=1)
    return int(days) if days.is_integer() else round(days, 3)
