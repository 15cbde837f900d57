"""`make mutation`: run a campaign, and show what survived that is not on the list, and what is on it and did not."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from tests.mutation import campaign, report, survivors


def main() -> int:
    """Return 0 if exactly the listed mutants survive."""
    listed = survivors.justified()
    console = Console(stderr=True)
    console.print("Changing the core in every small way, and running the tests for each change: some minutes.")
    with Progress(SpinnerColumn(), TimeElapsedColumn(), console=console, transient=True) as progress:
        progress.add_task("", total=None)
        outcome = campaign.run()
    problems = [*survivors.unjustified(outcome.survivors, listed)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n\n")
    if not problems:
        sys.stdout.write(report.text(outcome, listed) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
