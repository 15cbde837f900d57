"""What a campaign found, in Markdown: the section `mutation` of docs/evidence.md."""

from __future__ import annotations

from collections.abc import Mapping

from tests.evidence import document
from tests.mutation.campaign import Mutant, Outcome


def text(outcome: Outcome, listed: Mapping[Mutant, str]) -> str:
    """Return the section: figures by file, and every survivor with its reason."""
    tallies = outcome.tallies
    rows = [(f"`{file}`", t.mutants, t.killed, t.timed_out, t.survived) for file, t in tallies.items()]
    together = [sum(row[column] for row in (each[1:] for each in rows)) for column in range(4)]
    figures = document.table(
        ("File", "Mutants", "Failed a test", "Ran for ever", "Survived"), [*rows, ("*together*", *together)]
    )
    survivors = document.table(
        ("Where", "Change", "Why it may survive"),
        [(f"`{each.file}` `{each.function}`", _shown(each.change), listed[each]) for each in sorted(outcome.survivors)],
    )
    return f"`make mutation`\n\n{figures}\n\n{survivors}"


def _shown(change: str) -> str:
    return "<br>".join(f"`{line}`" for line in change.splitlines())
