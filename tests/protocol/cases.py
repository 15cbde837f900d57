"""What is explored: how the world begins, who asks when, what may go wrong, and how undocumented behaviour is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from shared.rotation import CLOCK_SKEW
from tests.localcloud.switches import Switches
from tests.protocol.states import SECOND, Case
from tests.protocol.world import Readings, beginnings

# Of the switches, those that a rotation of one user by names can meet at these ports; the likelier reading of each.
SWITCHES = (
    "current_password_settable",
    "purge",
    "purged_id_returns",
    "repeated_put_moves_stages",
    "stage_can_be_taken",
)
LIKELY: Readings = tuple((name, getattr(Switches(), name)) for name in SWITCHES)

AT_ONCE = "both at once"
LATER = (
    "one 16 s later"  # when a lost answer has been made up for, and the request that it was about is still under way
)
LONG_BEFORE = "both at once, one of an event long before"  # satisfied by what is current, if that can be trusted
AT_THE_LEASE = "one at the lease's end, clocks at their worst"
ASKED = {
    AT_ONCE: Case(beginnings()["no secret"]),
    LATER: Case(beginnings()["no secret"], starts=(timedelta(), 16 * SECOND)),
    LONG_BEFORE: Case(beginnings()["no secret"], since=(timedelta(), timedelta(hours=4))),
    AT_THE_LEASE: Case(
        beginnings()["no secret"],
        starts=(timedelta(), 89 * SECOND),
        skews=(timedelta(), CLOCK_SKEW),
        kms_skew=-CLOCK_SKEW,
    ),
}


@dataclass(frozen=True)
class Named:
    """A case in words."""

    beginning: str
    asked: str
    staged: bool
    faults: int
    likely: bool = False  # undocumented behaviour is read in the likelier way only

    @property
    def case(self) -> Case:
        """Return the case itself."""
        return replace(
            ASKED[self.asked],
            beginning=beginnings()[self.beginning],
            staged=self.staged,
            faults=self.faults,
            readings=LIKELY if self.likely else (),
        )

    @property
    def source(self) -> str:
        """Return who makes the passwords."""
        return "staged" if self.staged else "generated"

    @property
    def readings(self) -> str:
        """Return which readings are tried."""
        return "likely" if self.likely else "every"


def both(beginning: str, asked: str, faults: int, *, likely: bool = False) -> list[Named]:
    """Return a case for each source of passwords."""
    return [Named(beginning, asked, staged, faults, likely) for staged in (False, True)]


PLAIN = ("no secret", "rotated before", "foreign current")  # worlds in which fewer calls are made
# To two new events a foreign current version is as good as an old one: there are as many states of each.
TWO_FAULTS = [case for world in ("no secret", "rotated before") for case in both(world, AT_ONCE, 2, likely=True)]
EVERY_READING = [
    *(case for world in (*PLAIN, "open claim") for case in both(world, AT_ONCE, 1)),
    *both("ten versions", AT_ONCE, 0),
    *both("ten versions", AT_ONCE, 1, likely=True),
]
OTHER_TIMES = [case for asked in (LATER, AT_THE_LEASE) for case in both("rotated before", asked, 1)]
DOUBTFUL = ("open claim", "foreign current", "older made current", "written by hand")  # current is not known to be live
OLD_EVENTS = [case for world in ("rotated before", *DOUBTFUL) for case in both(world, LONG_BEFORE, 1, likely=True)]
CASES: list[Named] = [*TWO_FAULTS, *EVERY_READING, *OTHER_TIMES, *OLD_EVENTS]

# What takes too long for `make test`.
LONG_CASES: list[Named] = [
    *both("ten versions", AT_ONCE, 1),
    *(case for world in ("no secret", "rotated before") for case in both(world, AT_ONCE, 2)),
    *(
        case
        for world in ("foreign current", "open claim", "ten versions")
        for case in both(world, AT_ONCE, 2, likely=True)
    ),
    *(case for asked in (LATER, AT_THE_LEASE) for case in both("rotated before", asked, 2, likely=True)),
]
