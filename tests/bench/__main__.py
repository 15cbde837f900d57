"""`make bench`: measure everything, print it, and keep it. It always exits 0 once it has measured: speed is no test.

A full run writes tests/bench/results.json and the figures of docs/performance.md. A quick one (`make bench QUICK=1`) is
for while one works on something: it writes dist/bench/results.json only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from rich.console import Console
from rich.text import Text

from tests.bench import batches, cold, folders, parsing, recovery, report, results, scans, sizes, targets, warm
from tests.bench.arena import BenchError, arena
from tests.bench.gauge import GaugeError


@dataclass(frozen=True)
class Plan:
    """How often everything is repeated."""

    mode: str
    cold: int
    cold_tls: int
    warm: int
    batch: int
    batch_users: int
    scans: Mapping[int, int]
    parsing: int


BUSY = 1.0  # the load of a machine that does something else
FULL = Plan("full", 15, 7, 40, 3, batches.USERS, {1_000: 3, 10_000: 3, 100_000: 2}, 5)
QUICK = Plan("quick", 3, 2, 8, 1, 48, {1_000: 1, 10_000: 1}, 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What a rotation costs.")
    parser.add_argument("--quick", action="store_true", help="a minute instead of several; keeps its results apart")
    quick = parser.parse_args(arguments).quick
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with console.status("preparing") as status:
            found = measure(QUICK if quick else FULL, lambda doing: status.update(Text(doing)))
    except (BenchError, GaugeError) as problem:
        console.print(refusal(problem), soft_wrap=True)
        return 1
    report.show(found, console)
    if quick:
        results.write(found, folders.DIST / "results.json")
    else:
        results.write(found, results.RESULTS)
        report.publish(found)
    return 0


def refusal(problem: Exception) -> Text:
    """Return what went wrong as it is: it may have brackets, which are no markup."""
    return Text(f"{problem}. Nothing was written: the figures are those of the last run.", "red")


def measure(plan: Plan, tell: Callable[[str], object]) -> results.Results:
    """Measure everything."""
    load = os.getloadavg()[0]
    if load > BUSY:
        tell(f"measuring, although the machine has a load of {load:.1f} already")
    missing = [] if folders.BOTO3.is_dir() else ["boto3, which could not be installed"]
    recovered = recovery.measure(tell)
    read = parsing.measure(plan.parsing, tell)
    with arena() as over_http:
        started = cold.measure(over_http, plan.cold, tell)
        counted = warm.calls(over_http)
        warmed = warm.measure(over_http, plan.warm, tell)
        batch = batches.measure(over_http, plan.batch, plan.batch_users, tell)
    with arena(tls=True) as over_tls:
        started_tls = cold.measure(over_tls, plan.cold_tls, tell)
    scanned = scans.measure(list(plan.scans), plan.scans, tell)
    found = results.Results(
        mode=plan.mode,
        machine=results.machine(load),
        missing=missing,
        cold=started,
        cold_tls=started_tls,
        warm=warmed,
        calls=counted,
        batch=batch,
        scans=scanned,
        parsing=read,
        recovery=recovered,
        packages=sizes.measure(tell),
    )
    return msgspec.structs.replace(found, targets=targets.verdicts(found))


if __name__ == "__main__":
    raise SystemExit(main())
