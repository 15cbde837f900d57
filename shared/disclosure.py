"""Does an event carry a password? Whatever the answer, the password itself goes nowhere.

An event is stored by queues, task lists, dead letters and logs on its way, and Function Compute logs the event of a
failed invocation: a password in one is disclosed. So it is looked for in the whole event, in JSON written inside texts
and in base64, however many layers deep.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator

from shared.documents import Place, read_plain, unbase64

# Compared by letters and digits alone, in any case and width. Whole names, not endings: GenerateRandomPassword and
# RequirePasswordResetForNextLogin are flags, and so are a dozen fields of password policies in ActionTrail's records.
PASSWORD_KEYS = frozenset(
    {
        "currentpassword",
        "generatedpassword",
        "initialpassword",
        "loginpassword",
        "newpassword",
        "oldpassword",
        "passphrase",
        "passwd",
        "password",
        "passwordplaintext",
        "plaintextpassword",
        "pwd",
        "resetpassword",
        "temporarypassword",
        "temppassword",
        "userpassword",
    }
)
SHORTEST = len('{"pwd":0}')  # a shorter text has no room for a password and its name
_STANDARD = str.maketrans("-_", "+/")  # the alphabet of base64, from the one that URLs use
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=_\s-]")  # what no spelling of base64 has
_BLANK = " \t\n\r"  # what JSON ignores
_HOLDS = ("{", "[", '"')  # how JSON begins that a password can be inside of: no number is one, nor true, nor null

# How to get from one place to another, the last step first: a key, an index, or None for what a text says. A place is
# put into words for the few that are told, and not for every text of ten thousand messages.
_Path = tuple["_Path", str | int | None] | None


def disclosures(document: object, place: Place) -> Iterator[Place]:
    """Yield the place of every password in a document."""
    # Every layer of text is shorter than the one around it, so the search ends, and needs no limit of its own.
    left: deque[tuple[object, _Path]] = deque([(document, None)])
    while left:
        value, here = left.popleft()
        if isinstance(value, dict):
            for key, inner in value.items():
                if _names_a_password(key) and _discloses(inner):
                    yield _told(place, (here, key))
                elif _has_room(inner):
                    left.append((inner, (here, key)))
        elif isinstance(value, list):
            left += [(inner, (here, index)) for index, inner in enumerate(value) if _has_room(inner)]
        elif isinstance(value, str) and (inner := _inside(value)) is not None:
            left.append((inner, (here, None)))


def _told(place: Place, path: _Path) -> Place:
    steps = []
    while path is not None:
        path, step = path
        steps.append(step)
    for step in reversed(steps):
        place = place.text() if step is None else place.key(step) if isinstance(step, str) else place.item(step)
    return place


def _names_a_password(key: str) -> bool:
    if key.isascii() and key.isalnum():  # as nearly every key is: there is nothing to normalize
        return key.lower() in PASSWORD_KEYS
    # ActionTrail flattens parameters into dotted keys: `LookupAttribute.1.Value`.
    name = unicodedata.normalize("NFKC", key.rpartition(".")[2]).casefold()
    return "".join(filter(str.isalnum, name)) in PASSWORD_KEYS


def _has_room(value: object) -> bool:
    """Tell whether a password may be inside; most of a long list need not be looked at, nor their places noted."""
    return len(value) >= SHORTEST if isinstance(value, str) else isinstance(value, dict | list)


def _discloses(value: object) -> bool:
    """Null, nothing and a mask of asterisks disclose nothing."""
    return bool(value.strip("*")) if isinstance(value, str) else value is not None


def _inside(text: str) -> object:
    """Return what a text says that a password can be inside of, in JSON or in base64; or None."""
    document = read_plain(text) if text.lstrip(_BLANK).startswith(_HOLDS) else None
    if isinstance(document, dict | list | str):
        return document
    return None if _NO_BASE64.search(text) else unbase64(_padded(text))


def _padded(text: str) -> str:
    """Return base64 as the standard writes it, from any of its spellings: that of URLs, and that without padding."""
    plain = "".join(text.split()).translate(_STANDARD).rstrip("=")
    return plain + "=" * (-len(plain) % 4)
