"""A function as it is deployed: what s.yaml says of it, with everything filled in.

Source of the limits: the "Limits" page and the fc3 component's schema (memory in steps of 64 MB, timeout up to a day,
initializer up to 300 s); "FC_" names: the runtime deletes them, so a setting of that name would never arrive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from tests.localcloud.fc.backend import AsyncConfig, Target

Runtime = Literal["python3.10", "python3.12"]
ZIP = ".zip"  # how the name of code ends that is deployed as it is (fc3 component)
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_HANDLER = re.compile(r"[\w./-]+\.\w+")
_LONGEST_TIMEOUT = 86400
_LONGEST_INITIALIZER = 300
_MEMORY = range(128, 32768 + 1, 64)
_MOST_RETRIES = 8
_OLDEST_EVENT = 604800  # the FC 3.0 SDK's; the help page says 2,592,000


class FunctionRefusedError(ValueError):
    """A function that cannot be deployed; the message names it, and everything that is wrong with it."""


@dataclass(frozen=True)
class FunctionSpec:
    """One function; a service makes it one of FC 2.0."""

    name: str
    code: Path  # the folder that `code:` names, less what its .fcignore excludes; or a zip, as it is
    handler: str  # "pkg/mod.func" or "pkg.mod.func"
    runtime: str = "python3.10"
    service: str | None = None
    initializer: str | None = None
    initializer_timeout: int = 3
    timeout: int = 3  # the fc3 component's default
    memory: int = 512
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    role: str | None = None  # the ARN of a role, or its bare name; None: the function has no credentials
    reserved_concurrency: int | None = None  # the most instances at once
    qualifiers: tuple[str, ...] = ()  # published versions and aliases besides LATEST; all of them are this code
    asynchronous: AsyncConfig | None = None  # None: nothing was set, and the defaults hold
    log_store: str | None = None  # "project/p/logstore/l"; None: whoever keeps the logs needs no permission

    def __post_init__(self) -> None:
        problems = [problem for holds, problem in _rules(self) if not holds]
        if problems:
            msg = f"function {self.name!r} is refused: {'; '.join(problems)}"
            raise FunctionRefusedError(msg)

    @property
    def target(self) -> Target:
        """How an invocation names it."""
        return Target(self.name, service=self.service)

    @property
    def role_name(self) -> str | None:
        """The bare name of its role."""
        return self.role.rpartition("/")[2] if self.role else None


def _is_zip(code: Path) -> bool:
    return code.suffix == ZIP and code.is_file()


def _rules(spec: FunctionSpec) -> list[tuple[bool, str]]:
    ours = sorted(name for name in spec.environment if name.startswith("FC_"))
    texts = all(isinstance(value, str) for value in spec.environment.values())
    handlers = [spec.handler, *([spec.initializer] if spec.initializer is not None else [])]
    policy = spec.asynchronous or AsyncConfig()
    names = [spec.name, *([spec.service] if spec.service is not None else [])]
    return [
        (all(_NAME.fullmatch(name) for name in names), "a name is letters, digits, _ and -, and no digit is first"),
        (spec.runtime in RUNTIMES, f"runtime {spec.runtime!r} is none of {', '.join(RUNTIMES)}"),
        (all(_HANDLER.fullmatch(each) for each in handlers), "a handler is module.function or folder/module.function"),
        (spec.code.is_dir() or _is_zip(spec.code), f"code {str(spec.code)!r} is no folder and no zip; make package?"),
        (1 <= spec.timeout <= _LONGEST_TIMEOUT, f"timeout is 1 to {_LONGEST_TIMEOUT} s"),
        (1 <= spec.initializer_timeout <= _LONGEST_INITIALIZER, f"an initializer has 1 to {_LONGEST_INITIALIZER} s"),
        (spec.memory in _MEMORY, "memory is 128 to 32768 MB in steps of 64"),
        (texts, "an environment variable is not a text"),
        (not ours, f"the runtime deletes variables that begin with FC_: {', '.join(ours)}"),
        (spec.reserved_concurrency is None or spec.reserved_concurrency >= 0, "reserved concurrency is not negative"),
        (0 <= policy.max_retry_attempts <= _MOST_RETRIES, f"asynchronous retries are 0 to {_MOST_RETRIES}"),
        (1 <= policy.max_event_age <= _OLDEST_EVENT, f"an event's age is 1 to {_OLDEST_EVENT} s"),
    ]
