"""How much each function may import until it has answered its first event: counts, the same on every machine.

`make test` holds the functions to this. What is counted is everything but the standard library, whose modules differ
from one version of Python to the next; of these only some are named. A bound may be lowered at any time; whoever raises
one should know what it costs (`make bench`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NEVER = ("tests",)  # what nobody here needs


@dataclass(frozen=True)
class ColdPath:
    """What one function may import."""

    most: int  # modules that are not the standard library's
    never: tuple[str, ...]  # with everything in them


ROTATION = ColdPath(1200, (*NEVER, "fc2", "alibabacloud_fc20230330", "shared.scanning", "shared.dispatch"))
SCAN = ColdPath(1200, (*NEVER, "shared.rotation", "shared.events"))


def counted(modules: Iterable[str]) -> list[str]:
    """Return the modules that are not the standard library's."""
    return [each for each in modules if each.partition(".")[0] not in sys.stdlib_module_names]


def unwanted(modules: Iterable[str], never: Iterable[str]) -> Iterator[str]:
    """Yield the modules that should not be there."""
    prefixes = tuple(never)
    return (each for each in modules if any(each == name or each.startswith(f"{name}.") for name in prefixes))
