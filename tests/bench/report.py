"""The figures as tables: on the terminal, and as the section of docs/performance.md that is held to results.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table as RichTable

from tests.bench import targets
from tests.bench.arena import ARTEFACT, BOTO3, NAIVE, NOTHING, SOURCE
from tests.bench.results import Cold, Cost, Results
from tests.bench.samples import Spread
from tests.bench.warm import IN_A_ROUND
from tests.evidence import document

if TYPE_CHECKING:
    from rich.console import Console

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "performance.md"
_SECTION = re.compile(r"(?<=<!-- figures -->\n\n).*?(?=\n\n<!-- end of figures -->)", re.DOTALL)

NAMES = {
    ARTEFACT: "the artefact",
    NAIVE: "naive, with byte code",
    SOURCE: "naive, without byte code",
    BOTO3: "boto3",
    NOTHING: "nothing: the runtime alone",
}


@dataclass(frozen=True)
class Table:
    """One table."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> Iterator[Table]:
    """Yield everything that was found, what was aimed at first."""
    yield Table(
        "Targets",
        ("Figure", "Target", "Stretch", "Measured", ""),
        [(each.figure, each.target, each.stretch, each.measured, each.verdict) for each in targets.verdicts(results)],
    )
    yield from _cold(results.cold, "Cold start over HTTP")
    yield from _cold(results.cold_tls, "Cold start over TLS")
    yield _packages(results)
    yield _warm(results)
    yield _calls(results)
    yield _batch(results)
    yield _scans(results)
    yield _rest(results)


def _cold(cold: Cold, title: str) -> Iterator[Table]:
    rounds = cold.cost[ARTEFACT].cpu.repetitions
    costs = [(NAMES[name], *_cost(cost), f"{cold.modules[name]:,}") for name, cost in cold.cost.items()]
    yield Table(f"{title}, {rounds} rounds", ("Function", "CPU", "Wall", "Peak memory", "Modules"), costs)
    ratios = [(NAMES[name], *_ratios(cost), _modules(cold.modules, name)) for name, cost in cold.against.items()]
    yield Table(f"{title}: the artefact against", ("Function", "CPU", "Wall", "Peak memory", "Modules"), ratios)
    phases = [(NAMES[name], *(_milliseconds(spent) for spent in each.values())) for name, each in cold.phases.items()]
    yield Table(f"{title}: CPU by phase", ("Function", "Runtime", "Imports", "Initializer", "Event"), phases)


def _cost(cost: Cost) -> tuple[str, str, str]:
    return _seconds(cost.cpu), _seconds(cost.wall), _mebibytes(cost.peak)


def _ratios(cost: Cost) -> tuple[str, str, str]:
    return _ratio(cost.cpu), _ratio(cost.wall), _ratio(cost.peak)


def _modules(modules: Mapping[str, int], name: str) -> str:
    return f"{modules[ARTEFACT] / modules[name]:.2f}"


def _packages(results: Results) -> Table:
    packages = results.packages
    sizes = {
        "requirements.txt as pip installs it, with byte code": packages.plain_with_byte_code,
        "the same without byte code": packages.plain,
        "naive, without byte code": packages.naive,
        "the artefact": packages.artefact,
    }
    rows = [
        (name, f"{size / 1e6:.1f} MB", f"{size / packages.plain_with_byte_code:.2f}") for name, size in sizes.items()
    ]
    return Table("Code package, zipped", ("Package", "Size", "Against the first"), rows)


def _warm(results: Results) -> Table:
    warm = results.warm
    rows = [
        ("a rotation, CPU", _milliseconds(warm.rotation_cpu), ""),
        ("its six calls made bare, CPU", _milliseconds(warm.bare_cpu), ""),
        ("an invocation that does nothing, CPU", _milliseconds(warm.runtime_cpu), ""),
        ("CPU, a rotation against its calls", "", _ratio(warm.cpu)),
        ("wall, a rotation against its calls", "", _ratio(warm.wall)),
    ]
    return Table(f"Warm rotations, {warm.cpu.repetitions} rounds of {IN_A_ROUND} each", ("What", "Time", "Ratio"), rows)


def _calls(results: Results) -> Table:
    calls = results.calls
    rows = [
        ("a rotation", str(calls.rotation)),
        ("a duplicate", str(calls.duplicate)),
        (f"an event of {calls.requests_merged} requests about one user", str(calls.merged)),
        ("the naive script", str(calls.naive)),
    ]
    return Table("API calls", ("Event", "Calls"), rows)


def _batch(results: Results) -> Table:
    batch = results.batch
    row = (f"{batch.ideal:.2f} s", _seconds(batch.wall), _ratio(batch.against_ideal), _seconds(batch.cpu))
    title = f"{batch.users} users in one event, {batch.parallel} at once, {batch.latency * 1000:.0f} ms a call"
    return Table(title, ("Ideal", "Wall", "Against the ideal", "CPU"), [row])


def _scans(results: Results) -> Table:
    rows = [
        (
            f"{scan.users:,}",
            f"{scan.calls:,}",
            _seconds(scan.cpu),
            _optional(scan.growth_cpu),
            _seconds(scan.wall),
            _optional(scan.growth_wall),
            _mebibytes(scan.peak),
        )
        for scan in results.scans
    ]
    headings = ("Users", "Calls", "CPU", "Growth", "Wall", "Growth", "Peak memory")
    return Table("Scans, each by a fresh instance", headings, rows)


def _rest(results: Results) -> Table:
    parsing, recovery = results.parsing, results.recovery
    per_second = parsing.per_second
    rows = [
        (
            f"messages read in a second, of a batch of {parsing.messages:,}",
            f"{per_second.median:,.0f} ({per_second.least:,.0f} to {per_second.most:,.0f})",
        ),
        ("CPU of that, against decoding its JSON with the standard library", _ratio(parsing.against_json)),
        ("queue to publication, undisturbed", f"{recovery.undisturbed:.1f} s"),
        ("queue to publication, the answer to the reset lost", f"{recovery.lost_answer:.1f} s"),
        ("queue to publication, the instance killed after the reset", f"{recovery.killed:.1f} s"),
    ]
    return Table("Events, and what goes wrong (in the cloud's time)", ("What", "Measured"), rows)


def _seconds(spread: Spread) -> str:
    return f"{spread.median:.2f} s ({spread.least:.2f} to {spread.most:.2f})"


def _milliseconds(spread: Spread) -> str:
    return f"{1000 * spread.median:.1f} ms ({1000 * spread.least:.1f} to {1000 * spread.most:.1f})"


def _mebibytes(spread: Spread) -> str:
    return f"{spread.median:.0f} MiB"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"


def _optional(spread: Spread | None) -> str:
    return "" if spread is None else _ratio(spread)


def about(results: Results) -> str:
    """Say where and how it was measured."""
    machine = results.machine
    words = (
        f"Python {machine.python}, {machine.system} {machine.architecture}, {machine.cpus} CPUs, load "
        f"{machine.load[0]:.2f} before and {machine.load[1]:.2f} after; {results.mode} mode. Medians, in brackets the "
        "least and the most; ratios are of figures of the same round."
    )
    return " ".join([words, *(f"Not measured: {each}." for each in results.missing)])


def show(results: Results, console: Console) -> None:
    """Print everything."""
    for each in tables(results):
        table = RichTable(
            title=each.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for number, heading in enumerate(each.headings):
            table.add_column(heading, justify="left" if number == 0 else "right")
        for row in each.rows:
            table.add_row(*row, style="red" if targets.MISSED in row else None)
        console.print(table)
    console.print(about(results), highlight=False)


def markdown(results: Results) -> str:
    """Return everything as Markdown."""
    parts = [about(results)]
    for each in tables(results):
        parts += [f"### {each.title}", document.table(each.headings, each.rows)]
    return "\n\n".join(parts)


def published(text: str) -> str:
    """Return the section of the document with the figures."""
    (section,) = _SECTION.findall(text)
    return str(section)


def publish(results: Results, path: Path = DOCUMENT) -> None:
    """Write the figures into the document."""
    text = path.read_text(encoding="utf-8")
    path.write_text(_SECTION.sub(lambda _: markdown(results), text), encoding="utf-8")
