"""A function instance as a process of its own, for tests that kill it."""

from __future__ import annotations

import os

from functions.reset_password import index
from tests.deployment import Context312


def main(event: str) -> None:
    """Be the Python 3.12 runtime for one event: bytes in, settings and credentials from the environment."""
    context = Context312(region=os.environ["KMS_REGION"])
    index.initialize(context)
    index.handler(event.encode(), context)
