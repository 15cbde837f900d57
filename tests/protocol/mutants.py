"""Plausible but wrong variants of the protocol, made from its own source: exploration must catch each."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from shared import history, rotation
from tests.protocol.cases import AT_ONCE, LATER, LONG_BEFORE, Named

TOOK_TOO_LONG = '            message = f"The claim on user {quoted(self.user.name)} took'

RACE = Named("no secret", AT_ONCE, staged=False, faults=0, likely=True)
ONE_FAULT = replace(RACE, faults=1)
TWO = replace(RACE, faults=2)
OVERTAKEN = Named("rotated before", LATER, staged=False, faults=1, likely=True)
OLD_EVENT = Named("rotated before", LONG_BEFORE, staged=False, faults=0, likely=True)


@dataclass(frozen=True)
class Mutant:
    """One text replaced by another, which must occur exactly once; and the smallest case in which that shows."""

    name: str
    caught_in: Named
    old: str
    new: str
    of: ModuleType = rotation  # or history, which rotation uses

    def load(self) -> ModuleType:
        """Return rotation.py, mutated or using what is. Raises ValueError if the source has no such text any more."""
        source = _source(self.of)
        if source.count(self.old) != 1:
            message = f"mutant {self.name!r} does not fit the source any more"
            raise ValueError(message)
        mutated = _executed(f"mutant: {self.name}", source.replace(self.old, self.new))
        if self.of is rotation:
            return mutated
        user = _executed(f"user of mutant: {self.name}", _source(rotation))
        user.__dict__.update(History=mutated.History, Claim=mutated.Claim)
        return user


def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def _executed(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses look their module up
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - the project's own source
    return module


MUTANTS = (
    Mutant(
        "the clock is read after the list",
        TWO,
        """            looked_at = self.clock.now()
            history = History(self.store.versions(self.secret))
""",
        """            history = History(self.store.versions(self.secret))
            looked_at = self.clock.now()
""",
    ),
    Mutant(
        "the next rotation claims right after a publication",
        replace(OVERTAKEN, staged=True),
        "        claimed_at = history.newest_claim()\n",
        "        claimed_at = None if history.settled() else history.newest_claim()\n",
    ),
    Mutant("no lease", RACE, "            if lease:\n", "            if lease > timedelta(days=1):\n"),
    Mutant("a short lease", ONE_FAULT, "LEASE = timedelta(seconds=100)", "LEASE = timedelta(seconds=30)"),
    Mutant(
        "a lost claim is carried on",
        RACE,
        "  # somebody else won, most likely: a new look tells\n            return None\n",
        "\n",
    ),
    Mutant(
        "no deadline for the publication",
        ONE_FAULT,
        """        if self.clock.now() > send_by:
            raise self._not_published(why)
""",
        "",
    ),
    Mutant(
        "no deadline for the reset",
        ONE_FAULT,
        "        if self.clock.now() > send_by:\n" + TOOK_TOO_LONG,
        "        if self.clock.now() > send_by + LEASE * 9:\n" + TOOK_TOO_LONG,
    ),
    Mutant(
        "the time is not looked at after a pause",
        TWO,
        "        return self.clock.now() <= send_by  #",
        "        return True  #",
    ),
    Mutant(
        "a generated reset is sent again after a lost answer",
        ONE_FAULT,
        "            if candidate is None:  # a second",
        "            if candidate is None and False:  # a second",
    ),
    Mutant(
        "success is said without the publication's answer",
        ONE_FAULT,
        "        raise self._not_published(why)\n\n    def _cast_doubt",
        '        return RequestId("?")\n\n    def _cast_doubt',
    ),
    Mutant(
        "the latest failure is told, not the gravest",
        TWO,
        "            self.failure = max(error, self.failure or error, key=_gravity)\n",
        "            self.failure = error\n",
    ),
    Mutant(
        "the reset's deadline is not handed on",
        RACE,
        "return self._send_reset(candidate, send_by)\n        except ResetOutcomeUnknown as unknown",
        "return self._send_reset(candidate, send_by - LEASE)\n        except ResetOutcomeUnknown as unknown",
    ),
    Mutant(
        "any current version will do",
        ONE_FAULT,
        "        version = history.settled()  #",
        "        version = history.holder_of('ACSCurrent')  #",
    ),
    Mutant(
        "a publication counts from its own time",
        OVERTAKEN,
        "        rotated_at = history.reset_after(version, PUBLISH_BY + LONGEST_EFFECT)\n",
        "        rotated_at = history.versions[version].created\n",
    ),
    Mutant(
        "no claim",
        replace(RACE, beginning="rotated before"),
        "            self._send_until_answered(lambda: self._send_claim(claim, value, history, send_by), send_by)\n",
        "            value.reveal()\n",
    ),
    Mutant(
        "an open claim is used again",
        replace(TWO, beginning="open claim", faults=0),
        "        claimed_at = self.clock.now()\n        if claimed_at > send_by:",
        "        claimed_at = self.clock.now()\n        if claim.previous:\n            return claimed_at\n"
        "        if claimed_at > send_by:",
    ),
    Mutant(
        "a staged password is published before it is set",
        replace(ONE_FAULT, staged=True),
        "            receipt = self._reset(candidate, send_by=claimed_at + RESET_BY)\n",
        "            if candidate is not None:\n"
        "                ready = ResetReceipt(candidate, RequestId('?'))\n"
        "                done = self._publish(claim, ready, send_by=claimed_at + PUBLISH_BY)\n"
        "                self._reset(candidate, send_by=claimed_at + RESET_BY)\n"
        "                return done\n"
        "            receipt = self._reset(candidate, send_by=claimed_at + RESET_BY)\n",
    ),
    Mutant(
        "success is said before the publication",
        RACE,
        "        request_id = self._send_publication(claim, self._published_value(receipt.password), send_by)\n",
        "        request_id = RequestId('?')\n",
    ),
    Mutant(
        "a staged candidate is not written down before it is set",
        replace(RACE, staged=True),
        "        value = self._claim_value(candidate)\n",
        "        value = self._claim_value(None)\n",
    ),
    Mutant(
        "an open claim does not make current doubtful",
        OLD_EVENT,
        " or claimed > newest",
        "",
        of=history,
    ),
    Mutant(
        "the newest that was published need not be current",
        replace(OLD_EVENT, beginning="older made current"),
        " or CURRENT not in self.published[newest].stages",
        "",
        of=history,
    ),
    Mutant(
        "a version that nobody claimed is taken for ours",
        replace(OLD_EVENT, beginning="written by hand"),
        "        if claimed < newest and len(self.versions) < KMS_KEEPS:\n",
        "        if len(self.versions) > KMS_KEEPS:\n",
        of=history,
    ),
    Mutant(
        "the lease is that of the oldest claim",
        OLD_EVENT,
        "        return max((version.created for version in self.claims.values()), default=None)\n",
        "        return min((version.created for version in self.claims.values()), default=None)\n",
        of=history,
    ),
    Mutant(
        "a worker does not wait for the lease of its own claim",
        OVERTAKEN,
        "            if lease:\n",
        "            if lease and self.failure is None:\n",
    ),
    Mutant(
        "a staged reset is repeated with another candidate",
        replace(OVERTAKEN, staged=True),
        "                return self._send_reset(candidate, send_by)\n            except ResetOutcomeUnknown:\n",
        "                return self._send_reset(self.new_password(self.user.name), send_by)\n"
        "            except ResetOutcomeUnknown:\n",
    ),
    Mutant(
        "a secret that exists is taken for created",
        ONE_FAULT,
        "            return False  # since the list",
        "            return True  # since the list",
    ),
    Mutant(
        "a claim without an answer is carried on",
        replace(OVERTAKEN, staged=True),
        "        except VersionConflict as error:\n            self.refused",
        "        except SecretStoreUnavailable:\n            pass\n"
        "        except VersionConflict as error:\n            self.refused",
    ),
    Mutant(
        "a claim becomes current",
        replace(OVERTAKEN, likely=False),
        "value, stage=ROTATING, send_by=send_by)\n\n    def _created",
        "value, stage=None, send_by=send_by)\n\n    def _created",
    ),
    Mutant(
        "a stage that cannot be taken is left where it is",
        replace(OVERTAKEN, faults=0, likely=False),
        "                self.store.release(self.secret, ROTATING, holder)\n",
        "                str(holder)\n",
    ),
    Mutant(
        "the loser of a race for a stage does not look again",
        replace(OVERTAKEN, likely=False),
        "        self.refused, self.way_made = None, claim\n",
        "        self.way_made = claim\n",
    ),
    Mutant(
        "the note of a failure quotes the candidate",
        replace(ONE_FAULT, staged=True),
        '{claim.id}:{error.reason}"})',
        '{claim.id}:{error.reason} of {candidate and candidate.reveal()}"})',
    ),
    Mutant(
        "a claim's time counts from its answer",
        TWO,
        "            return None\n        return claimed_at\n",
        "            return None\n        return self.clock.now()\n",
    ),
    Mutant(
        "a publication's time counts from the answer to the reset",
        TWO,
        "self._publish(claim, receipt, send_by=claimed_at + PUBLISH_BY)\n        except",
        "self._publish(claim, receipt, send_by=self.clock.now() + PUBLISH_BY)\n        except",
    ),
)
