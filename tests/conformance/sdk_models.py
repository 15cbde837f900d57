"""What the official SDKs' own models say of requests and answers: names on the wire, and their types."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, Union, get_args, get_origin, get_type_hints

from alibabacloud_cloudsso20210515 import models as sso_models
from alibabacloud_fc20230330 import models as fc_models
from alibabacloud_kms20160120 import models as kms_models
from darabonba.model import DaraModel

MODELS: dict[str, ModuleType] = {"2021-05-15": sso_models, "2016-01-20": kms_models, "2023-03-30": fc_models}
STREAM = "a stream"  # InvokeFunction's body: what the function said, no model


def strange_fields(version: str, action: str, answer: Any) -> set[str]:  # noqa: ANN401 - whatever came
    """Return the places in an answer's body that the action's response model does not know, or not with that type."""
    hint = body_of(version, action)
    if hint is STREAM:
        return set()
    return {f"{action}: {place}" for place in _strange(answer["body"], hint, "")}


def body_of(version: str, action: str) -> Any:  # noqa: ANN401 - a type
    """Return the type of an answer's body."""
    body = _hints(getattr(MODELS[version], f"{action}Response"))["body"]
    return body if _is_model(body) else STREAM


def request_names(version: str, action: str) -> set[str] | None:
    """Return the names of an action's parameters on the wire; None if the SDK has no such action.

    Numbered parameters are written with an N: `Tags.N.Key`.
    """
    if not hasattr(MODELS[version], f"{action}Response"):
        return None
    model = getattr(MODELS[version], f"{action}Request", None)
    return set(_flat(model, "")) if model else set()  # an action without parameters has no request model


@cache
def wire_fields(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model's class
    """Return a model's fields: the name on the wire, and the type, of each.

    Only the model itself knows the name: each field is filled in alone, and what it writes is looked at.
    """
    found = {}
    for attribute, hint in _hints(model).items():
        written = model(**{attribute: _sample(hint)}).to_map()
        (name,) = [name for name, value in written.items() if value != []]
        found[name] = hint
    return found


def _hints(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model's class
    """Return the types of what a model is made of. Where None is the default, Python 3.10 adds it to the type."""
    return {name: _without_none(hint) for name, hint in get_type_hints(model.__init__).items()}


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - a type
    if get_origin(hint) is not Union:
        return hint
    (only,) = (each for each in get_args(hint) if each is not type(None))
    return only


def _flat(model: Any, before: str) -> list[str]:  # noqa: ANN401 - a model's class
    names = []
    for name, hint in wire_fields(model).items():
        (inner,) = get_args(hint) if get_origin(hint) is list else (None,)
        if inner is None:
            names.append(before + name)
        elif _is_model(inner):
            names += _flat(inner, f"{before}{name}.N.")
        else:
            names.append(f"{before}{name}.N")
    return names


def _strange(value: object, hint: Any, place: str) -> list[str]:  # noqa: ANN401 - a type
    if _is_model(hint):
        if not isinstance(value, dict):
            return [f"{place} is no object"]
        known = wire_fields(hint)
        unknown = [f"{place}.{name}" for name in value if name not in known]
        return unknown + [
            each
            for name, inner in value.items()
            if name in known
            for each in _strange(inner, known[name], f"{place}.{name}")
        ]
    if get_origin(hint) is list:
        if not isinstance(value, list):
            return [f"{place} is no list"]
        (inner_hint,) = get_args(hint)
        return [each for inner in value for each in _strange(inner, inner_hint, f"{place}[]")]
    wanted = get_origin(hint) or hint
    return [] if wanted is Any or type(value) is wanted else [f"{place} is no {wanted.__name__}"]


def _sample(hint: Any) -> Any:  # noqa: ANN401 - a value of that type
    if get_origin(hint) is list:
        return [_sample(get_args(hint)[0])]
    return hint() if _is_model(hint) else "sample"


def _is_model(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, DaraModel)
