from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.logs import LogRecord, Logs
from tests.localcloud.fc.operation import Place
from tests.localcloud.ram.service import Decision, Ram
from tests.localcloud.server import ACCOUNT_ID, FC_REGION

STORE = "project/p/logstore/l"
ARN = f"acs:log:{FC_REGION}:{ACCOUNT_ID}:{STORE}"
ENDED = datetime(2026, 1, 15, 8, tzinfo=timezone.utc)
RECORD = LogRecord("f", "request-1", "instance-1", ENDED, "hello")


def written(resource: str, log_store: str | None = STORE) -> tuple[list[LogRecord], list[Decision]]:
    """Let a function whose role may write to this resource log something; return what is kept, and RAM's decisions."""
    ram = Ram()
    statement = {"Effect": "Allow", "Action": "log:PostLogStoreLogs", "Resource": resource}
    role = ram.role("worker", ACCOUNT_ID, {"Version": "1", "Statement": [statement]})
    logs = Logs(Place(FC_REGION, ACCOUNT_ID), ram)
    logs.write(RECORD, FunctionSpec("f", Path(), "index.handler", role="worker", log_store=log_store), role)
    return logs.of("f"), ram.decisions


def test_a_log_is_written_in_the_name_of_the_functions_role() -> None:
    assert written(ARN) == ([RECORD], [Decision("worker", "log:PostLogStoreLogs", ARN, "allow")])


@pytest.mark.parametrize("other", [ARN + "2", ARN.replace("logstore/l", "logstore/m"), "acs:log:*:*:project/q/*"])
def test_a_role_that_may_not_leaves_no_log(other: str) -> None:
    assert written(other) == ([], [Decision("worker", "log:PostLogStoreLogs", ARN, "implicit-deny")])


def test_where_no_store_was_named_nobody_is_asked() -> None:
    assert written("acs:log:nowhere", log_store=None) == ([RECORD], [])
