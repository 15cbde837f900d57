"""What was aimed at, and whether it was met. A miss is said, not punished: seconds are not a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.arena import NAIVE, SOURCE
from tests.bench.results import Results, Scan, Verdict

LARGEST = 100_000
MET, STRETCH, MISSED, UNKNOWN = "met", "met, and the stretch", "MISSED", "not measured"


@dataclass(frozen=True)
class Target:
    """One line of the table: a figure, and how large it may be."""

    figure: str
    most: float
    stretch: float | None
    measured: float | None
    unit: str = ""

    def verdict(self) -> Verdict:
        """Judge it."""
        return Verdict(self.figure, self._shown(self.most), self._shown(self.stretch), self._measured(), self._judged())

    def _judged(self) -> str:
        if self.measured is None:
            return UNKNOWN
        if self.measured > self.most:
            return MISSED
        return STRETCH if self.stretch is not None and self.measured <= self.stretch else MET

    def _shown(self, limit: float | None) -> str:
        return "" if limit is None else f"<= {limit:g}{self.unit}"

    def _measured(self) -> str:
        return "" if self.measured is None else f"{self.measured:.3g}{self.unit}"


def verdicts(results: Results) -> list[Verdict]:
    """Judge a run by every target."""
    return [target.verdict() for target in _targets(results)]


def _targets(results: Results) -> Iterator[Target]:
    against, packages = results.cold.against, results.packages
    scan = next((each for each in results.scans if each.users == LARGEST), None)
    as_pip_leaves_it = packages.artefact / packages.plain_with_byte_code
    yield Target("cold start CPU, against naive with byte code", 0.45, 0.33, against[NAIVE].cpu.median)
    yield Target("cold start CPU, against naive without byte code", 0.16, 0.11, against[SOURCE].cpu.median)
    yield Target("peak memory of a cold start with one rotation, against naive", 0.85, 0.7, against[NAIVE].peak.median)
    yield Target("CPU of a warm rotation, against its six calls made bare", 1.10, 1.03, results.warm.cpu.median)
    yield Target("batch at 50 ms a call, against the ideal schedule", 1.15, 1.05, results.batch.against_ideal.median)
    yield Target("scan of 100,000 users, peak memory", 128, 80, scan.peak.median if scan else None, " MiB")
    yield Target("scan of 100,000 users, time against 10,000", 11, None, _growth(scan), "x")
    # pip compiles what it installs; that is of no use to a runtime of another version, so both are judged.
    yield Target("package, against requirements.txt as pip installs it, both zipped", 0.6, 0.4, as_pip_leaves_it)
    yield Target("package, against the same without byte code", 0.6, 0.4, packages.artefact / packages.plain)


def _growth(scan: Scan | None) -> float | None:
    """Return the worse of both times."""
    if scan is None or scan.growth_cpu is None or scan.growth_wall is None:
        return None
    return max(scan.growth_cpu.median, scan.growth_wall.median)
