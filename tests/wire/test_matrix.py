"""Every call of a rotation, struck by every fault, through what is deployed: no password is lost, no lie is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.evidence.plugin import Evidence
from tests.installation import ROOT, Installation
from tests.localcloud.gateway.faults import KINDS
from tests.localcloud.server import LocalCloud
from tests.wire import impatient
from tests.wire.matrix import RECOVERED, Matrix, Verdict
from tests.wire.matrix_cells import CALLS, FAULTS, LASTING, PASSING, UNANSWERED, VARIANTS, Cell, cells
from tests.wire.matrix_table import crossed


@contextmanager
def matrix(manifest: Path) -> Iterator[Matrix]:
    """Deploy what a manifest declares; redirects lead to a cloud that must never be called."""
    with LocalCloud() as elsewhere, LocalCloud(skip_waiting=True) as cloud:
        bench = Matrix(Installation(cloud, manifest=manifest, LOG_LEVEL="DEBUG"), f"http://{elsewhere.endpoint}/")
        yield bench
        assert bench.leaked() == 0
        assert len(elsewhere.calls) == 0


def verdicts_on(tried: Sequence[Cell], folder: Path, patience: float = 1) -> list[Verdict]:
    """Try cells: those that wait for a time-out on an impatient copy, which waits so many seconds."""
    waiting = [cell for cell in tried if cell.fault in UNANSWERED]
    answered = [cell for cell in tried if cell.fault not in UNANSWERED]
    found: list[Verdict] = []
    for manifest, some in ((ROOT / "s.yaml", answered), (impatient.manifest(folder, patience), waiting)):
        if some:
            with matrix(manifest) as bench:
                found += bench.verdicts(some)
    return found


def mismatches(verdicts: Iterable[Verdict]) -> list[str]:
    """Return what did not hold, and of which cell."""
    return [f"{verdict.cell.user}: {what}" for verdict in verdicts for what in verdict.mismatches]


def table(evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """Return a table with a row for each fault and a column for each call."""
    return crossed(
        evidence,
        ("Fault", lambda cell: cell.fault),
        (CALLS, lambda cell: cell.call),
        [(verdict.cell, verdict.outcome) for verdict in verdicts],
    )


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many cells ended how."""
    lost = [verdict for verdict in verdicts if verdict.outcome not in RECOVERED]
    ended = Counter(verdict.outcome for verdict in verdicts if verdict.outcome in RECOVERED)
    cured = Counter(verdict.mended for verdict in lost)
    lines = [f"{len(verdicts)} cells: " + ", ".join(f"{ended[outcome]} {outcome}" for outcome in RECOVERED)]
    lines[0] += f", {len(lost)} dead letters. {len(mismatches(verdicts))} mismatches."
    if lost:
        lines.append(
            f"Of the dead letters, {cured['redrive']} succeeded when they were fed back as they were, and "
            f"{cured['force']} when they were sent with `Force`."
        )
    return "\n".join(lines)


def test_every_kind_of_fault_has_a_row_in_both_tables() -> None:
    for rows in ((*PASSING, *UNANSWERED), LASTING):
        assert {FAULTS[row]["kind"] for row in rows} == set(KINDS)


def test_no_fault_loses_or_leaks_a_password(evidence: Evidence, tmp_path: Path) -> None:
    passing = verdicts_on(cells([*PASSING, *UNANSWERED]), tmp_path)
    assert mismatches(passing) == []
    assert {verdict.outcome for verdict in passing} == set(RECOVERED)
    evidence.publish("faults", f"{summary(passing)}\n\n{table(evidence, passing)}")


def test_no_refusal_that_lasts_loses_a_password_or_a_request(tmp_path: Path) -> None:
    refused = verdicts_on(cells(["403"], lasts=True), tmp_path)
    assert mismatches(refused) == []
    assert {verdict.mended for verdict in refused} == {"", "redrive", "force"}


@pytest.mark.long
def test_no_variant_of_a_fault_loses_or_leaks_a_password(evidence: Evidence, tmp_path: Path) -> None:
    passing = verdicts_on(cells(VARIANTS), tmp_path)
    assert mismatches(passing) == []
    evidence.publish("fault-variants", f"{summary(passing)}\n\n{table(evidence, passing)}")


@pytest.mark.long
def test_no_fault_that_lasts_loses_a_password_or_a_request(evidence: Evidence, tmp_path: Path) -> None:
    lasting = verdicts_on(cells(LASTING, lasts=True), tmp_path, patience=0.1)
    assert mismatches(lasting) == []
    evidence.publish("lasting-faults", f"{summary(lasting)}\n\n{table(evidence, lasting)}")
