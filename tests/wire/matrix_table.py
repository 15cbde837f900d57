"""What became of many cells, as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from tests.evidence.plugin import Evidence
from tests.wire.matrix_cells import Cell

Told = tuple[Cell, str]  # a cell, and what became of it


def crossed(
    evidence: Evidence,
    rows: tuple[str, Callable[[Cell], str]],
    columns: tuple[Sequence[str], Callable[[Cell], str]],
    told: Iterable[Told],
) -> str:
    """Return the table. Rows have a heading, columns have one each; functions say which of them a cell is in."""
    (corner, row), (headings, column) = rows, columns
    fields: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for each in told:
        fields[row(each[0])][column(each[0])].append(each)
    lines = [(name, *(described(of[heading]) for heading in headings)) for name, of in fields.items()]
    return evidence.table((corner, *headings), lines)


def described(told: Sequence[Told]) -> str:
    """Return what became of the cells of one field; where that differs, by what, if one thing explains it."""
    if len({outcome for _, outcome in told}) == 1:
        return told[0][1]
    for key in (_source, _turn):
        parts: dict[str, set[str]] = defaultdict(set)
        for cell, outcome in told:
            parts[key(cell)].add(outcome)
        if all(len(outcomes) == 1 for outcomes in parts.values()):
            return ", ".join(f"{part}: {outcome}" for part, (outcome,) in parts.items())
    counts = Counter(outcome for _, outcome in told)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _source(cell: Cell) -> str:
    return cell.source


def _turn(cell: Cell) -> str:
    return cell.turn
