"""Function Compute as the APIs' entrance has it: where it is, and what runs its functions, which can be replaced."""

from __future__ import annotations

from dataclasses import dataclass

from tests.localcloud.fc.backend import Backend
from tests.localcloud.fc.operation import Place


@dataclass
class FunctionCompute:
    """The functions of one account in one region."""

    place: Place
    backend: Backend
