"""Looks for secrets where they must not be, in the forms in which they travel."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[str]:
    """Return a secret as it is, percent-encoded, form-encoded, JSON-escaped and in base64 at every alignment."""
    plain = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return plain | set(_base64(secret))


def assert_absent(secrets: Iterable[str], text: str, where: str) -> None:
    """Fail, without printing the secret, if any form of any secret is in the text."""
    for number, secret in enumerate(sorted(secrets)):
        if any(form in text for form in forms(secret)):
            message = f"secret number {number} is in {where}"
            raise AssertionError(message)


def everything_about(error: BaseException) -> str:
    """Return all that a log or a debugger could show of an exception and of what it was raised from."""
    parts: list[str] = []
    for each in _chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        parts += traceback.TracebackException.from_exception(each, capture_locals=True).format()
    return "\n".join(parts)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in seen:
            seen.append(each)
            todo += [each.__cause__, each.__context__]
            yield each


def _base64(secret: str) -> Iterator[str]:
    # Where the secret's first byte falls in a group of three is unknown; the seams depend on its neighbours.
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + secret.encode()).decode()
        yield encoded[4 if lead else 0 : len(encoded) // 4 * 4 - 4]
