"""The cells of the matrix: every call of a rotation, on a first and on a later one, with either source, by every fault.

A fault strikes the one call of the one user that its cell is about, and nobody else's: many cells can be tried at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from tests.localcloud.gateway.faults import Fault

Turn = Literal["first", "later"]  # CreateSecret is the claim, or PutSecretValue is
Source = Literal["cloudsso", "staged"]
TURNS: tuple[Turn, ...] = ("first", "later")
SOURCES: tuple[Source, ...] = ("cloudsso", "staged")
CALLS = ("lookup", "list", "claim", "reset", "publish", "tag")
ALWAYS = 1_000_000  # calls: more than there will be

HTML = b"<html><body>502 Bad Gateway</body></html>"
LATE = 20.0  # seconds until a late effect; LONGEST_EFFECT in shared/rotation.py allows 30
FaultFields = dict[str, Any]

# Every kind of fault. They pass: one call is struck, or `count` calls.
PASSING: Mapping[str, FaultFields] = {
    "throttled": {"kind": "throttle"},
    "throttled, 8 times": {"kind": "throttle", "count": 8},
    "400 of unknown code": {"kind": "error", "status": 400, "code": "Surprise.Of.The.Day"},
    "403": {"kind": "error", "status": 403, "code": "Forbidden.NoPermission"},
    "500": {"kind": "error", "status": 500, "code": "InternalFailure"},
    "slow answer": {"kind": "latency", "seconds": 0.05},
    "dropped before": {"kind": "drop-before"},
    "dropped after": {"kind": "drop-after"},
    "late": {"kind": "late", "seconds": LATE},
    "cut off": {"kind": "cut"},
    "200 with {}": {"kind": "garbage", "body": b"{}"},
    "half an answer": {"kind": "garbage", "keep": 70},
    "502 with HTML": {"kind": "refuse-garbage", "body": HTML},
    "redirect": {"kind": "redirect", "status": 307},
}
# The same kinds in other words.
VARIANTS: Mapping[str, FaultFields] = {
    "throttled, with advice": {"kind": "throttle", "retry_after_ms": 50},
    "503, 4 times": {"kind": "error", "status": 503, "code": "ServiceUnavailableTemporary", "count": 4},
    "dropped after, 4 times": {"kind": "drop-after", "count": 4},
    "empty 200": {"kind": "garbage", "body": b""},
    "200 with []": {"kind": "garbage", "body": b"[]"},
    "200 with null": {"kind": "garbage", "body": b"null"},
    "200 like an error": {"kind": "garbage", "body": b'{"Code": "InternalFailure", "Message": "no", "RequestId": "1"}'},
    "200 with HTML": {"kind": "garbage", "body": HTML, "content_type": "text/html"},
}
# Those that a client meets by its own time-out.
UNANSWERED: Mapping[str, FaultFields] = {
    "never answered": {"kind": "hang"},
    "never answered nor done": {"kind": "hang", "applied": False},
}
FAULTS: Mapping[str, FaultFields] = {**PASSING, **VARIANTS, **UNANSWERED}
# Those that differ if they do not pass: one of each kind, and each meaning of a refusal.
LASTING = (
    "throttled",
    "400 of unknown code",
    "403",
    "500",
    "slow answer",
    "dropped before",
    "dropped after",
    "late",
    "cut off",
    "200 with {}",
    "502 with HTML",
    "redirect",
    "never answered",
)
# When a process is killed: before a call has left it, when it was sent and nobody waits for it, when it was done.
KILLS = ("not sent", "on its way", "done")


@dataclass(frozen=True)
class Cell:
    """One fault on one call of one user's rotation; or a kill at it."""

    fault: str
    call: str
    turn: Turn
    source: Source
    lasts: bool = False  # every delivery is struck, until somebody mends the cause

    @property
    def user(self) -> str:
        """The user whom this cell is about; the name is unique among all cells."""
        rows = [*FAULTS, *KILLS]
        return f"u{rows.index(self.fault)}-{self.call}-{self.turn}-{self.source}-{'lasts' if self.lasts else 'passes'}"

    @property
    def request(self) -> dict[str, object]:
        """What the queue is sent."""
        return {"UserName": self.user, "GenerateRandomPassword": self.source == "cloudsso"}

    def strikes(self, user_id: str, secret: str, elsewhere: str) -> Iterator[Fault]:
        """Yield what to arm; redirects lead elsewhere."""
        fields = FAULTS[self.fault] | ({"count": ALWAYS} if self.lasts else {})
        if fields["kind"] == "redirect":
            fields["location"] = elsewhere
        for action, where in self.targets(user_id, secret):
            yield Fault(action, where=where, **fields)

    def targets(self, user_id: str, secret: str) -> list[tuple[str, dict[str, str]]]:
        """Return the action of this cell's call, and the parameters that tell it from everybody else's."""
        of_secret = {"SecretName": secret}
        return {
            "lookup": [("ListUsers", {"Filter": f"UserName eq {self.user}"})],
            "list": [("ListSecretVersionIds", of_secret)],
            "claim": self._claims(of_secret),
            "reset": [("ResetUserPassword", {"UserId": user_id})],
            "publish": [("PutSecretValue", {**of_secret, "VersionId": "r1" if self.turn == "first" else "r2"})],
            "tag": [("TagResource", of_secret)],
        }[self.call]

    def _claims(self, of_secret: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
        """Return where claims are written. Where a fault lasts, that is every write: without a claim no other comes."""
        if self.turn == "later":
            return [("PutSecretValue", of_secret if self.lasts else {**of_secret, "VersionId": "r2-c1"})]
        return [("CreateSecret", of_secret), *([("PutSecretValue", of_secret)] if self.lasts else ())]


def cells(faults: Iterable[str], *, lasts: bool = False) -> list[Cell]:
    """Return every cell of these faults; those of one fault, call by call, come together."""
    return [
        Cell(fault, call, turn, source, lasts) for fault, turn, call, source in product(faults, TURNS, CALLS, SOURCES)
    ]
