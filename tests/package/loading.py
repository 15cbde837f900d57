"""Print the files of all modules that a function loads: imported, initialized, and given its first event.

Run as `python -c`, in the repository, by tests/package/started.py; it imports nothing else than it does. What counts is
what is loaded, also what is forgotten again: it is compiled all the same. An event that fails ends it: who knows what
else it would have loaded.
"""

import importlib
import importlib.machinery
import json
import os
import sys
from types import CodeType, SimpleNamespace

LOADED: set[str] = set()
ORDINARY = importlib.machinery.SourceFileLoader.get_code


def _get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
    LOADED.add(self.path)
    return ORDINARY(self, name)


def main(module: str, event: str) -> None:
    """Start a function, and let it answer."""
    importlib.machinery.SourceFileLoader.get_code = _get_code  # type: ignore[method-assign, assignment]
    credentials = SimpleNamespace(
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        security_token=os.environ["ALIBABA_CLOUD_SECURITY_TOKEN"],
    )
    function = SimpleNamespace(timeout=280)
    context = SimpleNamespace(credentials=credentials, region="cn-hangzhou", request_id="1", function=function)
    index = importlib.import_module(module)
    index.initialize(context)
    index.handler(event.encode(), context)  # whether it is the right answer is what tests are for
    sys.stdout.write("\n" + json.dumps(sorted(LOADED)))


main(*sys.argv[1:])
