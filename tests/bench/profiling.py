"""`python -m tests.bench.profiling`: where the CPU of a cold start goes, by phase and by what is imported.

Imports are timed by the interpreter itself (PYTHONPROFILEIMPORTTIME), in an instance on the loopback cloud, so their
order, and what is deferred, are those of a deployment. To be timed makes imports slower: the shares count.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.arena import ARTEFACT, NAIVE, Arena, arena, with_environment

SHOWN = 20  # packages
_IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)


def main() -> int:
    """Profile the artefact and the naive script."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    with arena() as place:
        for name in (ARTEFACT, NAIVE):
            place.cold(name)
            console.print(_phases(place, name), _imports(place, name))
    return 0


def _phases(place: Arena, name: str) -> Table:
    table = Table(title=f"{name}: CPU of a cold start", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("runtime", "imports", "initializer", "event"):
        table.add_column(heading, justify="right")
    table.add_row(*(f"{1000 * each:.0f} ms" for each in place.phases(name).values()))
    return table


def _imports(place: Arena, name: str) -> Table:
    timed = with_environment(place.specs[name], {"PYTHONPROFILEIMPORTTIME": "1"})
    place.cloud.fc.deploy(timed)
    place.started(name, place.event(name))
    place.ended(name)
    log = "".join(record.text for record in place.cloud.fc.logs(timed.name))
    table = Table(title=f"{name}: imports by package", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("package", "modules", "ms", "share"):
        table.add_column(heading, justify="left" if heading == "package" else "right")
    packages, modules = by_package(_IMPORT.findall(log))
    whole = packages.total()
    for package, spent in packages.most_common(SHOWN):
        table.add_row(package, str(modules[package]), f"{spent / 1000:.1f}", f"{100 * spent / whole:.0f} %")
    table.add_row("all", str(modules.total()), f"{whole / 1000:.1f}", "100 %")
    return table


def by_package(imports: Iterable[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """Return the microseconds of each package, without what it imports in turn, and its modules."""
    spent, modules = Counter[str](), Counter[str]()
    for microseconds, module in imports:
        package = module.partition(".")[0]
        package = "the standard library" if package in sys.stdlib_module_names else package
        spent[package] += int(microseconds)
        modules[package] += 1
    return spent, modules


if __name__ == "__main__":
    raise SystemExit(main())
