"""The function that finds who is due for a rotation: its entry points for Function Compute's Python runtimes."""

from __future__ import annotations

from shared import deferral

with deferral.active():
    from shared import scanning
    from shared.invocation import Context

_instance: dict[str, scanning.App] = {}  # what the instance keeps between events


def initialize(context: Context) -> None:
    """Prepare the instance before its first event. Raises a SettingsError that names everything that is wrong."""
    _instance["app"] = scanning.start(context)


def handler(event: bytes, context: Context) -> str:
    """Hand on the rotation of everybody who is due; return a report. Raises, without any secret, if that failed."""
    if not _instance:  # deployed without its initializer
        initialize(context)
    return _instance["app"].scan(event, context)
