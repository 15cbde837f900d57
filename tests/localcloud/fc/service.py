"""Function Compute as the APIs' entrance has it: where it is, and what runs its functions, which can be replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import Backend
from tests.localcloud.fc.operation import Place


def _no_urls(function: str, trigger: str) -> str:
    raise ApiError(404, "TriggerNotFound", f"trigger '{trigger}' of function '{function}' does not exist.")


def _no_timers(function: str, trigger: str) -> str:
    raise ApiError(404, "TriggerNotFound", f"trigger '{trigger}' of function '{function}' does not exist.")


@dataclass
class FunctionCompute:
    """The functions of one account in one region."""

    place: Place
    backend: Backend
    fire: Callable[[str, str], str] = field(default=_no_timers)  # a function's timer, now; returns the request id
    url: Callable[[str, str], str] = field(default=_no_urls)  # where a function's HTTP trigger answers
