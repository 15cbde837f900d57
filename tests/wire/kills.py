"""Kills instances at every call of a rotation, all users of a batch being there; the queue delivers it again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.localcloud.gateway.faults import Fault
from tests.wire.matrix import Bench
from tests.wire.matrix_cells import CALLS, KILLS, SOURCES, TURNS, Cell

_PATIENCE = 30.0  # real seconds until the last of a batch has come to where it is killed


class Together:
    """Lets callers wait for each other; does something when the last one has come."""

    def __init__(self, callers: int, do: Callable[[], None]) -> None:
        self._barrier = threading.Barrier(callers, do)

    def __call__(self) -> None:
        """Be one who has come."""
        self._barrier.wait(_PATIENCE)


@dataclass(frozen=True)
class Survival:
    """What became of one cell: how the redelivery ended, and how often the password was reset in all."""

    cell: Cell
    outcome: str
    resets: int
    mismatches: list[str]


class Kills(Bench):
    """Tries kills: the users of one batch, with first and later rotations by either source, share an instance."""

    def survivals(self) -> list[Survival]:
        """Kill at every call; return what became of each cell."""
        batches = [
            [Cell(moment, call, turn, source) for turn in TURNS for source in SOURCES]
            for moment in KILLS
            for call in CALLS
        ]
        self.prepare([cell for batch in batches for cell in batch])
        return [survival for batch in batches for survival in self._killed(batch)]

    def _killed(self, batch: Sequence[Cell]) -> Iterable[Survival]:
        installed = self.installed
        starts = len(installed.resets())
        strike = Together(len(batch), installed.kill_rotators)
        for cell in batch:
            self._arm(cell, strike)
        lines = self.deliver(cell.request for cell in batch)
        installed.cloud.faults.clear()
        resets = installed.resets()[starts:]
        letters = self.letters()
        for cell in batch:
            wrong = ["it ended in the dead letters"] * (cell.user in letters) + self.wrong_with_success(cell.user)
            yield Survival(cell, _told(lines[cell.user]), resets.count(installed.user_ids[cell.user]), wrong)

    def _arm(self, cell: Cell, strike: Callable[[], None]) -> None:
        faults = self.installed.cloud.faults
        user_id, secret = self.installed.user_ids[cell.user], self.installed.secret_name(cell.user)
        ((action, where),) = cell.targets(user_id, secret)
        (faults.after if cell.fault == "done" else faults.before)(action, strike, where=where)
        if cell.fault == "not sent":
            faults.arm(Fault(action, "drop-before", where=where))


def _told(lines: Sequence[dict[str, Any]]) -> str:
    """Return what the audit lines of a user say, the killed delivery having said nothing."""
    return ", ".join(f"claim {line['Attempt']}" if "Attempt" in line else str(line["Outcome"]) for line in lines)
