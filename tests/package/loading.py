"""Print the files of all modules that the functions load: imported, initialized, and given their first event.

Run as `python -c`, in the repository, by tests/package/started.py; it imports nothing else than they do. What counts is
what is loaded, also where that fails, or is forgotten again: it is compiled all the same.
"""

import importlib
import importlib.machinery
import json
import os
import pkgutil
import sys
from pathlib import Path
from types import CodeType, SimpleNamespace

LOADED: set[str] = set()
ORDINARY = importlib.machinery.SourceFileLoader.get_code
EVENTS = {"reset_password": b'{"UserName": "alice"}', "scan_expiring": b"{}"}


def _get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
    LOADED.add(self.path)
    return ORDINARY(self, name)


def main() -> None:
    """Import every module of what is deployed, and start every function."""
    importlib.machinery.SourceFileLoader.get_code = _get_code  # type: ignore[method-assign, assignment]
    for name in ("shared", "functions"):
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            importlib.import_module(module.name)
    credentials = SimpleNamespace(
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        security_token=os.environ["ALIBABA_CLOUD_SECURITY_TOKEN"],
    )
    function = SimpleNamespace(timeout=280)
    context = SimpleNamespace(credentials=credentials, region="cn-hangzhou", request_id="1", function=function)
    for name in sorted(path.parent.name for path in Path("functions").glob("*/index.py")):
        index = importlib.import_module(f"functions.{name}.index")
        index.initialize(context)
        if name in EVENTS:
            index.handler(EVENTS[name], context)
    sys.stdout.write("\n" + json.dumps(sorted(LOADED)))


main()
