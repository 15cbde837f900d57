"""Event patterns: which events a rule or a stream is about. What is not understood is refused when it is written.

Source: EventBridge "Event patterns" page: every field of the pattern must be in the event, in the same nesting; keys
are ANDed, the values of a list ORed; text is compared character by character; a list in the event matches where one of
its items does; null and "" are values. The operators are prefix, suffix, contains, anything-but (a value, a list, a
prefix), numeric, cidr and exists.
"""

from __future__ import annotations

import ipaddress
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeGuard

_MISSING: Final = object()
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Test = Callable[[object], bool]


class PatternRefusedError(ValueError):
    """An event pattern that is not understood; the message says where."""


@dataclass(frozen=True)
class Pattern:
    """A pattern that was understood."""

    _test: Test

    @staticmethod
    def parse(text: str) -> Pattern:
        """Read a pattern; `{}` is about every event."""
        try:
            document = json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError as problem:
            reason = f"it is not JSON: {problem.msg}, at character {problem.pos + 1}"
        else:
            if isinstance(document, dict):
                return Pattern(_fields(document, ""))
            reason = "it is no object"
        return _refuse("", reason)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is what the pattern is about."""
        return self._test(event)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            _refuse("", f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _fields(pattern: Mapping[str, Any], place: str) -> Test:
    tests = {key: _field(value, f"{place}.{key}".removeprefix(".")) for key, value in pattern.items()}

    def every(value: object) -> bool:
        if not isinstance(value, Mapping):
            return False
        return all(test(value.get(key, _MISSING)) for key, test in tests.items())

    return every


def _field(value: object, place: str) -> Test:
    if isinstance(value, dict):
        if not value:
            _refuse(place, "an empty object says nothing")
        return _fields(value, place)
    if not isinstance(value, list) or not value:
        _refuse(place, "the value is a list of what may stand there, or an object")
    tests = [_choice(each, place) for each in value]
    return lambda found: any(test(found) for test in tests)


def _choice(choice: object, place: str) -> Test:
    if isinstance(choice, list):
        _refuse(place, "a list stands in a list")
    if not isinstance(choice, dict):
        return _any_item(lambda found: _same(found, choice))
    if len(choice) != 1:
        _refuse(place, f"one operator is expected, and found: {', '.join(choice) or 'none'}")
    ((name, operand),) = choice.items()
    if name not in _OPERATORS:
        _refuse(place, f"the operator {name!r} is not known; known are {', '.join(_OPERATORS)}")
    return _OPERATORS[name](operand, place)


def _any_item(test: Test) -> Test:
    """Apply a test to what stands in the event; of a list one item is enough ("Array matching")."""
    return lambda found: (
        found is not _MISSING and (any(test(each) for each in found) if isinstance(found, list) else test(found))
    )


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return found == wanted


def _text(check: Callable[[str, str], bool]) -> Callable[[object, str], Test]:
    def operation(operand: object, place: str) -> Test:
        if not isinstance(operand, str):
            _refuse(place, "the operator takes a text")
        return _any_item(lambda found: isinstance(found, str) and check(found, operand))

    return operation


def _anything_but(operand: object, place: str) -> Test:
    """Everything but these. The field must be there: every field of a pattern must."""
    if isinstance(operand, dict):
        if operand.keys() != {"prefix"}:
            _refuse(place, "anything-but takes a value, a list of values or a prefix")
        excluded = _OPERATORS["prefix"](operand["prefix"], place)
    else:
        values = operand if isinstance(operand, list) else [operand]
        if not values or not all(isinstance(each, (str, int, float)) for each in values):
            _refuse(place, "anything-but takes a value, a list of values or a prefix")
        excluded = _any_item(lambda found: any(_same(found, each) for each in values))
    return lambda found: found is not _MISSING and not excluded(found)


def _numeric(operand: object, place: str) -> Test:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        _refuse(place, "numeric takes one comparison or two")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    if not all(sign in _COMPARISONS and _is_number(limit) for sign, limit in pairs):
        _refuse(place, f"numeric compares with {' '.join(_COMPARISONS)} and a number")
    return _any_item(lambda found: _is_number(found) and all(_COMPARISONS[sign](found, limit) for sign, limit in pairs))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cidr(operand: object, place: str) -> Test:
    try:
        network = ipaddress.IPv4Network(str(operand))
    except ValueError:
        _refuse(place, "cidr takes a block of IPv4 addresses, such as 10.0.0.0/24")
    return _any_item(lambda found: isinstance(found, str) and _within(network, found))


def _within(network: ipaddress.IPv4Network, found: str) -> bool:
    try:
        return ipaddress.IPv4Address(found) in network
    except ValueError:
        return False


def _exists(operand: object, place: str) -> Test:
    if not isinstance(operand, bool):
        _refuse(place, "exists takes true or false")
    return lambda found: (found is not _MISSING) == operand


_OPERATORS: Mapping[str, Callable[[Any, str], Test]] = {
    "prefix": _text(str.startswith),
    "suffix": _text(str.endswith),
    "contains": _text(str.__contains__),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
}


def _refuse(place: str, reason: str) -> NoReturn:
    msg = f"event pattern refused{f' at {place}' if place else ''}: {reason}"
    raise PatternRefusedError(msg)
