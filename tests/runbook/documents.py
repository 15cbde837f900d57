"""The command blocks of the documents, by section; and whether what a command printed is what its document shows."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ("sh", "console", "bash")
SEEN = "text"  # of a block right after one of commands: what one should see of it
PROMPT, MORE = "$ ", "> "  # of console blocks: a command, and the next line of it

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#{1,4}) (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One command, or as many as stand in one sh block, and what is shown to come of it."""

    script: str
    shown: str = ""
    line: int = 0


@dataclass(frozen=True)
class Section:
    """A heading with the steps under it, in order; its subheadings are sections of their own only where asked for."""

    document: str
    heading: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.document}: {self.heading}"


def documents() -> list[str]:
    """Return the documents whose commands are run."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in found if path.exists()]


def sections(document: str, deepest: int) -> Iterator[Section]:
    """Yield the sections of a document that have commands; a heading deeper than `deepest` begins none."""
    text = (ROOT / document).read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    headings = [
        found
        for found in _HEADING.finditer(text)
        if len(found["level"]) <= deepest and not any(each.start() < found.start() < each.end() for each in fences)
    ]
    starts = [found.end() for found in headings]
    for heading, end in zip(headings, [*starts[1:], len(text)], strict=True):
        inside = [each for each in fences if heading.end() < each.start() < end]
        steps = tuple(step for each in inside for step in _steps(text, each, _seen(text, each, fences)))
        if steps:
            yield Section(document, heading["text"], steps)


def _seen(text: str, fence: re.Match[str], fences: list[re.Match[str]]) -> str:
    """Return what stands right after a block of commands, as what one should see."""
    after = next((each for each in fences if each.start() > fence.end()), None)
    if after is None or after["language"] != SEEN or text[fence.end() : after.start()].strip():
        return ""
    return textwrap.dedent(after["body"])


def _steps(text: str, fence: re.Match[str], seen: str) -> Iterator[Step]:
    if fence["language"] not in LANGUAGES:
        return
    body = textwrap.dedent(fence["body"])
    line = text.count("\n", 0, fence.start()) + 2
    if fence["language"] != "console":
        yield Step(body, seen, line)
        return
    if PROMPT not in body:  # what something prints, and no command
        return
    for part in re.split(rf"^(?={re.escape(PROMPT)})", body, flags=re.MULTILINE):
        lines = part.splitlines()
        if not part.startswith(PROMPT):
            assert not part.strip(), f"line {line}: a console block begins with {PROMPT!r}, and not with {part!r}"
            continue
        count = 1
        while count < len(lines) and lines[count].startswith(MORE):
            count += 1
        script = "\n".join([lines[0].removeprefix(PROMPT), *(each.removeprefix(MORE) for each in lines[1:count])])
        yield Step(script, "\n".join(lines[count:]).strip(), line)
        line += len(lines)


def missing(shown: str, printed: str) -> list[str]:
    """Return the lines that are shown and were not printed, in this order; `...` stands for anything."""
    left = [" ".join(line.split()) for line in printed.splitlines()]
    lacking = []
    for line in filter(str.strip, shown.splitlines()):
        wanted = re.compile(".*".join(re.escape(part.strip()) for part in " ".join(line.split()).split("...")))
        place = next((number for number, found in enumerate(left) if wanted.search(found)), None)
        if place is None:
            lacking.append(line)
        else:
            left = left[place:]  # the same line may show two things
    return lacking
