"""What of a secret is still in this process: every text that any object, frame or thread holds, searched for a mark.

Texts are not tracked by the garbage collector, so what refers to them is walked: all containers that it tracks, and
what is only in these (small tuples, plain dictionaries), down to the texts. Standard library only: it is deployed with
the function whose process it searches (loud.py).
"""

from __future__ import annotations

import gc
import io
import re
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

# As findings.Mint and loud.py make them; whatever an encoding makes of the special characters in the middle.
MARK = re.compile(r"Mk[0-9a-f]{7}.{0,40}?[0-9a-f]{9}", re.DOTALL)
# Nothing of these may outlive an invocation: of the program, the SDKs, requests and the standard library. The SDK's
# clients may: what they sign with may not.
HOLDERS = frozenset(
    {
        "shared.model.Password",
        "shared.model.SecretValue",
        "shared.model.ResetReceipt",
        "shared.model.Credentials",
        "shared.openapi.AccessKey",
        "shared.rotation._Rotation",
        "alibabacloud_cloudsso20210515.models._reset_user_password_request.ResetUserPasswordRequest",
        "alibabacloud_cloudsso20210515.models._reset_user_password_response.ResetUserPasswordResponse",
        "alibabacloud_cloudsso20210515.models._reset_user_password_response_body.ResetUserPasswordResponseBody",
        "alibabacloud_kms20160120.models._create_secret_request.CreateSecretRequest",
        "alibabacloud_kms20160120.models._put_secret_value_request.PutSecretValueRequest",
        "alibabacloud_tea_openapi.utils_models._config.Config",
        "alibabacloud_tea_openapi.utils_models._open_api_request.OpenApiRequest",
        "darabonba.request.DaraRequest",
        "darabonba.response.DaraResponse",
        "requests.models.PreparedRequest",
        "requests.models.Response",
        "urllib3.response.HTTPResponse",
        "logging.LogRecord",
        "builtins.traceback",
    }
)
_TEXTS = (str, bytes, bytearray)
_ATOMS = frozenset({*_TEXTS, int, float, complex, type(None), bool})


def survivors() -> list[str]:
    """Return what holds a marked text, or could: the types of what refers to it, and objects that are made to."""
    gc.collect()
    everything = _everything()
    marked = {id(each) for each in everything if _is_marked(each)}
    found = [f"{kind} holds a marked text" for kind in _referrers(everything, marked)] if marked else []
    alive = {f"{kind.__module__}.{kind.__qualname__}" for kind in set(map(type, everything))}
    return sorted({*found, *(f"{kind} is alive" for kind in alive & HOLDERS), *_last_exceptions()})


def _everything() -> list[Any]:
    """Return every object that can be reached; each once."""
    left = [*gc.get_objects(), *_frames()]
    seen = _by_id(left)
    while left:
        inner = [*gc.get_referents(*left), *_keys(left)]
        reached = _by_id(inner)
        left = [reached[key] for key in reached.keys() - seen.keys() if type(reached[key]) not in _ATOMS]
        seen.update(reached)
    return list(seen.values())


def _by_id(objects: list[Any]) -> dict[int, Any]:
    return dict(zip(map(id, objects), objects, strict=True))


def _keys(objects: Iterable[Any]) -> Iterator[Any]:
    """Yield the keys of dictionaries, which these do not tell the garbage collector of while they are texts."""
    for each in objects:
        if isinstance(each, dict):
            yield from tuple(each)


def _frames() -> Iterator[FrameType]:
    """Yield the frames of all threads: those of running functions are no objects until somebody asks for them."""
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_globals.get("__name__") != __name__:
                yield frame
            frame = frame.f_back


def _is_marked(each: object) -> bool:
    if isinstance(each, str):
        return "Mk" in each and MARK.search(each) is not None
    if isinstance(each, (bytes, bytearray)):
        return b"Mk" in each and MARK.search(each.decode("latin-1")) is not None
    if isinstance(each, (io.BytesIO, io.StringIO)):
        return not each.closed and _is_marked(each.getvalue())
    return isinstance(each, memoryview) and _is_marked(bytes(each))


def _referrers(everything: Iterable[Any], marked: set[int]) -> Iterator[str]:
    """Yield the kinds of what refers to the marked, or is."""
    for each in everything:
        if id(each) in marked and not isinstance(each, _TEXTS):
            yield type(each).__name__
        if type(each) in _ATOMS:
            continue
        if any(id(inner) in marked for inner in (*gc.get_referents(each), *_keys([each]))):
            yield _kind(each)


def _kind(each: object) -> str:
    if isinstance(each, dict) and isinstance(name := each.get("__name__"), str):
        return f"module {name}"
    return type(each).__name__


def _last_exceptions() -> Iterator[str]:
    """Yield what an interactive interpreter, or a handler under way, keeps of an exception."""
    for name in ("last_exc", "last_value", "last_traceback"):
        if getattr(sys, name, None) is not None:
            yield f"sys.{name} is set"
    if sys.exc_info()[1] is not None:
        yield "an exception is being handled"
