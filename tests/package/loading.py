"""Print the files of all modules that the functions load: by being imported, and by being initialized.

Run as `python -c`, in the repository, by tests/package/started.py; it imports nothing else than they do.
"""

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from types import SimpleNamespace


def main() -> None:
    """Import every module of what is deployed, and start every function."""
    for name in ("shared", "functions"):
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            importlib.import_module(module.name)
    credentials = SimpleNamespace(access_key_id="id", access_key_secret="secret", security_token="token")
    context = SimpleNamespace(
        credentials=credentials, region="cn-shanghai", request_id="1", function=SimpleNamespace(timeout=280)
    )
    for name in sorted(path.parent.name for path in Path("functions").glob("*/index.py")):
        importlib.import_module(f"functions.{name}.index").initialize(context)
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    sys.stdout.write("\n" + json.dumps(sorted(filter(None, files))))


main()
