"""The repository's own s.yaml, deployed with everything switched on that could talk; and what the platform keeps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.installation import PACKAGE, PREFIX, ROOT, ROTATOR, SCAN, STATUS, Installation, require_packages
from tests.localcloud.fc.backend import Result, Target
from tests.localcloud.server import LocalCloud
from tests.wire.loud import WRITTEN
from tests.wire.wiretap import Sent, Wiretap

_ADDED = ("tests/__init__.py", "tests/wire/__init__.py", "tests/wire/loud.py", "tests/wire/survivors.py")
_ENTRIES = {
    f"code: {PACKAGE}": "code: {folder}",
    "functions/reset_password/index.handler": "tests/wire/loud.rotate",
    "functions/reset_password/index.initialize": "tests/wire/loud.start_rotator",
    "functions/scan_expiring/index.handler": "tests/wire/loud.scan",
    "functions/scan_expiring/index.initialize": "tests/wire/loud.start_scanner",
    "functions/rotation_status/index.handler": "tests/wire/loud.show",
    "functions/rotation_status/index.initialize": "tests/wire/loud.start_viewer",
    "environmentVariables:\n": "environmentVariables:\n        DEBUG: sdk\n        PYTHONWARNINGS: always\n",
}


class LoudInstallation(Installation):
    """The functions, as loud as they can be, and overheard."""

    def __init__(self, cloud: LocalCloud, tap: Wiretap, folder: Path, runtime: str = "python3.10") -> None:
        self._tap = tap
        self._sent: list[Sent] = []
        self._answers: list[str] = []
        super().__init__(cloud, manifest=_manifest(folder, runtime), LOG_LEVEL="DEBUG", SCAN_LIMIT="1")

    def invoke(self, target: Target, event: object) -> Result:
        """Invoke a function synchronously, and keep what the caller gets."""
        result = super().invoke(target, event)
        self._answers.append(f"{result.payload.decode()}\n{result.headers!r}")
        return result

    def secrets(self) -> Iterator[str]:
        """Yield every secret of the functions so far: their credentials, and the staged passwords that they sent."""
        for key in self.cloud.ram._keys.values():
            if key.role.name.startswith(PREFIX):
                yield from filter(None, (key.credentials.access_key_secret, key.credentials.security_token))
        for sent in self.sent():
            parameters = dict(parse_qsl(sent.body.decode("latin-1")))
            yield from filter(None, (parameters.get("Password"), _candidate(parameters.get("SecretData"))))

    def sent(self) -> list[Sent]:
        """Return every request of the functions so far."""
        admin = self.cloud.admin.access_key_id
        self._sent += [each for each in self._tap.taken() if not each.carries(admin)]
        return self._sent

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield all that the platform keeps or others see, by channel."""
        yield "answers", "\n".join(self._answers)
        yield from self._tasks()
        for queue in self.cloud.smq.queues():
            yield queue.name, "\n".join(message.text for message in queue.messages())
        for topic in self.cloud.smq.topics():
            yield topic.name, "\n".join(each.message.text for each in topic.published)
        yield "deliveries", "\n".join(map(repr, self.cloud.eventbridge.ends))
        logs = [record.text for record in self.cloud.fc.logs()]
        yield "the functions' logs", "\n".join(logs)
        yield "audit lines", json.dumps([*self.audit(), *self.audit(SCAN), *self.audit(STATUS)])
        yield "files written", "\n".join(f"{path}\n{_content(path)}" for path in self.written())
        for sent in self.sent():
            yield from sent.where_no_secret_may_be().items()

    def written(self) -> list[Path]:
        """Return the files that the functions opened for writing."""
        lines = [line for record in self.cloud.fc.logs() for line in record.text.splitlines()]
        return [Path(line.removeprefix(WRITTEN)) for line in lines if line.startswith(WRITTEN)]

    def _tasks(self) -> Iterator[tuple[str, str]]:
        for task in (task for target in (ROTATOR, SCAN, STATUS) for task in self.cloud.fc.accepted(target)):
            yield "task ids", task.task_id
            yield "tasks", "\n".join((task.payload.decode(), task.return_payload.decode(), task.error, repr(task)))


def _manifest(folder: Path, runtime: str) -> Path:
    """Return s.yaml for a copy of the code, with entry points that are loud."""
    code = folder / "code"
    for name in ("shared", "functions"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    require_packages(code)
    for name in _ADDED:
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, code / name)
    text = (ROOT / "s.yaml").read_text(encoding="utf-8").replace("runtime: python3.10", f"runtime: {runtime}")
    for old, new in _ENTRIES.items():
        assert old in text
        text = text.replace(old, new.format(folder=code))
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _candidate(secret_data: str | None) -> str | None:
    value: dict[str, Any] = json.loads(secret_data or "{}")
    candidate: str | None = value.get("Claim", {}).get("Candidate") or value.get("Password")
    return candidate


def _content(path: Path) -> str:
    return path.read_bytes().decode("latin-1") if path.is_file() else ""
