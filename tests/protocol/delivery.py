"""The code under test as a deterministic function of the answers to its calls: no threads, no real time.

`Rotator` is ordinary synchronous code. One delivery of a request to it is advanced by running it again from the start
with all the answers so far; at the first call that has none it stops. Whoever drives it, the simulation or the
explorer, decides when that call happens and what becomes of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any

from shared.errors import DirectoryUnavailable, ResetOutcomeUnknown, RotatorError, SecretStoreUnavailable
from shared.model import Outcome, Password, PasswordSource, ResetRequest, SecretName
from shared.rotation import Policy
from tests.fakes import user

ALICE = user("alice")
SECRET = SecretName("cloudsso/alice")
TIMEOUT = timedelta(seconds=15)  # the client stops waiting for an answer
READS = frozenset({"find", "versions", "tags", "check_resettable"})


@dataclass(frozen=True)
class Call:
    """A call that the code is about to make."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __str__(self) -> str:
        """Return what a trace says of it: the call and, of a version, the id."""
        return " ".join([self.name, *map(str, self.args[1:2])]) if self.name in ("put", "create") else self.name


@dataclass(frozen=True)
class Answer:
    """What a call returned or raised."""

    value: Any = None
    error: RotatorError | None = None


@dataclass(frozen=True)
class Ended:
    """The delivery is over: an outcome, or an error."""

    outcome: Outcome | None = None
    error: RotatorError | None = None


Record = list[Answer | datetime]  # answers and clock readings, in their order


@dataclass(frozen=True)
class Delivery:
    """One delivery of a request to one worker."""

    code: ModuleType  # shared.rotation, or a wrong variant of it
    request: ResetRequest
    staged: bool
    name: str  # unique: what makes owners and candidates differ from those of other deliveries
    give_up_at: datetime  # by the worker's clock

    def proceed(self, record: Record, reading: datetime) -> Call | Ended:
        """Run as far as the record goes and return what comes next; the clock shows `reading`, which is recorded."""
        ports: Any = _Ports(self.name, record, reading)
        source = PasswordSource.STAGED if self.staged else PasswordSource.CLOUDSSO
        rotator = self.code.Rotator(
            directory=ports,
            store=ports,
            clock=ports,
            policy=Policy(lambda _u: SECRET, lambda _u: None, lambda _r: source, lambda _r: False),
            new_password=lambda _name: Password(f"candidate-{ports.unique()}"),
            new_owner=ports.unique,
        )
        try:
            return Ended(rotator.ensure_rotated(self.request, give_up_at=self.give_up_at))
        except _Stopped as stopped:
            return stopped.call
        except RotatorError as error:
            return Ended(error=error.with_traceback(None))
        finally:
            for answer in record:
                if isinstance(answer, Answer) and answer.error is not None:
                    answer.error.__traceback__ = None  # it is raised in many runs, and would keep all their frames


class _Stopped(BaseException):
    def __init__(self, call: Call) -> None:
        self.call = call


class _Ports:
    """Every port at once, answering from the record."""

    def __init__(self, name: str, record: Record, reading: datetime) -> None:
        self._name = name
        self._record = record
        self._reading = reading
        self._answers = iter(tuple(record))
        self._made = itertools.count(1)

    def now(self) -> datetime:
        reading = next(self._answers, None)
        if reading is None:
            reading = self._reading
            self._record.append(reading)
        assert isinstance(reading, datetime)
        return reading

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, /, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - what any port returns
        answer = next(self._answers, None)
        if answer is None:
            raise _Stopped(Call(name, args, kwargs))
        assert isinstance(answer, Answer)
        if answer.error is not None:
            raise answer.error
        return answer.value

    def unique(self) -> str:
        """Return a text that no other delivery or call has, and the same one in every run."""
        return f"{self._name}.{next(self._made)}"


def refused(call: Call) -> Answer:
    """Return the answer to a call that was certainly not carried out."""
    error = DirectoryUnavailable("refused") if call.name in ("find", "reset") else SecretStoreUnavailable("refused")
    return Answer(error=error)


def unanswered(call: Call) -> Answer:
    """Return what a call raises whose answer did not come."""
    error = ResetOutcomeUnknown("lost") if call.name == "reset" else SecretStoreUnavailable("lost")
    return Answer(error=error)
