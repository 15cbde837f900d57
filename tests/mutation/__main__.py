"""`make mutation`: run a campaign, and show what survived that is not on the list, and what is on it and did not."""

from __future__ import annotations

import sys

from tests.mutation import campaign, report, survivors


def main() -> int:
    """Return 0 if exactly the listed mutants survive."""
    outcome, listed = campaign.run(), survivors.justified()
    problems = [*survivors.unjustified(outcome.survivors, listed)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n\n")
    if not problems:
        sys.stdout.write(report.text(outcome, listed) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
