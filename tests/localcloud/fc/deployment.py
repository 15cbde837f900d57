"""One deployed function: its settings and its folder; and what each of its instances finds around itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.code import CodeFolder
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.instance import Instance, Launch
from tests.localcloud.fc.operation import Place
from tests.localcloud.fc.runtime import INITIALIZE, INVOKE
from tests.localcloud.ram.service import Credentials
from tests.localcloud.timeline import Timeline

_VERSIONS = {"python3.10": "python310", "python3.12": "python312"}
_INHERITED = ("LD_LIBRARY_PATH",)  # what this interpreter may need to start at all


@dataclass(frozen=True, eq=False)
class Deployment:
    """One version of a function's code and settings (pool.Kind)."""

    spec: FunctionSpec
    folder: CodeFolder
    place: Place
    timeline: Timeline = field(repr=False)
    shift_file: int  # the cloud's time, shared

    @property
    def limit(self) -> int | None:
        """The most instances at once."""
        return self.spec.reserved_concurrency

    def spawn(self) -> Instance:
        """Start the process of one more instance."""
        launch = Launch(self.spec.name, self.spec.runtime, self.folder.path, self._environment(), self.shift_file)
        return Instance(launch, self.timeline)

    def headers(self, request_id: str, target: Target, credentials: Credentials | None, retry: int) -> dict[str, str]:
        """Return what an instance is told of a request: the names are those of the runtimes' own protocol."""
        spec = self.spec
        headers = {
            "x-fc-request-id": request_id,
            "x-fc-control-path": INVOKE,
            "x-fc-function-name": spec.name,
            "x-fc-function-handler": spec.handler,
            "x-fc-function-memory": str(spec.memory),
            "x-fc-function-timeout": str(spec.timeout),
            "x-fc-region": self.place.region,
            "x-fc-account-id": self.place.account_id,
            "x-fc-qualifier": target.qualifier,
            "x-fc-version-id": "",
            "x-fc-service-name": spec.service or "",
            "x-fc-retry-count": str(retry),
        }
        if credentials is not None:
            headers["x-fc-access-key-id"] = credentials.access_key_id
            headers["x-fc-access-key-secret"] = credentials.access_key_secret
            headers["x-fc-security-token"] = credentials.security_token or ""
        return headers

    def initializing(self, headers: dict[str, str]) -> dict[str, str]:
        """Return the same for the initializer."""
        return {
            **headers,
            "x-fc-control-path": INITIALIZE,
            "x-fc-function-initializer": self.spec.initializer or "",
            "x-fc-initialization-timeout": str(self.spec.initializer_timeout),
        }

    def _environment(self) -> dict[str, str]:
        """Return all of the environment of an instance: nothing of this process's own gets into it."""
        spec = self.spec
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        ours = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",  # whatever this machine's is
            "FC_FUNC_CODE_PATH": str(self.folder.path),
            "FC_FUNCTION_MEMORY_SIZE": str(spec.memory),
            "FC_RUNTIME_VERSION": _VERSIONS[spec.runtime],
            "FC_ACCOUNT_ID": self.place.account_id,
            "FC_FUNCTION_HANDLER": spec.handler,
            "FC_FUNCTION_NAME": spec.name,
            "FC_SERVICE_NAME": spec.service or "",
            "FC_REGION": self.place.region,
            "FC_SERVER_LOG_LEVEL": "INFO",  # the runtime's own; it deletes this one
        }
        settings = dict(spec.environment)
        if "PYTHONPATH" in settings:
            settings["PYTHONPATH"] = self.folder.located(settings["PYTHONPATH"])
        return {**inherited, **ours, **settings}
