"""Trying everything that is in the catalogue, one after the other, and what came of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TypeVar, get_args

# Importing them enters what they contain into the catalogue.
from tests.conformance import (
    behaviours_cloudsso,
    behaviours_fc,
    behaviours_kms,
    experiments_cloudsso,
    experiments_fc,
    experiments_kms,
)
from tests.conformance.bench import Bench
from tests.conformance.catalogue import (
    BEHAVIOURS,
    BY_HAND,
    EXPERIMENTS,
    Behaviour,
    Reading,
    Service,
    default_of,
    readings,
)
from tests.conformance.interrupts import undisturbed
from tests.conformance.verdicts import ConformanceError, Verdict
from tests.localcloud.switches import Switches

Found = TypeVar("Found")
GOOD: frozenset[Verdict] = frozenset({"holds", "default", "other reading", "skipped", "by hand"})
SERVICES = get_args(Service)
ENTERED = (
    behaviours_cloudsso,
    behaviours_kms,
    behaviours_fc,
    experiments_cloudsso,
    experiments_kms,
    experiments_fc,
)


@dataclass(frozen=True)
class Result:
    """What came of one trial. No text of an error is in it that could quote a password."""

    service: Service
    tried: str  # a behaviour's sentence, or a switch
    verdict: Verdict
    seen: str = ""

    @property
    def good(self) -> bool:
        """Whether the rotator is tested in a world like this one."""
        return self.verdict in GOOD


@dataclass
class Report:
    """What came of all of them."""

    behaviours: list[Result] = field(default_factory=list)
    switches: list[Result] = field(default_factory=list)
    strange_fields: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what could not be removed

    @property
    def good(self) -> bool:
        """Whether nothing calls for attention."""
        return all(result.good for result in (*self.behaviours, *self.switches)) and not self.left


def try_everything(bench: Bench, told: Callable[[Result], object] = lambda _: None) -> Report:
    """Try everything; what was made is removed after each trial, also when somebody interrupts."""
    report = Report()
    for each in sorted(BEHAVIOURS, key=lambda each: SERVICES.index(each.service)):
        report.behaviours.append(try_behaviour(bench, each))
        told(report.behaviours[-1])
    for switch in fields(Switches):
        report.switches.append(find_reading(bench, switch.name))
        told(report.switches[-1])
    with undisturbed():
        report.left = bench.clean()
    report.strange_fields = sorted(bench.gate.strange)
    return report


def try_behaviour(bench: Bench, behaviour: Behaviour) -> Result:
    """Find out whether a behaviour holds."""
    end = _ended(bench, behaviour.check)
    if isinstance(end, Ended):
        return Result(behaviour.service, behaviour.sentence, end.verdict, end.seen)
    return Result(behaviour.service, behaviour.sentence, "holds")


def find_reading(bench: Bench, switch: str) -> Result:
    """Find out which reading of a switch the service follows."""
    if switch in BY_HAND:
        return Result(BY_HAND[switch].service, switch, "by hand", f"needs {BY_HAND[switch].needs}")
    experiment = EXPERIMENTS[switch]
    end = _ended(bench, experiment.find)
    if isinstance(end, Ended):
        verdict: Verdict = "unknown reading" if end.verdict == "differs" else end.verdict
        return Result(experiment.service, switch, verdict, end.seen)
    return Result(experiment.service, switch, _known(switch, end), spelt(end))


def spelt(reading: Reading) -> str:
    """Write a reading as docs/loopback-cloud.md does."""
    return str(reading).lower() if isinstance(reading, bool) else reading


def _known(switch: str, reading: Reading) -> Verdict:
    if reading == default_of(switch):
        return "default"
    return "other reading" if reading in readings(switch) else "unknown reading"


@dataclass(frozen=True)
class Ended:
    """A trial that did not end well."""

    verdict: Verdict
    seen: str


def _ended(bench: Bench, trial: Callable[[Bench], Found]) -> Found | Ended:
    try:
        with bench.tidy():
            return trial(bench)
    except ConformanceError as end:
        return Ended(end.verdict, str(end))
    except Exception as error:  # noqa: BLE001 - its text may quote anything: only its kind and place are told
        place = traceback.extract_tb(error.__traceback__)[-1]
        return Ended("failed", f"{type(error).__name__} in {place.name}, line {place.lineno}")
