"""`make conformance`: the contract on a real account; without a confirmation, what it would do, and nothing is sent.

Exit status: 0, everything that was tried is as the rotator is tested; 1, something is not, or something is left behind;
2, nothing was sent, because of the settings or for want of the confirmation; 130, interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from shared import connections
from shared.invocation import SystemClock
from tests.conformance import report as reporting
from tests.conformance.account import CONFIRM, Account, SettingsError, from_environment, is_confirmed
from tests.conformance.bench import Bench
from tests.conformance.gate import Pace
from tests.conformance.interrupts import end_in_order, undisturbed
from tests.conformance.plan import Cost, rehearse
from tests.conformance.rehearsal import stage
from tests.conformance.trials import try_everything
from tests.conformance.verdicts import ConformanceError

POLITE = Pace(time.sleep, between_calls=0.25)
NOTHING_SENT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str], environ: Mapping[str, str], console: Console, pace: Pace = POLITE) -> int:
    """Run, or say what a run would do; return the exit status."""
    options = _options(arguments)
    try:
        return _dispatch(options, environ, console, pace)
    except KeyboardInterrupt:
        console.print("Interrupted.")
        return INTERRUPTED


def _dispatch(options: argparse.Namespace, environ: Mapping[str, str], console: Console, pace: Pace) -> int:
    if options.loopback:
        with stage() as rehearsal:
            return _run(rehearsal.bench(), console, options.report)
    try:
        account = from_environment(environ)
    except SettingsError as problems:
        console.print(escape(str(problems)))
        return NOTHING_SENT
    if not is_confirmed(environ, account):
        return _plan(account, console, pace)
    return _run(Bench(account, pace), console, options.report)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description="What Alibaba Cloud really does.")
    parser.add_argument("--loopback", action="store_true", help="try the loopback cloud instead of an account")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the findings there too, as JSON")
    return parser.parse_args(arguments)


def _plan(account: Account, console: Console, pace: Pace) -> int:
    with console.status("Rehearsing on a loopback cloud; nothing is sent"):
        found, cost = rehearse(account)
    reporting.show_plan(console, account.prefix, found, cost, pace.between_calls)
    console.print(f"Nothing was sent. To run it: {CONFIRM}={escape(account.directory_id)} make conformance")
    return NOTHING_SENT


def _run(bench: Bench, console: Console, file: Path | None) -> int:
    try:
        with console.status("Looking for what an earlier run has left") as status:
            bench.clean_up_after_others()
            found = try_everything(bench, lambda result: status.update(f"{result.service}: {escape(result.tried)}"))
    except ConformanceError as problem:
        console.print(f"It could not begin: {escape(str(problem))}")
        return 1
    finally:
        with undisturbed():
            for left in bench.clean():
                console.print(f"[red]Still there, remove it yourself:[/red] {escape(left)}")
    cost = Cost.of(bench)
    reporting.show(console, found, cost)
    if file is not None:
        file.write_text(json.dumps(reporting.as_json(found, cost), indent=2) + "\n", encoding="utf-8")
    return 0 if found.good else 1


if __name__ == "__main__":
    connections.make_safe(SystemClock())  # the SDK's runtime would log passwords, and follow redirects with them
    end_in_order()
    sys.exit(main(sys.argv[1:], os.environ, Console()))
