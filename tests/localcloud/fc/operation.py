"""What an API of Function Compute is to its entrance: paths that are recognised, checked, and then carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import Backend, Target
from tests.localcloud.gateway.wire import Answer, HttpRequest
from tests.localcloud.ram.service import Key


@dataclass(frozen=True)
class Place:
    """Where the functions are: what their names to RAM begin with."""

    region: str
    account_id: str

    def arn(self, target: Target) -> str:
        """Return a function's name to RAM."""
        return target.arn(self.region, self.account_id)


@dataclass(frozen=True)
class Operation:
    """One call, its arguments checked."""

    target: Target
    carry_out: Callable[[Backend], Answer] = field(repr=False)
    below: str = ""  # what follows the function in the resource's name to RAM, where the operation is about part of it

    def resources(self, place: Place) -> list[str]:
        """Return the names to RAM, any one of which is enough; the longer one is a guess."""
        arn = place.arn(self.target)
        return [arn, arn + self.below] if self.below else [arn]


@dataclass(frozen=True)
class Route:
    """A method and a path, and the operation that they stand for."""

    action: str
    method: str
    path: re.Pattern[str]
    read: Callable[[HttpRequest, Mapping[str, str], Place], Operation]

    def names(self, request: HttpRequest) -> dict[str, str] | None:
        """Return the decoded names in the path, if the request is for this route."""
        found = self.path.fullmatch(request.path) if request.method == self.method else None
        return None if found is None else {name: unquote(text) for name, text in found.groupdict("").items()}


class Api(Protocol):
    """One version of the API: its paths, who may call, and the form of a refusal."""

    version: str

    @property
    def routes(self) -> Sequence[Route]:
        """What it can be asked."""

    def verify(self, request: HttpRequest) -> Key:
        """Return the key that signed the request, or refuse it."""

    def described(self, request: HttpRequest, names: Mapping[str, str]) -> dict[str, str]:
        """Return a call's parameters as the log of calls and the faults see them: never the payload."""

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        """Render a refusal as this version does."""


def path_not_supported(request: HttpRequest) -> ApiError:
    """Return the refusal of an unknown path (FC error code pages)."""
    return ApiError(400, "PathNotSupported", f"'{request.path}' against '{request.method}' is not supported")


def internal_error() -> ApiError:
    """Return what a client is told of a defect (FC error code pages)."""
    return ApiError(500, "InternalServerError", "an internal error has occurred. Please retry.")
