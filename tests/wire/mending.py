"""An operator's hands: what the doctor writes, done as it is written, on a loopback cloud.

`s` invokes and deploys the functions of this process; `aliyun` sends the call by the SDK's generic client, with the
administrator's key, and the parameters as they stand there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from tests.estate import REGIONS
from tests.wire.surveys import Surveys


class Hands:
    """Types commands."""

    def __init__(self, surveys: Surveys) -> None:
        self._surveys = surveys
        self._exported: dict[str, str] = {}

    def type(self, lines: Iterable[str]) -> None:
        """Type one line after the other."""
        for line in lines:
            words = shlex.split(line, comments=True)
            match words:
                case ["s", "reset_password", "invoke", "--event", event]:
                    self._surveys.invoke(json.loads(event))
                case ["s", "rotation_status", "invoke", "--event", event]:
                    self._surveys.show(**json.loads(event))
                case ["s", "scan_expiring", "invoke", "--event", '{"DryRun": true}'] | ["s", _, "logs", "--search", _]:
                    pass  # what it prints is for people
                case ["s", "deploy", "-y"]:
                    self._surveys.restart(**self._exported)
                case ["export", *pairs]:
                    self._exported |= dict(pair.split("=", 1) for pair in pairs)
                case ["aliyun", product, action, *options]:
                    self._call(product, action, dict(zip(options[::2], options[1::2], strict=True)))
                case _:
                    raise AssertionError(f"nobody can type {line!r}")

    def _call(self, product: str, action: str, options: dict[str, str]) -> None:
        assert all(name.startswith("--") for name in options)
        parameters = {name.removeprefix("--"): value for name, value in options.items()}
        assert parameters.pop("RegionId") == REGIONS[product]
        self._surveys.administer(product, action, parameters)
