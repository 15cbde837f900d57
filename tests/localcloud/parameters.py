"""Reading an action's parameters the way Alibaba Cloud's RPC gateways do: flat strings in, typed values or a 400 out.

The common error table of both products names MissingParameter and InvalidParameter with status 400. No message
quotes a value: a value may be a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NoReturn

from tests.localcloud.api import ApiError, Call

_BOOLEANS = {"true": True, "false": False}  # the Python SDK sends "True", others "true": any case is taken

_WHOLE = re.compile(r"[0-9]{1,10}")


def refuse_missing(name: str) -> NoReturn:
    """Refuse a call that lacks a parameter."""
    raise ApiError(400, "MissingParameter", f"The parameter {name} is needed but was not given.")


def refuse_invalid(name: str, why: str) -> NoReturn:
    """Refuse a parameter for its value."""
    raise ApiError(400, "InvalidParameter", f"The parameter {name} {why}.")


def refusal(reading: str, message: str) -> ApiError:
    """Return the refusal that a switch spells as "status code", such as "409 Rejected.ResourceExist"."""
    status, _, code = reading.partition(" ")
    return ApiError(int(status), code, message)


def optional(call: Call, name: str) -> str | None:
    """Return a parameter, or None if it is absent; an empty one counts as absent."""
    return call.params.get(name) or None


def required(call: Call, name: str) -> str:
    """Return a parameter that must be there."""
    value = optional(call, name)
    if value is None:
        refuse_missing(name)
    return value


def flag(call: Call, name: str) -> bool:
    """Return a boolean, written in any case; absent means false."""
    value = (optional(call, name) or "false").lower()
    if value not in _BOOLEANS:
        refuse_invalid(name, "is neither true nor false")
    return _BOOLEANS[value]


def whole(call: Call, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number between `low` and `high`."""
    text = optional(call, name)
    if text is None:
        return default
    if not (_WHOLE.fullmatch(text) and low <= int(text) <= high):
        refuse_invalid(name, f"is not a whole number from {low} to {high}")
    return int(text)


def bounded(call: Call, name: str, longest: int) -> str:
    """Return a text of at most `longest` characters; absent means empty."""
    value = optional(call, name) or ""
    if len(value) > longest:
        refuse_invalid(name, f"is longer than {longest} characters")
    return value


def choice(call: Call, name: str, values: Collection[str]) -> str | None:
    """Return one of the documented values, or None if the parameter is absent."""
    value = optional(call, name)
    if value is not None and value not in values:
        refuse_invalid(name, f"is none of {', '.join(values)}")
    return value


def repeated(call: Call, prefix: str) -> list[str]:
    """Return the values of a repeated parameter: `ResourceId.1`, `ResourceId.2` and so on."""
    return list(_counted(call, prefix, ""))


def pairs(call: Call, prefix: str) -> dict[str, str]:
    """Return the tags of `Tag.1.Key`, `Tag.1.Value` and so on; a missing value is an empty one."""
    keys = list(_counted(call, prefix, ".Key"))
    return {key: call.params.get(f"{prefix}.{n}.Value", "") for n, key in enumerate(keys, 1)}


def json_array(call: Call, name: str) -> list[Any] | None:
    """Return a parameter that carries a JSON array, or None if it is absent."""
    text = optional(call, name)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        refuse_invalid(name, "is not a JSON array")
    return value


def json_texts(call: Call, name: str) -> list[str] | None:
    """Return a parameter that carries a JSON array of printable, non-empty strings, or None if it is absent."""
    values = json_array(call, name)
    if values is not None and not all(isinstance(value, str) and value and value.isprintable() for value in values):
        refuse_invalid(name, "is not a JSON array of strings")
    return values


def shown(moment: datetime) -> str:
    """Write a time as both products do: `YYYY-MM-DDThh:mm:ssZ`, the fraction of the second cut off."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _counted(call: Call, prefix: str, suffix: str) -> Iterator[str]:
    position = 1
    while value := optional(call, f"{prefix}.{position}{suffix}"):
        yield value
        position += 1
