"""docs/evidence.md: a template in which every proof fills in one section.

The template has the headings and what they mean; a line `{{ name }}` is where a section goes. In the document, comments
around each section keep it apart, so that one proof can be renewed without the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATE = Path(__file__).with_name("template.md")
DOCUMENT = ROOT / "docs" / "evidence.md"
WANTING = "*Not produced yet.*"

_PLACE = re.compile(r"^\{\{ ([a-z-]+) \}\}$", re.MULTILINE)
_SECTION = re.compile(r"^<!-- ([a-z-]+) -->\n\n(.*?)\n\n<!-- end of \1 -->$", re.MULTILINE | re.DOTALL)


def places() -> list[str]:
    """Return the names of the template's sections, in its order."""
    return _PLACE.findall(TEMPLATE.read_text(encoding="utf-8"))


def published() -> dict[str, str]:
    """Return every section of the document as it is; none where there is no document yet."""
    if not DOCUMENT.exists():
        return {}
    return {match[1]: match[2] for match in _SECTION.finditer(DOCUMENT.read_text(encoding="utf-8"))}


def filled(sections: Mapping[str, str]) -> str:
    """Return the whole document; where a section is wanting, it says so."""
    return _PLACE.sub(
        lambda place: f"<!-- {place[1]} -->\n\n{sections.get(place[1], WANTING)}\n\n<!-- end of {place[1]} -->",
        TEMPLATE.read_text(encoding="utf-8"),
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are set to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(cells) and all(_is_number(row[column]) for row in cells) for column in range(len(headers))]
    rule = "|".join("---:" if right else "---" for right in numeric)
    return "\n".join([_line(headers), f"|{rule}|", *map(_line, cells)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").isdigit()
