# ruff: noqa: S608 - the SQL is made of constants, and asks about logs
"""The queries: a search, and SQL over what it finds. Dashboard, alerts and saved searches are made of them.

Only what sls.py evaluates is used of both languages. An alert's query returns a row for each thing that is wrong, and
none if nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.doctor import Problem

SETTLED = "message.Outcome: rotated or message.Outcome: already-rotated"
LOST = "message.Error: reset-outcome-unknown or message.Error: not-published"
ADVICE = " or ".join(f"message.Problem: {problem.value}" for problem in Problem if problem.advice)
# Who only looks gives up nobody's request: a misspelt question fails too, and whoever asked is told at once.
REQUESTED = 'not functionName: "${ROTATOR_NAME}-rotation-status"'
# A failure before the user was found has only the name that the event gives, in whatever case.
WHO = """lower(coalesce("message.UserName", "message.User", 'no user'))"""


@dataclass(frozen=True)
class Query:
    """What is asked, for people and for Log Service."""

    title: str
    search: str
    sql: str = ""

    @property
    def text(self) -> str:
        """Return the query as Log Service takes it."""
        return f"{self.search} | {self.sql}" if self.sql else self.search


def _last(who: str, columns: str) -> str:
    """Return SQL for the last word on everybody, in columns of these names, by what they are told apart by."""
    fields = ", ".join(f'max_by("message.{name.title()}", __time__) as {name}' for name in columns.split())
    return f"(select {who} as who, {fields} from log group by 1)"


QUERIES = {
    # what is wrong; alerts.py makes alerts of these
    "failed-rotation": Query(
        "Requests that failed and were not made up for",
        f"(message.Outcome: failed or {SETTLED}) and {REQUESTED}",
        "select who, error, message from "
        + _last(WHO, "outcome error message")
        + " where outcome = 'failed' order by who limit 100",
    ),
    "password-in-doubt": Query(
        "Passwords that may have been reset without being published",
        f"{LOST} or {SETTLED}",
        "select who, error, message from "
        + _last('"message.UserName"', "outcome error message")
        + " where outcome = 'failed' order by who limit 100",
    ),
    "dead-letters": Query(
        "Requests that were given up",
        f"message.Outcome: failed and {REQUESTED}",
        "select who, event, error, deliveries from (select "
        + WHO
        + ' as who, coalesce("message.EventId", "message.Since") as event, '
        'max_by("message.Error", __time__) as error, count(*) as deliveries, '
        "count_if(\"message.Retryable\" = 'false') as hopeless from log group by 1, 2) "
        "where hopeless > 0 or deliveries > 3 order by who limit 100",
    ),
    "stuck-claim": Query(
        "Claims that outlived their lease and published nothing",
        "message.Outcome: surveyed and message.Stuck >= 0",
        'select stuck from (select max_by("message.Stuck", __time__) as stuck from log) where stuck > 0',
    ),
    "expired-user": Query(
        "Users whose password CloudSSO refuses by now",
        "(message.Outcome: scanned or message.Outcome: surveyed) and message.Expired >= 0",
        'select expired from (select max_by("message.Expired", __time__) as expired from log) where expired > 0',
    ),
    "mismatch-window": Query(
        "Secrets that held a dead password for more than five seconds",
        "message.Outcome: rotated and message.MismatchMs > 5000",
        'select "message.UserName" as who, "message.SecretName" as secret, "message.MismatchMs" as ms, '
        '"message.KmsRequestId" as request from log order by ms desc limit 100',
    ),
    "finding": Query(
        "What the doctor found, but for advice",
        f"message.Outcome: finding and not ({ADVICE})",
        'select "message.Problem" as problem, count(distinct "message.User") as users, '
        'max_by("message.Message", __time__) as message from log group by 1 order by 1 limit 100',
    ),
    "missing-scan": Query(
        "No scan in a day",
        "message.Outcome: scanned",
        "select scans from (select count(*) as scans from log) where scans = 0",
    ),
    # what is not wrong, and somebody is to be told of
    "password-changed": Query(
        "Passwords that were changed for a reason of today",
        "message.Outcome: rotated and (message.Reason: alert or message.Reason: manual)",
        'select "message.UserName" as who, max_by("message.Reason", __time__) as reason, '
        'max_by("message.SecretName", __time__) as secret from log group by 1 order by 1 limit 100',
    ),
    # what happened
    "rotations": Query(
        "Rotations, the newest first",
        "message.Outcome: rotated",
        'select __time__ as moment, "message.UserName" as who, "message.Reason" as reason, '
        '"message.SecretName" as secret, "message.VersionId" as version, "message.Attempt" as attempt, '
        '"message.MismatchMs" as mismatch, "message.TookMs" as took from log order by moment desc limit 1000',
    ),
    "failures": Query(
        "Failures, the newest first",
        "message.Outcome: failed",
        f'select __time__ as moment, {WHO} as who, "message.Reason" as reason, "message.Error" as error, '
        '"message.Retryable" as retryable, "message.Message" as message from log order by moment desc limit 1000',
    ),
    "one-user": Query(
        "Everything about one user (put the name)",
        "message.UserName: alice or message.User: alice or message.UserNames: alice",
        'select __time__ as moment, "message.Outcome" as outcome, "message.Error" as error, '
        '"message.Reason" as reason, "message.EventId" as event, "message.VersionId" as version, '
        '"message.CloudSsoRequestId" as reset, "message.KmsRequestId" as publication, "message.Message" as message '
        "from log order by moment desc limit 1000",
    ),
    "one-event": Query(
        "What became of one event (put its id)",
        'message.EventId: "put-the-event-id-here"',
    ),
    "outcomes-by-day": Query(
        "Outcomes, day by day",
        f"message.Outcome: failed or {SETTLED}",
        "select date_trunc('day', __time__) as day, count_if(\"message.Outcome\" = 'rotated') as rotated, "
        "count_if(\"message.Outcome\" = 'already-rotated') as duplicates, "
        "count_if(\"message.Outcome\" = 'failed') as failures from log group by 1 order by 1 limit 1000",
    ),
    "errors": Query(
        "Failures, by error",
        "message.Outcome: failed",
        'select "message.Error" as error, count(*) as failures from log group by 1 order by 2 desc limit 50',
    ),
    "reasons": Query(
        "Rotations, by reason",
        "message.Outcome: rotated",
        'select "message.Reason" as reason, count(*) as rotations from log group by 1 order by 2 desc limit 10',
    ),
    "mismatch-by-day": Query(
        "How long secrets held a dead password, in milliseconds",
        "message.Outcome: rotated",
        "select date_trunc('day', __time__) as day, approx_percentile(\"message.MismatchMs\", 0.5) as median, "
        'max("message.MismatchMs") as worst from log group by 1 order by 1 limit 1000',
    ),
    "slowest": Query(
        "What took longest, and how much of it was waiting",
        "message.TookMs >= 0",
        f'select __time__ as moment, {WHO} as who, "message.Outcome" as outcome, "message.TookMs" as took, '
        '"message.WaitedMs" as waited from log order by took desc limit 100',
    ),
    "scans": Query(
        "Scans, the newest first",
        "message.Outcome: scanned",
        'select __time__ as moment, "message.Users" as users, "message.Managed" as managed, "message.Due" as due, '
        '"message.Dispatched" as dispatched, "message.Deferred" as deferred, "message.Failed" as failures, '
        '"message.Expired" as expired, "message.Unmanaged" as unmanaged from log order by moment desc limit 100',
    ),
    "findings": Query(
        "What the doctor found, the newest first",
        "message.Outcome: finding",
        'select __time__ as moment, "message.Problem" as problem, "message.User" as who, "message.Message" as message '
        "from log order by moment desc limit 100",
    ),
    "ignored": Query(
        "Events that a rule ignores, by rule",
        "message.Outcome: ignored",
        'select "message.Rule" as rule, count(*) as events from log group by 1 order by 2 desc limit 50',
    ),
    # single numbers, for the dashboard
    "rotated-users": Query(
        "Users rotated",
        "message.Outcome: rotated",
        'select count(distinct "message.UserId") as users from log',
    ),
    "failing-users": Query(
        "Users without a success since",
        f"message.Outcome: failed or {SETTLED}",
        "select count(*) as users from " + _last(WHO, "outcome") + " where outcome = 'failed'",
    ),
    "worst-mismatch": Query(
        "Longest mismatch, ms",
        "message.Outcome: rotated",
        'select max("message.MismatchMs") as ms from log',
    ),
    "expired-users": Query(
        "Expired users",
        "(message.Outcome: scanned or message.Outcome: surveyed) and message.Expired >= 0",
        'select max_by("message.Expired", __time__) as users from log',
    ),
    "stuck-claims": Query(
        "Stuck claims",
        "message.Outcome: surveyed and message.Stuck >= 0",
        'select max_by("message.Stuck", __time__) as claims from log',
    ),
}
