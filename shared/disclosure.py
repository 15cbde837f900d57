"""Does an event carry a password? Whatever the answer, the password itself goes nowhere.

An event is stored by queues, task lists, dead letters and logs on its way, and Function Compute logs the event of a
failed invocation: a password in one is disclosed. So it is looked for in the whole event, in JSON written inside texts
and in base64, however many layers deep.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from shared.documents import NotJson, Place, read_plain, unbase64

# Compared without case, `_`, `-` and blanks. Whole names, not endings: GenerateRandomPassword and
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
_IGNORED = str.maketrans("", "", "_- ")


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
                else:
                    left.append((inner, here.key(key)))
        elif isinstance(value, list):
            left += [(inner, here.item(index)) for index, inner in enumerate(value)]
        elif isinstance(value, str):
            left += [(inner, here.text()) for inner in _inside(value)]


def _names_a_password(key: str) -> bool:
    # ActionTrail flattens parameters into dotted keys: `LookupAttribute.1.Value`.
    return key.rpartition(".")[2].casefold().translate(_IGNORED) in PASSWORD_KEYS


def _discloses(value: object) -> bool:
    """Null, nothing and a mask of asterisks disclose nothing."""
    return bool(value.strip("*")) if isinstance(value, str) else value is not None


def _inside(text: str) -> Iterator[object]:
    document = read_plain(text)
    if not isinstance(document, NotJson):
        yield document
    elif decoded := unbase64(text):
        yield decoded
