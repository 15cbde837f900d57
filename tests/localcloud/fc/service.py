"""Function Compute as the rest of the cloud has it: one object whose backend can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from tests.localcloud.fc.backend import AsyncConfig, Backend, Result, Target, TaskRecord, function_not_found
from tests.localcloud.fc.operation import Place


class NoFunctions:
    """A backend before anything was deployed."""

    def invoke(self, target: Target, payload: bytes) -> Result:
        """See Backend."""
        _refuse(target)

    def invoke_async(self, target: Target, payload: bytes, task_id: str | None) -> str:
        """See Backend."""
        _refuse(target)

    def tasks(self, target: Target) -> Sequence[TaskRecord]:
        """See Backend."""
        _refuse(target)

    def task(self, target: Target, task_id: str) -> TaskRecord:
        """See Backend."""
        _refuse(target)

    def stop_task(self, target: Target, task_id: str) -> None:
        """See Backend."""
        _refuse(target)

    def async_config(self, target: Target) -> AsyncConfig:
        """See Backend."""
        _refuse(target)

    def set_async_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        """See Backend."""
        _refuse(target)


@dataclass
class FunctionCompute:
    """The functions of one account in one region."""

    place: Place
    backend: Backend = field(default_factory=NoFunctions)


def _refuse(target: Target) -> NoReturn:
    raise function_not_found(target)
