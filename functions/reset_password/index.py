"""The function that rotates passwords: its entry points for Function Compute's Python runtimes."""

from __future__ import annotations

from pathlib import Path

from shared import bootstrap

_apps: list[bootstrap.App] = []  # what the instance keeps between events: nothing, or its one App


def initialize(context: bootstrap.Context) -> None:
    """Prepare the instance before its first event. Raises a SettingsError that names everything that is wrong."""
    _apps[:] = [bootstrap.start(Path(__file__).with_name("rules.json"), context)]


def handler(event: bytes, context: bootstrap.Context) -> str:
    """Rotate the passwords that an event asks for. Raises, without any secret, if any of them failed."""
    if not _apps:  # deployed without its initializer
        initialize(context)
    return _apps[0].reset_passwords(event, context)
