"""What the trials work with: throwaway users, secrets and one function; what a trial made is gone after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.conformance.account import Account
from tests.conformance.functions import Function
from tests.conformance.gate import Clients, Gate, Pace
from tests.conformance.interrupts import undisturbed
from tests.conformance.names import Names
from tests.conformance.secrets import Secrets
from tests.conformance.users import Users

_LOOKS = 5
_BETWEEN_LOOKS = 2.0  # seconds


class Bench:
    """One account at the disposal of the trials."""

    def __init__(self, account: Account, pace: Pace, gate: Gate | None = None) -> None:
        self.account = account
        self.gate = gate or Gate(account, pace)
        self.wait = pace.wait
        clients = Clients.of(account, self.gate)
        names = Names(account.prefix)
        self.users = Users(clients.sso, account, names)
        self.secrets = Secrets(clients.kms, account, names)
        self.function = Function(clients.fc, account)

    @contextmanager
    def tidy(self) -> Iterator[None]:
        """Remove what a trial made when it ends, however it ends; nothing that a trial made is needed by the next."""
        try:
            yield
        finally:
            with undisturbed():
                self.clean()

    def clean(self) -> list[str]:
        """Remove what was made and is still there; return what could not be removed, and why."""
        return [*self.users.clean(), *self.secrets.clean()]

    def clean_up_after_others(self) -> list[str]:
        """Remove what an earlier run with this prefix has left; return what could not be removed, and why."""
        self.users.find_left_over()
        self.secrets.find_left_over()
        return self.clean()

    def eventually(self, holds: Callable[[], bool]) -> bool:
        """Tell whether something comes true soon: listings may lag behind writes."""
        for look in range(_LOOKS):
            if look:
                self.wait(_BETWEEN_LOOKS)
            if holds():
                return True
        return False
