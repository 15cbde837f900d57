"""A backend of Function Compute that runs nothing: it remembers what it was asked, and answers as it was told."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from tests.localcloud.fc.backend import (
    AsyncConfig,
    Result,
    Target,
    TaskEvent,
    TaskRecord,
    async_config_not_found,
    function_not_found,
    task_exists,
    task_not_found,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@dataclass
class StubBackend:
    """Functions that exist, and what became of calls of them; an accepted task succeeds when a test says so."""

    functions: set[Target]
    respond: Callable[[bytes], Result] = field(default=lambda payload: Result("r-1", payload))
    accepted: list[TaskRecord] = field(default_factory=list)
    configs: dict[Target, AsyncConfig] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, target: Target, payload: bytes) -> Result:
        self._check(target)
        return self.respond(payload)

    def invoke_async(self, target: Target, payload: bytes, task_id: str | None) -> str:
        self._check(target)
        request_id = str(uuid.uuid4())
        with self._lock:
            if any(task.task_id == task_id and task.target == target for task in self.accepted):
                raise task_exists(str(task_id))
            first = TaskEvent("Enqueued", NOON)
            record = TaskRecord(task_id or request_id, request_id, target, "Enqueued", NOON, payload, events=(first,))
            self.accepted.append(record)
        return request_id

    def tasks(self, target: Target) -> Sequence[TaskRecord]:
        self._check(target)
        return [task for task in self.accepted if task.target == target]

    def task(self, target: Target, task_id: str) -> TaskRecord:
        found = next((task for task in self.tasks(target) if task.task_id == task_id), None)
        if found is None:
            raise task_not_found(task_id)
        return found

    def stop_task(self, target: Target, task_id: str) -> None:
        task = self.task(target, task_id)
        self.accepted[self.accepted.index(task)] = replace(task, state="Stopped", ended=NOON)

    def async_config(self, target: Target) -> AsyncConfig:
        self._check(target)
        if target not in self.configs:
            raise async_config_not_found(target)
        return self.configs[target]

    def set_async_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        self._check(target)
        self.configs[target] = replace(config, created=NOON, modified=NOON)
        return self.configs[target]

    def _check(self, target: Target) -> None:
        if target not in self.functions:
            raise function_not_found(target)
