"""What functions have logged: Function Compute writes it in the name of each function's role.

Source: "Use function roles to grant Function Compute access to other Alibaba Cloud services".
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from tests.localcloud.api import ApiError
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.operation import Place
from tests.localcloud.ram.service import Ram, Role


@dataclass(frozen=True)
class LogRecord:
    """What one request left in the function's log: Function Compute's own lines, and what the function wrote."""

    function: str
    request_id: str
    instance_id: str
    ended: datetime
    text: str = field(repr=False)


class Logs:
    """Every record that was written, in the order in which the requests ended."""

    def __init__(self, place: Place, ram: Ram) -> None:
        self._place = place
        self._ram = ram
        self._records: list[LogRecord] = []
        self._lock = threading.Lock()

    def write(self, record: LogRecord, spec: FunctionSpec, role: Role | None) -> None:
        """Write a record; where the role may not there is none, and nobody is told."""
        if self._may(spec, role):
            with self._lock:
                self._records.append(record)

    def of(self, function: str | None) -> list[LogRecord]:
        """Return the records of one function, or of all."""
        with self._lock:
            return [record for record in self._records if function in (None, record.function)]

    def _may(self, spec: FunctionSpec, role: Role | None) -> bool:
        if role is None or spec.log_store is None:
            return True
        store = f"acs:log:{self._place.region}:{self._place.account_id}:{spec.log_store}"
        try:
            self._ram.authorize_role(role, "log", "PostLogStoreLogs", store)
        except ApiError:
            return False
        return True
