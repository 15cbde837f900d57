"""The mutants that no test notices, each with the reason why none can or need: survivors.yaml."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tests.mutation.campaign import ROOT, Mutant

LIST = Path(__file__).with_name("survivors.yaml")


def justified() -> dict[Mutant, str]:
    """Return the list: why each mutant may survive."""
    entries = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return {Mutant(entry["file"], entry["function"], entry["change"].strip()): entry["why"] for entry in entries}


def unjustified(found: frozenset[Mutant], listed: Mapping[Mutant, str]) -> Iterator[str]:
    """Yield what is wrong with the list: mutants that survive and are not on it, and those on it that do not."""
    yield from (f"survives, and is not listed: {mutant}" for mutant in sorted(found - listed.keys()))
    yield from (f"is listed, and does not survive: {mutant}" for mutant in sorted(listed.keys() - found))


def outdated(mutant: Mutant, root: Path = ROOT) -> list[str]:
    """Return the lines that a mutant takes out of its function and that are not there any more."""
    there = _lines(mutant, root)
    taken = [line.removeprefix("- ") for line in mutant.change.splitlines() if line.startswith("- ")]
    return [line for line in taken if line not in there] if there else [mutant.function]


def _lines(mutant: Mutant, root: Path) -> list[str]:
    """Return the lines of the function that a mutant changes; none if there is no such function."""
    source = (root / mutant.file).read_text(encoding="utf-8")
    body: list[ast.stmt] = ast.parse(source).body
    node: ast.stmt | None = None
    for name in mutant.function.split("."):
        node = next((each for each in body if getattr(each, "name", None) == name), None)
        body = getattr(node, "body", [])
    whole = source.splitlines()[node.lineno - 1 : node.end_lineno] if node else []  # with the comments at line ends
    return [line.strip() for line in whole]
