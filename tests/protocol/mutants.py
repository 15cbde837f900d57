"""Plausible but wrong variants of the protocol, made from its own source: what the simulation must be able to catch."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from shared import rotation

SOURCE = Path(rotation.__file__).read_text(encoding="utf-8")
TOOK_TOO_LONG = '            message = f"The claim on user {quoted(self.user.name)} took'


@dataclass(frozen=True)
class Mutant:
    """One text replaced by another, which must occur exactly once."""

    name: str
    old: str
    new: str

    def load(self) -> ModuleType:
        """Return the mutated module. Raises ValueError if the source no longer has the text to replace."""
        if SOURCE.count(self.old) != 1:
            message = f"mutant {self.name!r} does not fit the source any more"
            raise ValueError(message)
        module = ModuleType(f"mutant: {self.name}")
        sys.modules[module.__name__] = module  # dataclasses look their module up
        exec(compile(SOURCE.replace(self.old, self.new), module.__name__, "exec"), module.__dict__)  # noqa: S102 - the project's own source
        return module


MUTANTS = (
    Mutant(
        "the clock is read after the list",
        """            looked_at = self.clock.now()
            history = History(self.store.versions(self.secret))
""",
        """            history = History(self.store.versions(self.secret))
            looked_at = self.clock.now()
""",
    ),
    Mutant(
        "the next rotation claims right after a publication",
        "        claimed_at = history.newest_claim()\n",
        "        claimed_at = None if history.settled() else history.newest_claim()\n",
    ),
    Mutant("no lease", "            if lease:\n", "            if lease > timedelta(days=1):\n"),
    Mutant("a short lease", "LEASE = timedelta(seconds=100)", "LEASE = timedelta(seconds=30)"),
    Mutant(
        "a lost claim is carried on",
        "        self._yield_or_give_up(claim, history, conflict)\n        return None\n",
        "        return claimed_at\n",
    ),
    Mutant(
        "no deadline for the publication",
        """        if self.clock.now() > send_by:
            raise self._not_published(why)
""",
        "",
    ),
    Mutant(
        "no deadline for the reset",
        "        if self.clock.now() > send_by:\n" + TOOK_TOO_LONG,
        "        if self.clock.now() > send_by + LEASE * 9:\n" + TOOK_TOO_LONG,
    ),
    Mutant(
        "the time is not looked at after a pause",
        "        return self.clock.now() <= send_by  #",
        "        return True  #",
    ),
    Mutant(
        "a generated reset is sent again after a lost answer",
        "            if candidate is None:  # a second",
        "            if candidate is None and False:  # a second",
    ),
    Mutant(
        "success is said without the publication's answer",
        "        raise self._not_published(why)\n\n    def _cast_doubt",
        '        return RequestId("?")\n\n    def _cast_doubt',
    ),
    Mutant(
        "the latest failure is told, not the gravest",
        "            self.failure = max(error, self.failure or error, key=_gravity)\n",
        "            self.failure = error\n",
    ),
    Mutant(
        "the reset's deadline is not handed on",
        "return self._send_reset(candidate, send_by)\n        except ResetOutcomeUnknown as unknown",
        "return self._send_reset(candidate, send_by - LEASE)\n        except ResetOutcomeUnknown as unknown",
    ),
    Mutant(
        "any current version will do",
        "        version = history.settled()  #",
        "        version = history.holder_of('ACSCurrent')  #",
    ),
    Mutant(
        "a publication counts from its own time",
        "        rotated_at = history.reset_after(version, PUBLISH_BY + LONGEST_EFFECT)\n",
        "        rotated_at = history.versions[version].created\n",
    ),
)
