"""The function that rotates passwords: its entry points for Function Compute's Python runtimes."""

from __future__ import annotations

from pathlib import Path

from shared import deferral

with deferral.active():
    from shared import bootstrap

RULES = Path(__file__).with_name("rules.json")

_instance: dict[str, bootstrap.App] = {}  # what the instance keeps between events


def initialize(context: bootstrap.Context) -> None:
    """Prepare the instance before its first event. Raises a SettingsError that names everything that is wrong."""
    _instance["app"] = bootstrap.start(RULES, context)


def handler(event: bytes, context: bootstrap.Context) -> str:
    """Rotate the passwords that an event asks for. Raises, without any secret, if any of them failed."""
    if not _instance:  # deployed without its initializer
        initialize(context)
    return _instance["app"].reset_passwords(event, context)
