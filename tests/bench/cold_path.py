"""How much each function may import until it has answered its first event: counts, the same on every machine.

`make test` holds the functions to this. What is counted is everything but the standard library, whose modules differ
from one version of Python to the next; of these only some are named. A bound may be lowered at any time; whoever raises
one should know what it costs (`make bench`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.deferral import DEFERRED

# What nobody here needs: an asynchronous HTTP stack, a scheduler, WebSockets, RSA, the SDKs of Function Compute (which
# only a scan uses that has somebody to dispatch), and these tests.
NEVER = (
    *DEFERRED,
    "aiofiles",
    "alibabacloud_credentials.provider",
    "alibabacloud_fc20230330",
    "apscheduler",
    "attr",
    "cffi",
    "cryptography.hazmat.backends",
    "cryptography.hazmat.bindings",
    "fc2",
    "multidict",
    "multiprocessing",
    "tests",
    "tzlocal",
    "unittest",
    "websocket",
    "yarl",
)


@dataclass(frozen=True)
class ColdPath:
    """What one function may import."""

    most: int  # modules that are not the standard library's
    never: tuple[str, ...]  # with everything in them


_OF_SCANS = ("dispatch", "fanout", "fc2", "fc3", "report", "scan", "scan_audit", "scan_request", "scanning")
_OF_ROTATIONS = ("alerts", "bootstrap", "events", "expressions", "reading")
_OF_THE_PROTOCOL = ("history", "rotation")
_OF_THE_STATUS = (
    "charts",
    "commands",
    "doctor",
    "page",
    "status",
    "status_audit",
    "status_report",
    "status_request",
    "survey",
    "surveying",
    "words",
)
_TEMPLATES = ("jinja2", "markupsafe")


def _may_not(*modules: str) -> tuple[str, ...]:
    return (*NEVER, *(f"shared.{module}" for module in modules))


ROTATION = ColdPath(211, (*_may_not(*_OF_SCANS, *_OF_THE_STATUS, "expiry"), *_TEMPLATES))
SCAN = ColdPath(200, (*_may_not(*_OF_ROTATIONS, *_OF_THE_PROTOCOL, *_OF_THE_STATUS), "jmespath", *_TEMPLATES))
# Asked for JSON. It reads side by side from its first event on, so it has threads.
_STATUS_NEVER = (*_may_not(*_OF_ROTATIONS, *_OF_SCANS), "jmespath", *_TEMPLATES)
STATUS = ColdPath(207, tuple(name for name in _STATUS_NEVER if not name.startswith("concurrent.")))


def counted(modules: Iterable[str]) -> list[str]:
    """Return the modules that are not the standard library's."""
    return [each for each in modules if each.partition(".")[0] not in sys.stdlib_module_names]


def unwanted(modules: Iterable[str], never: Iterable[str]) -> Iterator[str]:
    """Yield the modules that should not be there."""
    prefixes = tuple(never)
    return (each for each in modules if any(each == name or each.startswith(f"{name}.") for name in prefixes))
