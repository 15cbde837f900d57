"""JMESPath, with its surprises taken out: checked before it meets a document, and never raising what it pleases."""

from __future__ import annotations

from collections.abc import Iterator

import jmespath
from jmespath import exceptions, functions

from shared.errors import quoted


class Stumble(Exception):
    """An expression that cannot be applied to a document. It says no more, for the document may hold anything."""


class _Functions(functions.Functions):  # type: ignore[misc]  # jmespath has no types
    """JMESPath's own functions and one more: JMESPath cannot take a text apart, and ActionTrail joins role and user."""

    @functions.signature({"types": ["string"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]  # as above
    def _func_after_last(self, text: str, mark: str) -> str | None:
        """Return what follows the last `mark`, 'alice' of 'role:alice'; null if there is no such mark."""
        before, found, after = text.rpartition(mark)
        return after if before or found else None


_OPTIONS = jmespath.Options(custom_functions=_Functions())


class Expression:
    """A compiled expression; `problems` tells beforehand whether a text compiles to one."""

    def __init__(self, text: str) -> None:
        self._compiled = jmespath.compile(text)

    def on(self, document: object) -> object:
        """Return what the expression yields, or raise `Stumble`."""
        found, applies = None, True
        try:
            found = self._compiled.search(document, options=_OPTIONS)
        except Exception:  # noqa: BLE001 - jmespath raises more than it declares
            applies = False
        if not applies:
            raise Stumble  # outside the block: jmespath's errors hold the values that they are about
        return found


def is_true(found: object) -> bool:
    """Tell whether a value is true as JMESPath defines it: every number is, and nothing empty is."""
    return bool(found) or (isinstance(found, int | float) and not isinstance(found, bool))


def problems(text: str) -> Iterator[str]:
    """Yield everything wrong with an expression that can be known before it meets a document."""
    try:
        parsed = jmespath.compile(text).parsed
    except exceptions.ParseError as error:
        yield f"it is no JMESPath from character {error.lex_position + 1} on"
    except (exceptions.JMESPathError, RecursionError, ValueError):
        yield "it is no JMESPath"
    else:
        yield from _misuses(parsed)


def _misuses(parsed: dict[str, object]) -> Iterator[str]:
    # JMESPath looks functions up when it calls them: a typo would lie in wait for the first event that it is meant for.
    left = [parsed]
    while left:
        node = left.pop()
        children = node["children"] if isinstance(node["children"], list) else []
        left += [child for child in children if isinstance(child, dict)]
        if node["type"] == "function_expression":
            yield from _misuse(str(node["value"]), len(children))


def _misuse(name: str, given: int) -> Iterator[str]:
    known = _Functions.FUNCTION_TABLE.get(name)
    if known is None:
        yield f"there is no JMESPath function {quoted(name)}"
        return
    wanted = len(known["signature"])
    takes_more = wanted > 0 and known["signature"][-1].get("variadic", False)
    if given < wanted or (given > wanted and not takes_more):
        yield f"{name}() takes {wanted} arguments, and is given {given}"
