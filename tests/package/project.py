"""A small project that can be packed: three functions that need one distribution."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

JMESPATH = metadata.version("jmespath")
START = """
import jmespath

def initialize(context):
    jmespath.compile("a")

def handler(event, context):
    pass
"""
FILES = {
    "functions/__init__.py": "",
    "functions/reset_password/__init__.py": "",
    "functions/reset_password/index.py": START,
    "functions/reset_password/rules.json": "{}",
    "functions/reset_password/.hidden": "",
    "functions/rotation_status/__init__.py": "",
    "functions/rotation_status/index.py": START,
    "functions/scan_expiring/__init__.py": "",
    "functions/scan_expiring/index.py": START,
    "shared/__init__.py": "",
    "shared/unused.py": "",
    "shared/unused.py.orig": "",
    "shared/notes.txt": "",
    "LICENSE": "",
    "tests/test_one.py": "",
    "requirements.txt": f"jmespath=={JMESPATH}\n",
}


class Project:
    """Its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write one of them, or another."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
