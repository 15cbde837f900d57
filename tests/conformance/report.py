"""What a run found, as tables for a terminal and as JSON; neither holds an id, a password or a credential."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from tests.conformance.catalogue import BY_HAND, default_of
from tests.conformance.plan import Cost
from tests.conformance.trials import Report, Result, spelt

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"holds": "green", "default": "green", "other reading": "cyan", "skipped": "yellow", "by hand": "yellow"}


def show(console: Console, report: Report, cost: Cost) -> None:
    """Print everything, and what calls for attention last."""
    console.print(_table("Behaviour", report.behaviours))
    console.print(_table("Switch", sorted(report.switches, key=lambda result: result.service)))
    for switch, hand in BY_HAND.items():
        console.print(f"[bold]{switch}[/bold] by hand: {escape(hand.how)}")
    for place in report.strange_fields:
        console.print(f"The SDK's models do not know, or not with this type: {escape(place)}")
    console.print(f"\n{cost}. {_verdict(report)}")


def show_plan(console: Console, prefix: str, report: Report, cost: Cost, seconds: float) -> None:
    """Print what a run would do."""
    table = Table("Action", "Calls", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for action, count in cost.calls.items():
        table.add_row(action, str(count))
    console.print(table)
    console.print(
        f"About {cost}. Every name begins with {escape(prefix)}, and everything is removed after the trial that made "
        f"it. Calls are {seconds} s apart. Found out by a rehearsal on a loopback cloud."
    )
    skipped = [result for result in (*report.behaviours, *report.switches) if result.verdict == "skipped"]
    for reason, results in groupby(sorted(skipped, key=_reason), key=_reason):
        tried = "; ".join(result.tried for result in results)
        console.print(f"[yellow]Skipped[/yellow], as {escape(reason)}: {escape(tried)}")


def as_json(report: Report, cost: Cost) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "good": report.good,
        "behaviours": [asdict(result) for result in report.behaviours],
        "switches": [
            {**asdict(result), "loopback_default": spelt(default_of(result.tried))} for result in report.switches
        ],
        "strange_fields": report.strange_fields,
        "left": report.left,
        "cost": asdict(cost),
    }


def _reason(result: Result) -> str:
    return result.seen


def _table(what: str, results: Iterable[Result]) -> Table:
    """Return a table with a part for each service."""
    table = Table(what, "Verdict", "Seen", box=box.SIMPLE_HEAD)
    for service, part in groupby(results, key=lambda result: result.service):
        table.add_section()
        table.add_row(f"[bold]{service}[/bold]")
        for result in part:
            colour = _COLOURS.get(result.verdict, "red")
            seen = f"{result.seen}; here {spelt(default_of(result.tried))}" if _is_other(result) else result.seen
            table.add_row(escape(result.tried), f"[{colour}]{result.verdict}[/{colour}]", escape(seen))
    return table


def _is_other(result: Result) -> bool:
    return result.verdict in {"other reading", "unknown reading"}


def _verdict(report: Report) -> str:
    every = (*report.behaviours, *report.switches)
    wrong = sum(not result.good for result in every)
    if wrong:
        return f"{wrong} of the above are not as the rotator is tested: see docs/loopback-cloud.md, Switches."
    skipped = sum(result.verdict in {"skipped", "by hand"} for result in every)
    return f"Everything that was tried is as the rotator is tested; {skipped} were not tried."
