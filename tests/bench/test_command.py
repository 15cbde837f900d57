"""`make bench` from beginning to end, in a small way."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import __main__ as command
from tests.bench import report, results, targets
from tests.bench.arena import BenchError


def test_what_went_wrong_is_told_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=40)
    problem = BenchError("['python3', 'x[/y]'] failed, and this line is longer than the terminal is wide")
    with console.capture() as capture:
        console.print(command.refusal(problem), soft_wrap=True)
    assert capture.get() == f"{problem}. Nothing was written: the figures are those of the last run.\n"


@pytest.mark.long  # it builds what the contestants run from
def test_everything_is_measured_told_and_kept(tmp_path: Path) -> None:
    plan = command.Plan("tiny", 1, 1, 1, 1, 8, {100: 1, 300: 1}, 1)
    told: list[str] = []
    found = command.measure(plan, told.append)
    results.write(found, tmp_path / "results.json")
    kept = results.read(tmp_path / "results.json")
    assert kept == found
    assert "tiny mode" in report.markdown(kept)
    assert len(kept.targets) == 9
    assert [each.verdict for each in kept.targets].count(targets.UNKNOWN) == 2  # nobody scanned 100,000 users
    calls = found.calls
    assert [calls.rotation, calls.duplicate, calls.merged, calls.naive] == [6, 2, 6, 2]
    assert [each.calls for each in found.scans] == [6, 10]
    assert found.recovery.undisturbed < found.recovery.lost_answer
    assert any("cold starts" in each for each in told)
