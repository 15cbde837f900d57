"""Kills instances at every call of a rotation, all users of a batch being there; the queue delivers it again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tests.installation import ROTATOR, Installation
from tests.localcloud.gateway.faults import Fault
from tests.wire.matrix import Bench
from tests.wire.matrix_cells import CALLS, SOURCES, TURNS, Cell

_PATIENCE = 30.0  # real seconds until the last of a batch has come to where it is killed


class LastOne:
    """Does something when the last of so many callers has come; those before may have to wait for that."""

    def __init__(self, callers: int, do: Callable[[], object]) -> None:
        self._missing = callers
        self._do = do
        self._lock = threading.Lock()
        self._done = threading.Event()

    def come(self) -> None:
        """Be one who has come."""
        with self._lock:
            self._missing -= 1
            last = not self._missing
        if last:
            self._do()
            self._done.set()

    def come_and_wait(self) -> None:
        """Be one who has come, and wait until it was done."""
        self.come()
        assert self._done.wait(_PATIENCE), f"{self._missing} did not come"


@dataclass(frozen=True)
class Survival:
    """What became of one cell: how the redelivery ended, and how often the password was reset in all."""

    cell: Cell
    outcome: str
    resets: int
    mismatches: list[str]


class Kills(Bench):
    """Tries kills: the users of one batch, with first and later rotations by either source, share an instance."""

    rounds = 0  # of killing whoever was at work

    def __init__(self, installed: Installation) -> None:
        super().__init__(installed)
        self.killed: set[str] = set()  # instances

    def survivals(self) -> Iterator[Survival]:
        """Kill at every call; yield what became of each cell."""
        batches = [
            [Cell(moment, call, turn, source) for moment, turn, source in product(moments, TURNS, SOURCES)]
            for call in CALLS
            for moments in (("not sent", "done"), ("on its way",))
        ]
        self.prepare([cell for batch in batches for cell in batch])
        for batch in batches:
            yield from self._killed(batch)

    def _killed(self, batch: Sequence[Cell]) -> Iterator[Survival]:
        installed = self.installed
        before = len(installed.resets())
        last = LastOne(len(batch), self._kill)
        for cell in batch:
            self._arm(cell, last)
        lines = self.deliver(cell.request for cell in batch)
        installed.cloud.faults.clear()
        resets = installed.resets()[before:]
        letters = self.letters()
        for cell in batch:
            wrong = ["it ended in the dead letters"] * (cell.user in letters) + self.wrong_with_success(cell.user)
            yield Survival(cell, _told(lines[cell.user]), resets.count(installed.user_ids[cell.user]), wrong)

    def died_by_themselves(self) -> list[str]:
        """Return the logs of requests that failed without an exception, though nobody here had killed the instance."""
        records = self.installed.cloud.fc.logs(ROTATOR.function)
        dead = (record for record in records if "Error: " in record.text and "Traceback" not in record.text)
        return [record.text for record in dead if record.instance_id not in self.killed]

    def _kill(self) -> None:
        self.rounds += 1
        # More than one instance, if a slow machine took longer to send the batch than the stream waits for one.
        for instance in self.installed.cloud.fc.instances(ROTATOR):
            if instance.at_work:
                self.killed.add(instance.id)
                instance.kill()

    def _arm(self, cell: Cell, last: LastOne) -> None:
        """Let a call come to where it is killed, and go no further."""
        faults = self.installed.cloud.faults
        user_id, secret = self.installed.user_ids[cell.user], self.installed.secret_name(cell.user)
        ((action, where),) = cell.targets(user_id, secret)
        if cell.fault == "on its way":
            faults.before(action, last.come_and_wait, where=where)  # then it is done, whoever has died
            return
        (faults.after if cell.fault == "done" else faults.before)(action, last.come, where=where)
        faults.arm(Fault(action, "hang", applied=cell.fault == "done", where=where))


def _told(lines: Sequence[dict[str, Any]]) -> str:
    """Return what the audit lines of a user say, the killed delivery having said nothing."""
    return ", ".join(f"claim {line['Attempt']}" if "Attempt" in line else str(line["Outcome"]) for line in lines)
