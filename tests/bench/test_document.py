"""docs/performance.md says what results.json says."""

from __future__ import annotations

from tests.bench import report, results, targets


def test_the_figures_of_the_page_are_those_of_the_results() -> None:
    written = report.published(report.DOCUMENT.read_text(encoding="utf-8"))
    assert written == report.markdown(results.read()), "docs/performance.md is out of date: make bench"


def test_the_verdicts_are_those_of_the_figures() -> None:
    kept = results.read()
    assert kept.targets == targets.verdicts(kept)
