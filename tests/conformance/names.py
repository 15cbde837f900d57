"""Names of what the suite makes: no two runs use the same one, and none could be anybody else's."""

from __future__ import annotations

import re
import secrets as randomness


class Names:
    """A source of names that begin with a prefix."""

    def __init__(self, prefix: str) -> None:
        # A secret in deletion blocks its name for days, so each run has names of its own.
        self._begin = f"{prefix}{randomness.token_hex(3)}-"
        self._count = 0
        self._shape = re.compile(re.escape(prefix) + "[0-9a-f]{6}-[0-9]{3}")

    def __call__(self) -> str:
        """Return a name that was not used before."""
        self._count += 1
        return f"{self._begin}{self._count:03}"

    def has_made(self, name: str) -> bool:
        """Tell whether this run or another one with the same prefix has made a name."""
        return self._shape.fullmatch(name) is not None
