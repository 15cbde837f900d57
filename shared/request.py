"""The request itself: a JSON object that names a user, and its nine fields.

Nothing is guessed. An unknown field is refused by its name, for a typo must not turn a dry run into a rotation; a field
of the wrong type is refused with the type expected. No message shows a value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

import msgspec
from msgspec.structs import replace

from shared.documents import LONGEST_KEY, Json, kind
from shared.envelopes import Context
from shared.errors import quoted
from shared.instants import rfc3339
from shared.model import DirectoryId, PasswordSource, Reason, ResetRequest, UserId, UserName, UserRef

AHEAD = timedelta(seconds=5)  # how far a sender's clock may be ahead of ours: docs/protocol.md assumes no more
MOST_COMPLAINTS = 8  # about one request; a sender who gets eight things wrong is not helped by the ninth

# CloudSSO, CreateUser: letters, digits, and @ _ - . up to 64 of them.
_USER_NAME = re.compile(r"[A-Za-z0-9@_.-]{1,64}")
# CloudSSO shows `u-00q8wbq42wiltcrk****`; the rule behind it is not published, so this is lenient.
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
RESTRICTING = ("DirectoryId", "DryRun")  # fields by which a request asks for less than a rotation
_REASONS = {reason.value: reason for reason in Reason}


class _Field(msgspec.Struct, frozen=True):
    expects: str
    accepts: Callable[[object], bool]


def user_name(value: object) -> UserName | None:
    """Return the value if it can be a CloudSSO user's name."""
    return UserName(value) if isinstance(value, str) and _USER_NAME.fullmatch(value) else None


def user_id(value: object) -> UserId | None:
    """Return the value if it can be a CloudSSO user's id."""
    return UserId(value) if isinstance(value, str) and _USER_ID.fullmatch(value) else None


USER_NAME = _Field("1 to 64 letters, digits, '@', '_', '-' or '.'", lambda value: user_name(value) is not None)
USER_ID = _Field("1 to 128 letters, digits, '-' or '_'", lambda value: user_id(value) is not None)
_FLAG = _Field("true or false", lambda value: isinstance(value, bool))
FIELDS = {
    "UserName": USER_NAME,
    "UserId": USER_ID,
    "DirectoryId": _Field("text", lambda value: isinstance(value, str)),
    "Reason": _Field(f"one of {', '.join(_REASONS)}", lambda value: isinstance(value, str) and value in _REASONS),
    "RotatedSince": _Field(
        "an RFC 3339 time with an offset, such as 2026-01-31T08:00:00Z", lambda value: rfc3339(value) is not None
    ),
    "GenerateRandomPassword": _FLAG,
    "RequirePasswordResetForNextLogin": _FLAG,
    "DryRun": _FLAG,
    "Force": _FLAG,
}
_USER_FIELDS = ("UserName", "UserId")
_BY_PLAIN_NAME = {name.casefold(): name for name in FIELDS}


def is_complete(document: Json) -> bool:
    """Tell whether an object names a user and has no field but a request's."""
    return not document.keys().isdisjoint(_USER_FIELDS) and document.keys() <= FIELDS.keys()


def is_meant(document: Json) -> bool:
    """Tell whether an object can only be meant as a request: it names a user as they do, or has two of their fields."""
    return not document.keys().isdisjoint(_USER_FIELDS) or len(document.keys() & FIELDS.keys()) > 1


def is_close(document: Json) -> bool:
    """Tell whether an object is like a misspelt request: a user field is nearly there, and half of it is nearly fields.

    Asked only of what nothing else recognises, to tell its sender more than that.
    """
    if len(document) > 2 * len(FIELDS):
        return False
    near = {_nearest(key) for key in document} - {None}
    return not near.isdisjoint(_USER_FIELDS) and 2 * len(near) >= len(document)


def read(document: Json, context: Context) -> ResetRequest | tuple[str, ...]:
    """Return the request that an object is, or what is wrong with it."""
    complaints = tuple(islice(_complaints(document, context), MOST_COMPLAINTS))
    return complaints or _request(document, context)


def restricted(alert: ResetRequest, said: Json, context: Context) -> ResetRequest | tuple[str, ...]:
    """Return what an alert asks for, held to what it says in a request's words; or what is wrong with these.

    An alert has fields of its own, so nothing is asked of the others. But one that is about another directory's user
    is about nobody here, and one that says that it is a dry run is one.
    """
    restrictions = {name: said[name] for name in RESTRICTING if name in said}
    complaints = (*_field_complaints(restrictions), *_directory_complaints(restrictions, context))
    return complaints or replace(alert, dry_run=restrictions.get("DryRun") is True)


def _request(document: Json, context: Context) -> ResetRequest:
    """Every field has been checked: what is read here has the type that is asked for."""
    generate, must_change = document.get("GenerateRandomPassword"), document.get("RequirePasswordResetForNextLogin")
    claimed = document.get("DirectoryId")
    return ResetRequest(
        user=UserRef(name=user_name(document.get("UserName")), id=user_id(document.get("UserId"))),
        since=context.since(rfc3339(document.get("RotatedSince"))),
        reason=_REASONS.get(str(document.get("Reason")), context.reason),
        source=None if generate is None else PasswordSource.CLOUDSSO if generate else PasswordSource.STAGED,
        must_change=None if must_change is None else must_change is True,
        dry_run=document.get("DryRun") is True,
        force=document.get("Force") is True,
        directory_id=None if claimed is None else DirectoryId(str(claimed)),
        origins=(context.origin,),
    )


def _complaints(document: Json, context: Context) -> Iterator[str]:
    yield from _field_complaints(document)
    yield from _user_complaints(document)
    yield from _directory_complaints(document, context)
    yield from _since_complaints(document, context)


def _field_complaints(document: Json) -> Iterator[str]:
    for name, value in document.items():
        if name not in FIELDS:
            yield f"field {quoted(name)} is unknown ({_advice(name)})"
        elif not FIELDS[name].accepts(value):
            yield f"field {quoted(name)} must be {FIELDS[name].expects}, and is {_shortcoming(name, value)}"


def _user_complaints(document: Json) -> Iterator[str]:
    given = [name for name in _USER_FIELDS if name in document]
    misspelt = any(_nearest(name) in _USER_FIELDS for name in document if name not in FIELDS)
    if len(given) != 1 and not misspelt:
        yield f"a request names its user by exactly one of 'UserName' and 'UserId'; this one has {len(given)} of them"


def _directory_complaints(document: Json, context: Context) -> Iterator[str]:
    claimed = document.get("DirectoryId")
    if isinstance(claimed, str) and claimed != context.directory_id:
        yield f"field 'DirectoryId' is not {quoted(context.directory_id)}, the only directory that this function serves"


def _since_complaints(document: Json, context: Context) -> Iterator[str]:
    since = rfc3339(document.get("RotatedSince"))
    if since is not None and since > context.received + AHEAD:
        yield "field 'RotatedSince' is in the future: no rotation carried out now could ever satisfy it"


def _shortcoming(name: str, value: object) -> str:
    return "not" if isinstance(value, str) and name != "DirectoryId" and FIELDS[name] is not _FLAG else kind(value)


def _advice(name: str) -> str:
    nearest = _nearest(name)
    return f"did you mean {quoted(nearest)}?" if nearest else f"the fields are {', '.join(FIELDS)}"


def _nearest(name: str) -> str | None:
    if len(name) > LONGEST_KEY:  # the comparison is quadratic
        return None
    close = difflib.get_close_matches(_plain(name), _BY_PLAIN_NAME, n=1, cutoff=0.75)
    return _BY_PLAIN_NAME[close[0]] if close else None


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
