"""The function that shows where every password stands: its entry points for Function Compute's Python runtimes."""

from __future__ import annotations

from pathlib import Path

from shared import deferral

with deferral.active():
    from shared import surveying
    from shared.invocation import Context

TEMPLATES = Path(__file__).parent  # the pages lie beside this file

_instance: dict[str, surveying.App] = {}  # what the instance keeps between events


def initialize(context: Context) -> None:
    """Prepare the instance before its first event. Raises a SettingsError that names everything that is wrong."""
    _instance["app"] = surveying.start(TEMPLATES, context)


def handler(event: bytes, context: Context) -> str:
    """Show what an event asks for: as JSON, or as a page through the HTTP trigger. Nothing is ever changed."""
    if not _instance:  # deployed without its initializer
        initialize(context)
    return _instance["app"].show(event, context)
