"""docs/observability/: what Log Service and CloudMonitor are told, as their APIs take it.

    python -m tests.observability.artefacts   # writes the files; a test asks for it when queries have changed

`${...}` stands for the names of a deployment; docs/observability.md has the commands that fill them in and install it.

Source: Log Service API 2020-12-30, CreateIndex, CreateSavedSearch, CreateDashboard, CreateAlert and the structures that
they name; "Data structure of an alert rule"; CloudMonitor API 2019-01-01, PutResourceMetricRule, and its metrics of
Simple Message Queue (acs_mns_new: a value every five minutes, by account, region and queue).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.observability.indexes import Json, index
from tests.observability.queries import QUERIES

FOLDER = Path(__file__).parents[2] / "docs" / "observability"
PROJECT, STORE, REGION, PREFIX = "${LOG_PROJECT}", "${LOG_STORE}", "${FC_REGION}", "${ROTATOR_NAME}"
DASHBOARD = f"{PREFIX}-passwords"

CRITICAL, HIGH, MEDIUM, REPORT = 10, 8, 6, 2  # Log Service's severities

SAVED = (
    "rotations",
    "failures",
    "failed-rotation",
    "password-in-doubt",
    "dead-letters",
    "mismatch-window",
    "one-user",
    "one-event",
    "slowest",
    "scans",
    "findings",
    "ignored",
)


@dataclass(frozen=True)
class Alert:
    """When to look for a query's rows, how far back, and what to say of one."""

    query: str
    severity: int
    says: str  # ${...} is a column of the row
    schedule: Json
    since: str
    by: str | None = "who"  # the column for each of whose values there is an alert of its own; None: one for all rows


OFTEN: Json = {"type": "FixedRate", "interval": "5m"}
HOURLY: Json = {"type": "FixedRate", "interval": "1h"}
# At six, when the scan of two o'clock (SCAN_SCHEDULE) is over.
DAILY: Json = {"type": "Cron", "cronExpression": "0 6 * * *", "timeZone": "+0800"}

ALERTS = (
    Alert("failed-rotation", MEDIUM, "${who}: ${error}. ${message}", OFTEN, "-15m"),
    Alert(
        "password-in-doubt",
        CRITICAL,
        "${who} may be unable to log on, and was not rotated since. ${message}",
        OFTEN,
        "-24h",
    ),
    Alert(
        "dead-letters",
        HIGH,
        "${who}: ${error} after ${deliveries} deliveries of ${event}. See the queue ${ROTATOR_NAME}-dead-letters.",
        OFTEN,
        "-1h",
    ),
    Alert(
        "stuck-claim",
        HIGH,
        "${stuck} users have a claim that is over and published nothing: what their secret holds may be dead.",
        HOURLY,
        "-24h",
        by=None,
    ),
    Alert("expired-user", CRITICAL, "${expired} users cannot log on: their password expired.", HOURLY, "-24h", by=None),
    Alert(
        "mismatch-window",
        MEDIUM,
        "${who}: readers of ${secret} got a dead password for ${ms} ms (KMS request ${request}).",
        OFTEN,
        "-15m",
    ),
    Alert("finding", MEDIUM, "${problem}, ${users} users: ${message}", HOURLY, "-1h", by="problem"),
    Alert("missing-scan", HIGH, "No scan has ended in 24 hours: passwords expire unnoticed.", DAILY, "-24h", by=None),
    Alert(
        "password-changed",
        REPORT,
        "${who}: your password was changed (reason: ${reason}). Read secret ${secret}, or ask your administrator.",
        OFTEN,
        "-5m",
    ),
)

# The dashboard, row by row: the chart, its type, its width of 24, and how far back it looks.
WEEK, MONTH = "-604800s", "-2592000s"
ROWS: tuple[tuple[int, tuple[tuple[str, str, int, str], ...]], ...] = (
    (
        5,
        (
            ("rotated-users", "statpro", 5, WEEK),
            ("failing-users", "statpro", 5, WEEK),
            ("worst-mismatch", "statpro", 5, WEEK),
            ("stuck-claims", "statpro", 4, "-86400s"),
            ("expired-users", "statpro", 5, "-86400s"),
        ),
    ),
    (8, (("outcomes-by-day", "linepro", 16, MONTH), ("errors", "barpro", 8, WEEK))),
    (8, (("password-in-doubt", "tablepro", 12, "-86400s"), ("dead-letters", "tablepro", 12, WEEK))),
    (8, (("mismatch-by-day", "linepro", 16, MONTH), ("reasons", "barpro", 8, MONTH))),
    (8, (("failures", "tablepro", 24, WEEK),)),
    (8, (("scans", "tablepro", 12, MONTH), ("slowest", "tablepro", 12, WEEK))),
)

QUEUES = ("dead-letters", "failed-scans", "failed-redrives")


def saved_searches() -> list[Json]:
    """Return what CreateSavedSearch takes, once for each."""
    return [
        {
            "savedsearchName": f"{PREFIX}-{name}",
            "displayName": QUERIES[name].title,
            "logstore": STORE,
            "topic": "",
            "searchQuery": QUERIES[name].text,
        }
        for name in SAVED
    ]


def dashboard() -> Json:
    """Return what CreateDashboard takes."""
    charts, down = [], 0
    for height, row in ROWS:
        along = 0
        for name, kind, width, since in row:
            charts.append(_chart(name, kind, since, {"xPos": along, "yPos": down, "width": width, "height": height}))
            along += width
        down += height
    return {
        "dashboardName": DASHBOARD,
        "displayName": "CloudSSO passwords",
        "description": "What cloudsso-rotator did, and what is wrong.",
        "attribute": {"type": "grid"},
        "charts": charts,
    }


def _chart(name: str, kind: str, since: str, place: Json) -> Json:
    query = QUERIES[name].text
    asked = {"name": "A", "datasource": "logstore", "project": PROJECT, "logstore": STORE}
    search = {"topic": "", "start": since, "end": "now", "logstore": STORE, "query": "@"}
    basic = {"displayName": QUERIES[name].title, "showTitle": True, "showBorder": True, "showBackground": True}
    return {
        "title": name,
        "type": kind,
        "search": {**search, "chartQueries": [{**asked, "query": query, "tokenQuery": query}]},
        "action": {},
        "display": {"basicOptions": {**basic, "showTime": True}, **place, "version": "2"},
    }


def alerts() -> list[Json]:
    """Return what CreateAlert takes, once for each; `type` and `status` are for the older form of that call."""
    return [_alert(each) for each in ALERTS]


def _alert(alert: Alert) -> Json:
    query = QUERIES[alert.query]
    any_row = {"condition": "", "countCondition": ""}
    said = {"title": query.title, "desc": alert.says}
    return {
        "name": f"{PREFIX}-{alert.query}",
        "displayName": query.title,
        "description": "",
        "type": "Alert",
        "status": "Enabled",
        "schedule": {**alert.schedule, "runImmediately": False},
        "configuration": {
            "version": "2.0",
            "type": "default",
            "dashboard": DASHBOARD,
            "queryList": [
                {
                    "storeType": "log",
                    "region": REGION,
                    "project": PROJECT,
                    "store": STORE,
                    "query": query.text,
                    "timeSpanType": "Relative",
                    "start": alert.since,
                    "end": "now",
                    "powerSqlMode": "auto",
                }
            ],
            "joinConfigurations": [],
            "groupConfiguration": {"type": "custom", "fields": [alert.by]}
            if alert.by
            else {"type": "no_group", "fields": []},
            "conditionConfiguration": any_row,
            "severityConfigurations": [{"severity": alert.severity, "evalCondition": any_row}],
            "labels": [{"key": "application", "value": "cloudsso-rotator"}],
            "annotations": [{"key": key, "value": value} for key, value in said.items()],
            "autoAnnotation": True,
            "sendResolved": True,
            "threshold": 1,
            "noDataFire": False,
            "noDataSeverity": MEDIUM,
            "policyConfiguration": {
                "alertPolicyId": "sls.builtin.dynamic",
                "actionPolicyId": "${ACTION_POLICY}",
                "repeatInterval": "1h",
            },
        },
    }


def alarms() -> list[Json]:
    """Return what PutResourceMetricRule takes, once for each queue that should be empty."""
    return [
        {
            "RuleId": f"{PREFIX}-{queue}",
            "RuleName": f"{PREFIX}: the queue {queue} is not empty",
            "Namespace": "acs_mns_new",
            "MetricName": "ActiveMessages",
            "Resources": json.dumps([{"userId": "${ACCOUNT_ID}", "region": REGION, "queue": f"{PREFIX}-{queue}"}]),
            "ContactGroups": "${CONTACT_GROUP}",
            "Period": "300",
            "Interval": "300",
            "SilenceTime": "86400",
            "NoDataPolicy": "KEEP_LAST_STATE",
            "Escalations.Critical.Statistics": "Maximum",
            "Escalations.Critical.ComparisonOperator": "GreaterThanThreshold",
            "Escalations.Critical.Threshold": "0",
            "Escalations.Critical.Times": "1",
        }
        for queue in QUEUES
    ]


def files() -> dict[Path, str]:
    """Return every file as it is kept."""
    made: dict[str, Json | list[Json]] = {
        "index": index(),
        "queries": saved_searches(),
        "dashboard": dashboard(),
        "alerts": alerts(),
        "alarms": alarms(),
    }
    return {FOLDER / f"{name}.json": json.dumps(what, indent=2) + "\n" for name, what in made.items()}


def main() -> None:
    """Write every file anew."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
