"""The values that each switch of undocumented behaviour can have."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from tests.localcloud.switches import Switches

_HINTS = get_type_hints(Switches)


def values(switch: str) -> tuple[Any, ...]:
    """Return every value that a switch can have."""
    return get_args(_HINTS[switch]) or (True, False)
