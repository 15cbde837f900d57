"""Two events about one user become one request: what must be true of it, and a wrong variant of the merging."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from shared import events
from tests.fakes import Setup
from tests.protocol.invariants import Truth, check_success

NEWEST = "        since=max(one.since for one in group),\n"


def rotate_by_merged_events(code: ModuleType = events) -> None:
    """Merge an event from before a rotation with one from after it, and carry out what they ask for.

    Raises Violated if one of them did not get what it asked for (I1).
    """
    setup = Setup()
    before = setup.request(since=setup.minutes(0))
    setup.rotator.ensure_rotated(before, give_up_at=setup.minutes(4.5))
    setup.clock.advance(600)
    after = setup.request(since=setup.minutes(-1))
    for one in code.merge([before, after]):
        setup.rotator.ensure_rotated(one, give_up_at=setup.minutes(4.5))
    live = setup.directory.live(setup.alice)
    for asked in (before, after):
        check_success(asked, Truth(current_is_live=True, live_since=live.at if live else None))


def merge_by_the_oldest() -> ModuleType:
    """Return a variant of events.py that asks for a rotation since the oldest of the instants."""
    source = Path(events.__file__).read_text(encoding="utf-8")
    assert source.count(NEWEST) == 1
    module = ModuleType("events, merged by the oldest")
    sys.modules[module.__name__] = module
    exec(compile(source.replace(NEWEST, NEWEST.replace("max", "min")), module.__name__, "exec"), module.__dict__)  # noqa: S102 - the project's own source
    return module
