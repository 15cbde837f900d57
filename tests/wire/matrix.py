"""Tries cells of the matrix on what is deployed, and judges each: whether a password is lost, or a lie told.

Requests come by the queue, and processes of the deployed function serve them. After everything has come to rest, the
user portal accepts what KMS holds; or else the request is among the dead letters, and the log says why. Then the cause
is mended, and what had failed is fed back.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from alibabacloud_cloudsso20210515 import models as sso

from tests.installation import Installation
from tests.localcloud.gateway.faults import Armed
from tests.wire.matrix_cells import Cell

FIRST = "First-Pass-01!x"
SETTLE_SECONDS = 500.0  # real ones, for a hundred batches on a slow machine
AT_ONCE, NEXT_CLAIM, REDELIVERED = "at once", "next claim", "redelivered"
RECOVERED = (AT_ONCE, NEXT_CLAIM, REDELIVERED)
DONE = ("rotated", "already-rotated")
# Reasons that say: nothing was reset (docs/protocol.md, "What an operator sees").
NOTHING_RESET = (
    "directory-denied",
    "directory-refused",
    "directory-unavailable",
    "secret-store-denied",
    "secret-store-unavailable",
    "secret-refused",
    "version-conflict",
)
EXHAUSTED = "too-many-attempts"


@dataclass
class Verdict:
    """What became of one cell."""

    cell: Cell
    outcome: str  # one of RECOVERED, or the reason that a dead letter failed of
    mended: str = ""  # what had to be sent once the cause was gone: the dead letter, or that and `Force`
    mismatches: list[str] = field(default_factory=list)


class Bench:
    """An installation on which cells are tried, each on a user of its own."""

    def __init__(self, installed: Installation) -> None:
        self.installed = installed
        self.before: dict[str, str] = {}  # the live password of each user before its cell is tried
        self._seen: set[str] = set()  # every password that was live when somebody looked
        # The portal would lock whoever tries so many passwords; here it is asked about each that could be live.
        policy = sso.SetPasswordPolicyRequest(directory_id=installed.directory_id, max_login_attempts=0)
        installed._sso.set_password_policy(policy)

    def prepare(self, cells: Sequence[Cell]) -> None:
        """Create a user for each cell, and rotate those whose later rotation is struck."""
        installed = self.installed
        for cell in cells:
            installed.add_user(cell.user, FIRST)
        later = [cell for cell in cells if cell.turn == "later"]
        self.deliver(cell.request for cell in later)
        installed.cloud.clock.shift(3600)
        self.before = {cell.user: FIRST for cell in cells} | {
            cell.user: installed.secret(cell.user)["Password"] for cell in later
        }

    def deliver(self, requests: Iterable[Mapping[str, object]]) -> dict[str, list[dict[str, Any]]]:
        """Send requests to the queue, all at once; return the audit lines of each user."""
        # KMS tells whole seconds: a rotation within the second in which it was asked for may look older than that.
        since = self.installed.cloud.clock.now() - timedelta(seconds=2)
        with self.installed.cloud.timeline.busy():
            for request in requests:
                self.installed.send({**request, "RotatedSince": since.strftime("%Y-%m-%dT%H:%M:%SZ")})
        return self.settled()

    def settled(self) -> dict[str, list[dict[str, Any]]]:
        """Let everything happen that is due; return the audit lines of each user since now."""
        told = len(list(self.installed.audit()))
        self.installed.settle(SETTLE_SECONDS)
        lines = defaultdict(list)
        for line in list(self.installed.audit())[told:]:
            lines[line["User"]].append(line)
        return lines

    def letters(self) -> set[str]:
        """Return the users whose requests are among the dead letters."""
        return {_request(json.loads(letter))["UserName"] for letter in self.installed.dead_letters()}

    def is_live(self, user: str, password: str) -> bool:
        """Ask the user portal."""
        return self.installed.signs_in(user, password) == "ok"

    def wrong_with_success(self, user: str) -> list[str]:
        """Return what is not as it must be after a success."""
        current = self.installed.secret(user).get("Password", "")
        self._seen |= {current, self.before[user]} - {""}  # "": KMS has a claim only
        held = {
            "the portal refuses what KMS holds": self.is_live(user, current),
            "the portal accepts the password from before": not self.is_live(user, self.before[user]),
        }
        return [what for what, holds in held.items() if not holds]

    def leaked(self) -> int:
        """Return how many of the passwords seen are in anything that the platform keeps."""
        kept = self.installed.everything_kept()
        return sum(password in kept for password in self._seen)


class Matrix(Bench):
    """Tries faults."""

    def __init__(self, installed: Installation, elsewhere: str) -> None:
        super().__init__(installed)
        self._elsewhere = elsewhere

    def verdicts(self, cells: Sequence[Cell]) -> list[Verdict]:
        """Try cells, all at once; return what became of each."""
        self.prepare(cells)
        armed = {cell: self._armed(cell) for cell in cells}
        lines = self.deliver(cell.request for cell in cells)
        self.installed.cloud.faults.clear()
        letters = self.letters()
        verdicts = [Verdict(cell, _outcome(lines[cell.user])) for cell in cells]
        for verdict in verdicts:
            struck = any(one.struck for one in armed[verdict.cell])
            verdict.mismatches += ["the fault did not strike"] * (not struck)
            verdict.mismatches += ["a success was not true: it had to be rotated again"] * _lied(
                lines[verdict.cell.user]
            )
            verdict.mismatches += self._wrong(verdict, letters)
        self._mend([verdict for verdict in verdicts if verdict.outcome not in RECOVERED])
        return verdicts

    def _armed(self, cell: Cell) -> list[Armed]:
        user_id, secret = self.installed.user_ids[cell.user], self.installed.secret_name(cell.user)
        return [self.installed.cloud.faults.arm(fault) for fault in cell.strikes(user_id, secret, self._elsewhere)]

    def _wrong(self, verdict: Verdict, letters: set[str]) -> list[str]:
        user = verdict.cell.user
        if verdict.outcome in RECOVERED:
            return self.wrong_with_success(user)
        before, installed = self.before[user], self.installed
        kept = installed.passwords_of(user) if installed.has_secret(user) else set()
        live = [password for password in (before, *kept) if self.is_live(user, password)]
        held = {
            "its request is not among the dead letters": user in letters,
            "it says that nothing was reset, and the password from before is refused": (
                verdict.outcome not in NOTHING_RESET or before in live
            ),
            "it is staged, and the live password is not in KMS": verdict.cell.source == "cloudsso" or bool(live),
        }
        return [what for what, holds in held.items() if not holds]

    def _mend(self, failed: Sequence[Verdict]) -> None:
        """Feed back what had failed, and force what had failed too often; all must succeed."""
        self.installed.redrive()
        lines = self.settled()
        exhausted = {user for user, its in lines.items() if its[-1]["Outcome"] == "failed"}
        self.deliver({**verdict.cell.request, "Force": True} for verdict in failed if verdict.cell.user in exhausted)
        self.installed.redrive()  # those forced, and whoever was in a batch with them: now there is nothing to do
        self.settled()
        failing = self.letters()
        for verdict in failed:
            user = verdict.cell.user
            verdict.mended = "force" if user in exhausted else "redrive"
            why = lines[user][-1].get("Error", EXHAUSTED)
            verdict.mismatches += [f"fed back, it fails of {why}"] * (why != EXHAUSTED)
            verdict.mismatches += ["it fails again and again"] * (user in failing)
            verdict.mismatches += self.wrong_with_success(user)


def _request(letter: dict[str, Any]) -> dict[str, Any]:
    """Return the request in a dead letter; one that was fed back and failed again has the first one's letter in it."""
    while "data" in letter:
        letter = json.loads(letter["data"]["messageBody"])
    return letter


def _lied(lines: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a request that had succeeded led to a rotation when it came again, with a batch that had failed."""
    outcomes = [line["Outcome"] for line in lines]
    done = next((number for number, outcome in enumerate(outcomes) if outcome in DONE), len(outcomes))
    return "rotated" in outcomes[done + 1 :]


def _outcome(lines: Sequence[dict[str, Any]]) -> str:
    """Return how a request ended, by the audit lines about its user."""
    done = next((number for number, line in enumerate(lines) if line["Outcome"] in DONE), None)
    if done is None:
        return str(lines[-1]["Error"]) if lines else "nothing was told"
    if done > 0:
        return REDELIVERED
    return AT_ONCE if lines[0].get("Attempt") == 1 else NEXT_CLAIM
