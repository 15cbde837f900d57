"""Invocations by the official SDK of FC 3.0. The only importer of that SDK; imported by dispatch.py when needed."""

from __future__ import annotations

from typing import Any

from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client

from shared import connections, openapi
from shared.model import Credentials, Endpoint, RotationTarget, TaskId
from shared.openapi import Failure
from shared.ports import Clock

_ACCEPTED = 202


class Fc3Sender:
    """Sends to one function of FC 3.0 (dispatch.Sender)."""

    def __init__(
        self, target: RotationTarget, endpoint: Endpoint, region: str, credentials: Credentials, clock: Clock
    ) -> None:
        connections.make_safe(clock)
        self._target = target
        # The SDK would not know FC's throttling by its codes; dispatch.py repeats, for both versions alike.
        self._client = Client(openapi.config(openapi.Signer(credentials), region, endpoint, repeat=False))

    def send(self, event: bytes, task_id: TaskId) -> Failure | None:
        """See Sender."""
        answer = openapi.attempt(lambda: self._invoke(event, task_id))
        if isinstance(answer, Failure):
            return answer
        if answer.status_code == _ACCEPTED:
            return None
        # The SDK raises from 400 on only. A 200 is that of a synchronous call, which nobody asked for.
        return openapi.answered(answer.status_code, None, (answer.headers or {}).get("x-fc-request-id"))

    def _invoke(self, event: bytes, task_id: TaskId) -> Any:  # noqa: ANN401 - the SDK is untyped
        request = models.InvokeFunctionRequest(body=event, qualifier=self._target.qualifier)
        headers = models.InvokeFunctionHeaders(
            x_fc_invocation_type="Async", x_fc_async_task_id=task_id, x_fc_log_type="None"
        )
        return self._client.invoke_function_with_options(self._target.name, request, headers, openapi.runtime())
