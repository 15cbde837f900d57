"""What a run would do to an account, found out by doing it to a loopback cloud first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.conformance.account import Account
from tests.conformance.bench import Bench
from tests.conformance.rehearsal import stage
from tests.conformance.trials import Report, try_everything


@dataclass(frozen=True)
class Cost:
    """What a run sends and makes."""

    calls: Mapping[str, int]  # by action
    users: int
    users_at_once: int
    secrets: int
    secrets_at_once: int

    @staticmethod
    def of(bench: Bench) -> Cost:
        """Count what a bench has done."""
        users, secrets = bench.users, bench.secrets
        return Cost(dict(sorted(bench.gate.sent.items())), users.made, users.most, secrets.made, secrets.most)

    def __str__(self) -> str:
        return (
            f"{sum(self.calls.values())} calls; {self.users} users, {self.users_at_once} at a time; "
            f"{self.secrets} secrets, {self.secrets_at_once} at a time"
        )


def rehearse(account: Account) -> tuple[Report, Cost]:
    """Try everything on a loopback cloud, with what this account allows."""
    with stage(account) as rehearsal:
        bench = rehearsal.bench()
        return try_everything(bench), Cost.of(bench)
