"""Small functions for the loopback Function Compute: written, deployed and called."""

from __future__ import annotations

import json
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from tests.installation import require_packages
from tests.localcloud.fc.backend import AsyncConfig, Result, Target, TaskRecord
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.instance import Instance
from tests.localcloud.server import LocalCloud

BOUND = 60.0  # real seconds that no wait in these tests comes near
Answer = TypeVar("Answer")


class Workshop:
    """A cloud, and a folder for the code of its functions."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self.signals = folder / "signals"  # where functions and tests leave each other signs
        self.signals.mkdir()

    def deploy(self, source: str, name: str = "f", **settings: Any) -> Target:  # noqa: ANN401 - FunctionSpec's own
        """Deploy a function of one file, whose `handler` is called; `SIGNALS` is the folder of signs."""
        code = self.folder / name
        code.mkdir(exist_ok=True)
        text = f"import pathlib, time\nSIGNALS = pathlib.Path({str(self.signals)!r})\n{textwrap.dedent(source)}"
        (code / "index.py").write_text(text, encoding="utf-8")
        handler = settings.pop("handler", "index.handler")
        policy = {each: settings.pop(each) for each in _POLICY if each in settings}
        limits = {"timeout": 60, "initializer_timeout": 30}  # of the cloud's time, which is real while a function works
        asynchronous = AsyncConfig(**policy) if policy else None
        spec = FunctionSpec(name, code, handler, asynchronous=asynchronous, **{**limits, **settings})
        self.cloud.fc.deploy(spec)
        return spec.target

    def require_packages(self, name: str = "f") -> None:
        """Let a function have the distributions that the project's functions have."""
        code = self.folder / name
        code.mkdir(exist_ok=True)
        require_packages(code)

    def invoke(self, target: Target, event: bytes = b"") -> Result:
        return self.cloud.fc.invoke(target, event)

    def answer(self, target: Target, event: bytes = b"") -> Any:  # noqa: ANN401 - JSON
        """Invoke a function that must succeed, and return what it says."""
        result = self.invoke(target, event)
        assert result.error_type is None, result.payload
        return json.loads(result.payload)

    def in_background(self, do: Callable[[], Answer]) -> Future[Answer]:
        """Do something in a thread of its own."""
        future: Future[Answer] = Future()

        def run() -> None:
            try:
                future.set_result(do())
            except BaseException as error:  # noqa: BLE001 - the test that waits for it is told
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def signed(self, name: str) -> None:
        """Wait until a function has left a sign."""
        until((self.signals / name).exists, f"no sign {name}")

    def sign(self, name: str) -> None:
        """Leave a sign for a function."""
        (self.signals / name).touch()

    def marks(self, name: str) -> list[str]:
        """Return the lines that functions have added to a file of signs."""
        path = self.signals / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def the_instance(self, target: Target) -> Instance:
        """Return the one instance that there must be."""
        (instance,) = self.cloud.fc.instances(target)
        return instance

    def queue(self, target: Target, event: bytes = b"", task_id: str | None = None) -> str:
        """Invoke asynchronously."""
        return self.cloud.fc.invoke_async(target, event, task_id)

    def settle(self) -> None:
        self.cloud.timeline.settle(BOUND)

    def only(self, target: Target) -> TaskRecord:
        """Return the record of the one asynchronous invocation."""
        (record,) = self.cloud.fc.accepted(target)
        return record


_POLICY = ("max_retry_attempts", "max_event_age", "task", "on_success", "on_failure")


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    give_up = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.002)


def error_of(result: Result) -> dict[str, Any]:
    """Return the error body of a function error."""
    assert result.error_type == "UnhandledInvocationError", result.payload
    body: dict[str, Any] = json.loads(result.payload)
    return body
