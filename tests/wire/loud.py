"""The functions with everything that could talk switched on; deployed in place of their own entry points.

It makes staged passwords with a mark, writes the stacks of all threads whenever something is sent, and tells which
files were opened for writing. Two events are not handed on: {"Survey": true} is answered with what has survived of the
passwords of earlier ones, and {"Leak": "return"} or "raise" leaks a secret by every way there is.
"""

from __future__ import annotations

import faulthandler
import http.client
import json
import logging
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from functions.reset_password import index as rotator
from functions.rotation_status import index as viewer
from functions.scan_expiring import index as scanner
from shared import password
from shared.invocation import Context
from shared.model import Password, UserName
from tests.wire.survivors import survivors

BROKEN = "broken"  # what a user's name begins with who meets a bug
WRITTEN = "opened for writing: "
BUG = "Text-of-a-bug-0123456789"  # it could hold anything
LEAKED = "Leaked-on-purpose-0123456789"
_TALKATIVE = ("darabonba-core", "urllib3", "requests")
_WRITING = os.O_WRONLY | os.O_RDWR

Handler = Callable[[bytes, Context], str]

_opened: list[str] = []
_kept: list[str] = []


def start_rotator(context: Context) -> None:
    """Initialize."""
    _start()
    rotator.initialize(context)


def start_scanner(context: Context) -> None:
    """Initialize."""
    _start()
    scanner.initialize(context)


def start_viewer(context: Context) -> None:
    """Initialize."""
    _start()
    viewer.initialize(context)


def rotate(event: bytes, context: Context) -> str:
    """Rotate passwords, loudly; or answer a survey."""
    return _loudly(_asked(event) or rotator.handler, event, context)


def scan(event: bytes, context: Context) -> str:
    """Scan, loudly."""
    return _loudly(_asked(event) or scanner.handler, event, context)


def show(event: bytes, context: Context) -> str:
    """Show the state, loudly; or answer a survey of what has survived."""
    return _loudly(_asked(event) or viewer.handler, event, context)


def _start() -> None:
    sys.addaudithook(_watch)
    setattr(password, "generate", _marked)  # noqa: B010 - it takes no sample


def _asked(event: bytes) -> Handler | None:
    """Return what an event asks of this module itself, if it does."""
    asked = json.loads(event)
    if not isinstance(asked, dict):
        return None
    return next((handler for name, handler in _OWN.items() if name in asked), None)


def _survey(event: bytes, _context: Context) -> str:
    if json.loads(event)["Survey"] == "keep":  # to see that a survey here finds what there is to be found
        _kept.append(_marked(UserName("")).reveal())
    found = survivors()
    _kept.clear()
    return json.dumps(found)


def _leak(event: bytes, _context: Context) -> str:
    asked = json.loads(event)
    Path(asked["Into"], "leak").write_text(LEAKED, encoding="utf-8")
    endpoint = urlsplit(os.environ["CLOUDSSO_ENDPOINT"]).netloc
    connection = http.client.HTTPConnection(endpoint)
    connection.request("POST", f"/?leak={LEAKED}", LEAKED, {"x-leak": LEAKED})
    connection.close()
    sys.stdout.write(json.dumps({"Invocation": LEAKED}) + "\n")
    if asked["Leak"] == "raise":
        raise ValueError(LEAKED)
    return LEAKED


_OWN: dict[str, Handler] = {"Survey": _survey, "Leak": _leak}


def _loudly(handler: Handler, event: bytes, context: Context) -> str:
    with _loud():
        return handler(event, context)


@contextmanager
def _loud() -> Iterator[None]:
    warnings.simplefilter("always")
    http.client.HTTPConnection.debuglevel = 1
    os.environ["DEBUG"] = "sdk"
    logging.getLogger().setLevel(logging.DEBUG)
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = True
        logger.setLevel(logging.DEBUG)
        logger.handlers = [logging.StreamHandler()]
    _opened.clear()
    try:
        yield
    finally:
        for path in _opened:
            sys.stdout.write(f"{WRITTEN}{path}\n")


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "http.client.send":
        faulthandler.dump_traceback(sys.stderr)
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        _opened.append(str(arguments[0]))


def _marked(user: UserName) -> Password:
    """Make a password that every policy takes, and that a search finds (survivors.MARK)."""
    if user.startswith(BROKEN):
        raise ZeroDivisionError(BUG)
    digits = secrets.token_hex(8)
    return Password(f'Mk{digits[:7]}"\\/+&%=<{digits[7:]}')
