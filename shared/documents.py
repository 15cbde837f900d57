"""JSON from strangers: read strictly, or described as unreadable; and the words for a place in it.

What `read` returns has unique keys, finite numbers, no lone surrogates and a bounded depth, so nothing that walks it
needs to fear it. The standard library's parser does the reading because its hooks see what others swallow: the second
of two equal keys would otherwise decide whom a request is about, or hide a password from the search for passwords.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from shared.errors import quoted

Json = dict[str, object]

DEEPEST = 64  # levels of one JSON text; Alibaba Cloud's own events have fewer than ten
LONGEST_INTEGER = 64  # digits; Python parses integers in quadratic time
LONGEST_KEY = 64  # characters of a key that a message shows
LONGEST_PLACE = 240  # characters; the end is what helps

_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class Place(msgspec.Struct, frozen=True):
    """Where something stands in an event, in words: `message 3, data.messageBody, Requests[0]`."""

    before: str = ""  # the texts and messages that lead here
    path: str = ""  # the keys and indexes from there on

    def key(self, name: str) -> Place:
        """Return the place of a value in an object."""
        plain = name.replace("_", "").replace("-", "")
        safe = name if plain.isalnum() and plain.isascii() else quoted(name)
        shown = safe if len(safe) <= LONGEST_KEY else f"{safe[:LONGEST_KEY]}…"
        return replace(self, path=f"{self.path}.{shown}" if self.path else shown)

    def item(self, index: int) -> Place:
        """Return the place of an item of a list; the items of an event that is a list are its messages."""
        if self.path:
            return replace(self, path=f"{self.path}[{index}]")
        return Place(before=f"{self.before}message {index + 1}, ")

    def text(self) -> Place:
        """Return the place where the JSON begins that is written in the text found here."""
        return Place(before=f"{self}, " if self.before or self.path else "")

    def __str__(self) -> str:
        whole = (self.before + self.path).removesuffix(", ") or "the event"
        return whole if len(whole) <= LONGEST_PLACE else f"…{whole[-LONGEST_PLACE:]}"


class NotJson(msgspec.Struct, frozen=True):
    """Why a text could not be read. It quotes nothing of the text but a key."""

    why: str


class _Refused(ValueError):
    """Raised inside the parser's hooks only."""


def read(text: bytes | str) -> object:
    """Return what a JSON text says, or a `NotJson`; never raise.

    Base64 of a JSON text is read as that text: the Python `mns` SDK encodes by default, EventBridge decodes by default
    (IsBase64Decode), and where the two disagree the message arrives encoded. No JSON object or list is valid base64, so
    one is never taken for the other.
    """
    plain = _utf8(text) if isinstance(text, bytes) else text
    if isinstance(plain, NotJson):
        return plain
    document = read_plain(plain)
    decoded = unbase64(plain) if isinstance(document, NotJson) else None
    inner = document if decoded is None else read_plain(decoded)
    return document if isinstance(inner, NotJson) else inner


def read_plain(text: str) -> object:
    """Return what a JSON text says, or a `NotJson`; base64 is not JSON here."""
    if not text.strip():
        return NotJson("it is empty")
    document: object = None
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:  # it holds the whole text: only its fixed words and position leave this block
        why = f"{error.msg}, at character {error.pos + 1}"
    except _Refused as refusal:
        why = str(refusal)
    except RecursionError:
        why = _too_deep()
    else:
        why = next(_flaws(document), "")
    return NotJson(why) if why else document


def unbase64(text: str) -> str | None:
    """Return the text that `text` encodes in base64, wrapped in lines or not, if it is base64 of text."""
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:  # no base64, or no text in it
        return None
    return decoded or None


def kind(value: object) -> str:
    """Say what type of JSON value this is, and nothing of the value itself."""
    return _KINDS.get(type(value), "something else")


def at(document: object, path: str) -> object:
    """Return the value at a dotted path of keys, or None."""
    value = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _utf8(data: bytes) -> str | NotJson:
    try:
        return data.decode()
    except UnicodeDecodeError as error:  # it holds the bytes
        position = error.start + 1
    return NotJson(f"not UTF-8, at byte {position}")


def _unique(pairs: list[tuple[str, object]]) -> Json:
    document = dict(pairs)
    if len(document) < len(pairs):
        _refuse_doubles(key for key, _ in pairs)
    return document


def _refuse_doubles(keys: Iterable[str]) -> None:
    seen = set[str]()
    for key in keys:
        if key in seen:
            message = f"the key {quoted(key)} occurs twice in one object"
            raise _Refused(message)
        seen.add(key)


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        message = f"a number has more than {LONGEST_INTEGER} digits"
        raise _Refused(message)
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _refuse(digits)
    return number


def _refuse(_number: str) -> NoReturn:
    message = "a number is not finite"
    raise _Refused(message)


def _flaws(document: object) -> Iterator[str]:
    # A loop and not a recursion: Python 3.12 parses deeper than its interpreter can follow. An iterator for each level,
    # and not a list of all that is left: of a document that is one long list, that would be many times its size.
    levels: list[Iterator[object]] = [iter((document,))]
    while levels:
        too_deep = len(levels) > DEEPEST
        for value in levels[-1]:
            if too_deep:
                yield _too_deep()
            elif isinstance(value, str):
                if not value.isascii() and _HALF.search(value):
                    yield "a text has half of a surrogate pair"
            elif isinstance(value, (dict, list)):
                levels.append(chain(value, value.values()) if isinstance(value, dict) else iter(value))
                break  # its level comes next, and then the rest of this one
        else:
            levels.pop()


def _too_deep() -> str:
    return f"nested more than {DEEPEST} levels deep"
