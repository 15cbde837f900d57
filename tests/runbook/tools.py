"""What a stand-in is asked and answers; and the flags of a command, taken apart strictly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NoReturn


@dataclass(frozen=True)
class Asked:
    """A tool as it was called."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """How it ends: with a status and texts, or by becoming another command, in a folder."""

    printed: str = ""
    complained: str = ""
    status: int = 0
    becomes: tuple[str, ...] = ()
    folder: str = "."


Tool = Callable[[Asked], Answer]


class UnknownCommandError(Exception):
    """A command that the stand-in, and so perhaps the tool, does not know: the document is wrong, or the stand-in."""


def refuse(why: str) -> NoReturn:
    """Fail the test that ran the command."""
    raise UnknownCommandError(why)


def flags(arguments: list[str], bare: Collection[str] = (), several: Collection[str] = ()) -> dict[str, list[str]]:
    """Return the flags `--Name value` of a command, each once. `bare` ones have no value, `several` any number."""
    found: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("-"):
            refuse(f"{flag!r} stands where a flag is expected")
        name = flag.lstrip("-")
        if name in found:
            refuse(f"{flag} stands twice")
        found[name] = []
        if name in several:
            while rest and not rest[0].startswith("--"):
                found[name].append(rest.pop(0))
        elif name not in bare:
            if not rest:
                refuse(f"{flag} has no value")
            found[name].append(rest.pop(0))
    return found
