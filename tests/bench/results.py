"""What a run of the benchmark found, as results.json keeps it, and how the targets are judged by it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

from tests.bench.samples import Spread

RESULTS = Path(__file__).with_name("results.json")


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured: without this, a ratio means little, and a second means nothing."""

    system: str
    architecture: str
    python: str
    cpus: int
    load: tuple[float, float]  # of the last minute, at the beginning and at the end


class Cost(msgspec.Struct, frozen=True):
    """What an invocation costs."""

    cpu: Spread  # seconds
    wall: Spread  # seconds
    peak: Spread  # MiB


class Cold(msgspec.Struct, frozen=True):
    """Cold starts: from the start of the process to the answer to the first event."""

    cost: dict[str, Cost]
    against: dict[str, Cost]  # the artefact's, divided by another's of the same round
    modules: dict[str, int]  # how many each has imported by then
    phases: dict[str, dict[str, Spread]]  # CPU seconds of each phase


class Warm(msgspec.Struct, frozen=True):
    """Rotations by an instance that has rotated before, against their six calls made bare; net of the runtime's own."""

    cpu: Spread  # the ratio
    wall: Spread
    rotation_cpu: Spread  # seconds
    bare_cpu: Spread
    runtime_cpu: Spread  # of an invocation that does nothing: subtracted from both


class Calls(msgspec.Struct, frozen=True):
    """API calls, counted by the cloud."""

    rotation: int
    duplicate: int
    merged: int  # an event of several requests about one user
    requests_merged: int
    naive: int


class Batch(msgspec.Struct, frozen=True):
    """One event about many users, where every API call is answered after a while."""

    users: int
    parallel: int
    latency: float  # seconds
    ideal: float  # seconds: every worker always waits for an answer, and for nothing else
    wall: Spread  # seconds
    against_ideal: Spread
    cpu: Spread  # seconds


class Scan(msgspec.Struct, frozen=True):
    """A dry run of the scan by a fresh instance."""

    users: int
    cpu: Spread
    wall: Spread
    peak: Spread
    calls: int
    growth_cpu: Spread | None = None  # against the next smaller one of the same round
    growth_wall: Spread | None = None


class Parsing(msgspec.Struct, frozen=True):
    """Reading a batch of queue messages, without carrying anything out."""

    messages: int
    per_second: Spread
    against_json: Spread  # CPU, against decoding the same bytes with the standard library's json


class Recovery(msgspec.Struct, frozen=True):
    """Seconds of the cloud's time from sending a request to the publication of its password."""

    undisturbed: float
    lost_answer: float
    killed: float


class Packages(msgspec.Struct, frozen=True):
    """Sizes in bytes, zipped."""

    plain: int  # requirements.txt, installed plainly, without byte code
    plain_with_byte_code: int
    artefact: int
    naive: int


class Verdict(msgspec.Struct, frozen=True):
    """One target, and whether it was met."""

    figure: str
    target: str
    stretch: str
    measured: str
    verdict: str


class Results(msgspec.Struct, frozen=True):
    """Everything."""

    mode: str
    machine: Machine
    missing: list[str]  # what could not be measured, and why
    cold: Cold
    cold_tls: Cold
    warm: Warm
    calls: Calls
    batch: Batch
    scans: list[Scan]
    parsing: Parsing
    recovery: Recovery
    packages: Packages
    targets: list[Verdict] = []


def machine(load_before: float) -> Machine:
    """Say where this runs."""
    return Machine(
        platform.system(),
        platform.machine(),
        platform.python_version(),
        len(os.sched_getaffinity(0)),
        (round(load_before, 2), round(os.getloadavg()[0], 2)),
    )


def read(path: Path = RESULTS) -> Results:
    """Return what a run wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: Path) -> None:
    """Keep what a run found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
