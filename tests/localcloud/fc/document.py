"""The parts of an s.yaml that are the same for every component, and the way from plain values to a strict model.

Source: Serverless Devs' YAML specification.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from tests.localcloud.fc.props import Strict
from tests.localcloud.fc.variables import ManifestRefusedError

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_ACTION = re.compile(r"(pre|success|fail|complete)-[a-z][a-z-]*")
_DEEDS = ("run", "component", "plugin")

_T = TypeVar("_T")


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """One step of an action."""

    run: str | None = None
    path: str | None = None
    component: str | None = None
    plugin: str | None = None
    args: dict[str, Any] | None = None
    allow_failure: bool | dict[str, Any] = False

    def __post_init__(self) -> None:
        """Hold that a step does one thing."""
        if sum(getattr(self, deed) is not None for deed in _DEEDS) != 1:
            msg = "a step has one of run, component and plugin"
            raise ValueError(msg)


class Extend(msgspec.Struct, forbid_unknown_fields=True):
    """What a resource takes from `template`."""

    name: str
    ignore: list[str] = []


class Resource(msgspec.Struct, forbid_unknown_fields=True):
    """One of `resources`."""

    component: str
    props: dict[str, Any]
    access: str | None = None
    extend: Extend | None = None
    actions: dict[str, Any] = {}


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file; `extend` (another file), `env` (env.yaml) and `flow` are not carried out here."""

    edition: str
    name: str
    resources: dict[str, Any]  # each is a Resource; converted one by one, to name the place
    access: str = "default"
    vars: dict[str, Any] = {}
    template: dict[str, dict[str, Any]] = {}
    actions: dict[str, Any] = {}


def check_actions(actions: Mapping[str, object], place: str) -> None:
    """Hold that actions have their form, and their keys name a command: the tool itself lets any key pass."""
    for name, steps in actions.items():
        if not _ACTION.fullmatch(name):
            reason = "is no action: pre-, success-, fail- or complete-, and a command"
            raise ManifestRefusedError(f"{place}.{name}", reason)
        converted(steps, list[Step], f"{place}.{name}")


def over(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Lay one object over another, as Serverless Devs lays props over a template: lists are replaced as a whole."""
    merged = {**base, **top}
    for key in base.keys() & top.keys():
        if isinstance(base[key], dict) and isinstance(top[key], dict):
            merged[key] = over(base[key], top[key])
    return merged


def converted(value: object, kind: type[_T], place: str) -> _T:
    """Convert to the model, or refuse with the place and, for an unknown key, with what may have been meant."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        said = str(problem)
    match = _AT.match(said)
    what, path = (match["what"], match["path"] or "") if match else (said, "")
    unknown = _UNKNOWN_KEY.fullmatch(what)
    where = f"{place}{path}".removeprefix(".")
    if unknown:
        where, what = f"{where}.{unknown[1]}".removeprefix("."), f"there is no such key{_hint(unknown[1])}"
    raise ManifestRefusedError(where, what)


def _hint(key: str) -> str:
    """Say what may have been meant by an unknown key."""
    kinds: list[type[msgspec.Struct]] = [*Strict.__subclasses__(), Resource, Document]
    known = {name for kind in kinds for name in kind.__struct_encode_fields__}
    if key in known:
        return " here; it belongs elsewhere"
    close = difflib.get_close_matches(key, known, n=1)
    return f"; is {close[0]} meant?" if close else ""
