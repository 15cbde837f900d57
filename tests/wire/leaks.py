"""Looks for secrets where they must not be, in the forms in which they travel.

A secret is looked for by the halves of each form. Wherever a text was cut in two, at the end of a line or of a buffer,
one of the two halves is still whole; and whoever has half of a password has it soon.
"""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

from rich.pretty import pretty_repr

SHORTEST = 8  # characters of a half that is looked for by itself; shorter ones are found everywhere
_LINE_BREAKS = re.compile(r"[^\S\r\n]*(?:[\r\n]+|\\r|\\n)\s*")

Encode = Callable[[str], Iterable[str]]


def _escaped(secret: str, form: str) -> str:
    units = secret.encode("utf-16-be")
    return "".join(form.format(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))


def _quoted_in_lower_case(secret: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), quote(secret, safe=""))


def _in_html(secret: str) -> str:
    """Return JSON as Go and some gateways write it: safe within HTML."""
    return re.sub(r"[<>&/]", lambda match: "\\/" if match[0] == "/" else _escaped(match[0], "\\u{:04x}"), _json(secret))


def _json(secret: str) -> str:
    return json.dumps(secret)[1:-1]


def _base64(secret: bytes) -> Iterator[str]:
    # Where the secret's first byte falls in a group of three is unknown; the seams depend on its neighbours.
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + secret).decode()
        yield encoded[4 if lead else 0 : len(encoded) // 4 * 4 - 4]


def _base64url(secret: bytes) -> Iterator[str]:
    return (form.translate(str.maketrans("+/", "-_")) for form in _base64(secret))


# What a secret may be written as by whatever holds it as a text, and by whatever holds its JSON.
ENCODINGS: dict[str, Encode] = {
    "as it is": lambda secret: [secret],
    "percent-encoded": lambda secret: [quote(secret, safe=""), quote(secret), _quoted_in_lower_case(secret)],
    "form-encoded": lambda secret: [quote_plus(secret)],
    "in JSON": lambda secret: [_json(secret), json.dumps(secret, ensure_ascii=False)[1:-1], _in_html(secret)],
    "in JSON, every character escaped": lambda secret: [_escaped(secret, "\\u{:04x}"), _escaped(secret, "\\u{:04X}")],
    "in JSON within JSON": lambda secret: [_json(_json(secret))],
    "repr": lambda secret: [repr(secret)[1:-1]],
    "repr of bytes": lambda secret: [repr(secret.encode())[2:-1]],
    "base64, at each alignment": lambda secret: _base64(secret.encode()),
    "base64url, at each alignment": lambda secret: _base64url(secret.encode()),
    "hexadecimal": lambda secret: [secret.encode().hex(), secret.encode().hex().upper()],
    "UTF-16": lambda secret: [
        "\0".join(secret),
        secret.encode("utf-16-le").hex(),
        *_base64(secret.encode("utf-16-le")),
    ],
}
# What may have been done to it before.
SHAPES: dict[str, Callable[[str], str]] = {
    "forwards": lambda secret: secret,
    "backwards": lambda secret: secret[::-1],
    "in a JSON document": _json,
    "in a JSON document within JSON": lambda secret: _json(_json(secret)),
}


@lru_cache(maxsize=10_000)
def forms(secret: str) -> frozenset[str]:
    """Return every text that a secret may be written as."""
    shaped = {shape(secret) for shape in SHAPES.values()}
    return frozenset(form for each in shaped for encode in ENCODINGS.values() for form in encode(each))


def needles(secret: str) -> frozenset[str]:
    """Return what gives a secret away: the halves of each form, or the whole where these would be too short."""
    return frozenset(part for form in forms(secret) for part in _halves(form))


def _halves(form: str) -> tuple[str, ...]:
    middle = len(form) // 2
    return (form[:middle], form[-middle:]) if middle >= SHORTEST else (form,)


class Scanner:
    """Looks for any number of secrets at once: how long that takes depends on the text alone."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._by_beginning: dict[str, dict[str, str]] = {}  # the first characters of a needle, the needle, the secret
        self._short: dict[str, str] = {}
        self.add(secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Look for these too."""
        for secret in {*secrets} - self._secrets:
            self._secrets.add(secret)
            for needle in needles(secret):
                same = self._short if len(needle) < SHORTEST else self._by_beginning.setdefault(needle[:SHORTEST], {})
                same[needle] = secret

    def found(self, text: str) -> set[str]:
        """Return the secrets that are in a text, as it is or with its lines put together again."""
        both = f"{text}\n{_LINE_BREAKS.sub('', text)}"
        begins = self._by_beginning
        seen = {both[at : at + SHORTEST] for at in range(len(both)) if both[at : at + SHORTEST] in begins}
        likely = {needle: secret for begin in seen for needle, secret in begins[begin].items()} | self._short
        return {secret for needle, secret in likely.items() if needle in both}


def assert_absent(secrets: Iterable[str], text: str, where: str) -> None:
    """Fail, without printing the secret, if any form of any secret is in the text."""
    known = sorted({*secrets})
    found = Scanner(known).found(text)
    if found:
        message = f"secret number {min(map(known.index, found))} is in {where}"
        raise AssertionError(message)


def everything_about(error: BaseException) -> str:
    """Return all that a log or a debugger could show of an exception and of what it was raised from."""
    parts: list[str] = []
    for each in _chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        parts += traceback.TracebackException.from_exception(each, capture_locals=True).format()
        parts += _as_rich_shows(each)
    return "\n".join(parts)


def _as_rich_shows(error: BaseException) -> Iterator[str]:
    """Yield the local variables of every frame as rich's tracebacks print them: with what is inside of objects."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        yield from (f"{name} = {pretty_repr(value)}" for name, value in frame.f_locals.items())


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and not any(each is other for other in seen):
            seen.append(each)
            todo += [each.__cause__, each.__context__]
            yield each
