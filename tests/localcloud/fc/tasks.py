"""How the API of FC 3.0 shows asynchronous tasks: one as it is, many filtered, in order and page by page.

Source: the official SDK's models AsyncTask, AsyncTaskEvent, ListAsyncTasksRequest and ListAsyncTaskOutput.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tests.localcloud.api import Json
from tests.localcloud.fc.backend import LATEST, TaskRecord, TaskState
from tests.localcloud.fc.invocation import invalid
from tests.localcloud.fc.operation import Place


class _Given(msgspec.Struct, rename="camel"):
    include_payload: Literal["true", "false", "True", "False"] = "false"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    next_token: str = ""
    prefix: str = ""
    qualifier: str = LATEST
    sort_order_by_time: Literal["asc", "desc"] = "desc"  # the default is a guess
    started_time_begin: int = 0
    started_time_end: int | None = None
    status: TaskState | None = None


@dataclass(frozen=True)
class TaskQuery:
    """What ListAsyncTasks was asked for."""

    given: _Given

    @staticmethod
    def of(query: Mapping[str, str]) -> TaskQuery:
        """Read the query, or refuse it; a parameter that is not known is left out, as gateways do."""
        try:
            return TaskQuery(msgspec.convert(dict(query), _Given, strict=False))
        except msgspec.ValidationError as problem:
            raise invalid(str(problem)) from None

    def page(self, tasks: Sequence[TaskRecord], place: Place) -> Json:
        """Return one page; its token is the id of the last task shown, so that tasks to come shift nothing."""
        wanted = [task for task in tasks if self._wants(task)]
        ordered = wanted if self.given.sort_order_by_time == "asc" else wanted[::-1]
        rest = ordered[self._start(ordered) :]
        part = rest[: self.given.limit]
        payload = self.given.include_payload.lower() == "true"
        shown: Json = {"tasks": [task_json(task, place, payload=payload) for task in part]}
        return {**shown, "nextToken": part[-1].task_id} if len(part) < len(rest) else shown

    def _start(self, ordered: Sequence[TaskRecord]) -> int:
        if not self.given.next_token:
            return 0
        ids = [task.task_id for task in ordered]
        if self.given.next_token not in ids:
            raise invalid("nextToken is not a token of this list")
        return ids.index(self.given.next_token) + 1

    def _wants(self, task: TaskRecord) -> bool:
        given, started = self.given, _milliseconds(task.started)
        return (
            task.task_id.startswith(given.prefix)
            and given.status in (None, task.state)
            and given.started_time_begin <= started
            and (given.started_time_end is None or started <= given.started_time_end)
        )


def task_json(task: TaskRecord, place: Place, *, payload: bool) -> Json:
    """Return a task as the API shows it."""
    known: Json = {
        "taskId": task.task_id,
        "requestId": task.request_id,
        "functionArn": place.arn(task.target),
        "qualifier": task.target.qualifier,
        "status": task.state,
        "startedTime": _milliseconds(task.started),
        "alreadyRetriedTimes": task.retries,
        "destinationStatus": task.destination_status,
        "instanceId": task.instance_id,
        "taskErrorMessage": task.error,
        "events": [
            {
                "eventId": number,
                "status": event.state,
                "timestamp": _milliseconds(event.at),
                "eventDetail": event.detail,
            }
            for number, event in enumerate(task.events, start=1)
        ],
    }
    if task.ended is not None:
        known["endTime"] = _milliseconds(task.ended)
        known["durationMs"] = known["endTime"] - known["startedTime"]
    if payload:
        known["taskPayload"] = task.payload.decode(errors="replace")
        known["returnPayload"] = task.return_payload.decode(errors="replace")
    return known


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
