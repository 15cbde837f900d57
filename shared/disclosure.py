"""Does an event carry a password? Whatever the answer, the password itself goes nowhere.

An event is stored by queues, task lists, dead letters and logs on its way, and Function Compute logs the event of a
failed invocation: a password in one is disclosed. So it is looked for in the whole event, in JSON written inside texts
and in base64, however many layers deep.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterator

from shared.documents import NotJson, Place, read_plain, unbase64

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


def disclosures(document: object, place: Place) -> Iterator[Place]:
    """Yield the place of every password in a document."""
    # Every layer of text is shorter than the one around it, so the search ends, and needs no limit of its own.
    left = deque([(document, place)])
    while left:
        value, here = left.popleft()
        if isinstance(value, dict):
            for key, inner in value.items():
                if _names_a_password(key) and _discloses(inner):
                    yield here.key(key)
                elif _has_room(inner):
                    left.append((inner, here.key(key)))
        elif isinstance(value, list):
            left += [(inner, here.item(index)) for index, inner in enumerate(value) if _has_room(inner)]
        elif isinstance(value, str):
            left += [(inner, here.text()) for inner in _inside(value)]


def _names_a_password(key: str) -> bool:
    # ActionTrail flattens parameters into dotted keys: `LookupAttribute.1.Value`.
    name = unicodedata.normalize("NFKC", key.rpartition(".")[2]).casefold()
    return "".join(filter(str.isalnum, name)) in PASSWORD_KEYS


def _has_room(value: object) -> bool:
    """Tell whether a password may be inside; most of a long list need not be looked at, nor their places noted."""
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) >= SHORTEST)


def _discloses(value: object) -> bool:
    """Null, nothing and a mask of asterisks disclose nothing."""
    return bool(value.strip("*")) if isinstance(value, str) else value is not None


def _inside(text: str) -> Iterator[object]:
    document = read_plain(text)
    if not isinstance(document, NotJson):
        yield document
    elif decoded := unbase64(_padded(text)):
        yield decoded


def _padded(text: str) -> str:
    """Return base64 as the standard writes it, from any of its spellings: that of URLs, and that without padding."""
    plain = "".join(text.split()).translate(_STANDARD).rstrip("=")
    return plain + "=" * (-len(plain) % 4)
