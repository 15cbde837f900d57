"""The one throwaway function, deployed beforehand from tests/conformance/function: it answers its event, or raises."""

from __future__ import annotations

import secrets as randomness
from typing import Any

from alibabacloud_fc20230330 import models
from darabonba.runtime import RuntimeOptions

from tests.conformance.account import Account
from tests.conformance.gate import Fc
from tests.conformance.verdicts import RefusedError, SkippedError, answer_to

_NOT_FOUND = 404
FAIL = b"fail"  # the event at which it raises


class Function:
    """What callers do with a function."""

    def __init__(self, client: Fc, account: Account) -> None:
        self._client = client
        self._account = account

    @property
    def name(self) -> str:
        """Its name."""
        if self._account.function is None:
            message = "CONFORMANCE_FUNCTION is not set: deploy tests/conformance/function first"
            raise SkippedError(message)
        return self._account.function

    def invoke(self, event: bytes = b"hello", name: str | None = None, **headers: str) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Invoke it; the headers choose how."""
        return self._client.invoke_function_with_options(
            name or self.name,
            models.InvokeFunctionRequest(body=event),
            models.InvokeFunctionHeaders(**headers),
            RuntimeOptions(),
        )

    def queue(self, task_id: str, event: bytes = b"hello") -> Any:  # noqa: ANN401 - the SDK is untyped
        """Invoke it asynchronously under a task id."""
        return self.invoke(event, x_fc_invocation_type="Async", x_fc_async_task_id=task_id)

    def answer_to_again(self, task_id: str) -> str:
        """Invoke it under a task id that was used, and return how that is answered."""
        return answer_to(lambda: self.queue(task_id))

    @staticmethod
    def new_id() -> str:
        """Return a task id that nobody has used."""
        return f"t-{randomness.token_hex(8)}"

    def keep_tasks(self, *, retries: int = 0) -> None:
        """Let its asynchronous invocations be tasks, whose ids count."""
        config = models.PutAsyncInvokeConfigInput(async_task=True, max_async_retry_attempts=retries)
        self._client.put_async_invoke_config(self.name, models.PutAsyncInvokeConfigRequest(body=config))

    def state(self, task_id: str) -> str:
        """Return the state of an asynchronous task; empty while it is not recorded yet."""
        try:
            state: str = self.task(task_id).status
        except RefusedError as refusal:
            if refusal.failure.status == _NOT_FOUND:
                return ""
            raise
        return state

    def task(self, task_id: str) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Return an asynchronous task."""
        return self._client.get_async_task(self.name, task_id, models.GetAsyncTaskRequest()).body
