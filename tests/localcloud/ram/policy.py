"""RAM policy documents: parsed once, refused loudly when they say something this cloud cannot judge.

Source: RAM "Policy structure and syntax" page: Version "1"; Effect Allow or Deny; Action and Resource as a string or a
list, with the wildcards * and ?; a Deny beats any Allow; what no statement allows is denied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn

Verdict = Literal["allow", "implicit-deny", "explicit-deny"]

_ELEMENTS = frozenset({"Effect", "Action", "Resource", "Condition", "Sid"})


class PolicyRefusedError(ValueError):
    """A policy document this cloud does not understand; guessing would make a test prove the wrong thing."""


@dataclass(frozen=True)
class Statement:
    """One statement: to whom it applies is known already, the policy being attached to a role."""

    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, action: str, resource: str) -> bool:
        """Tell whether the statement speaks about this action on this resource."""
        return self._covers_action(action) and self._covers_resource(resource)

    def _covers_action(self, action: str) -> bool:
        return any(_matches(pattern.lower(), action.lower()) for pattern in self.actions)

    def _covers_resource(self, resource: str) -> bool:
        return any(_matches(_scheme_folded(pattern), _scheme_folded(resource)) for pattern in self.resources)


@dataclass(frozen=True)
class Policy:
    """A parsed policy document."""

    statements: tuple[Statement, ...]

    @staticmethod
    def parse(document: Mapping[str, Any]) -> Policy:
        """Read a policy document, or say what about it cannot be judged."""
        if document.get("Version") != "1":
            _refuse(f'Version is {document.get("Version")!r}; RAM knows "1"')
        _only_known("the document", document, {"Version", "Statement"})
        listed = document.get("Statement")
        if not isinstance(listed, list) or not listed:
            _refuse("Statement is not a list with at least one statement")
        return Policy(tuple(_statement(number, item) for number, item in enumerate(listed, start=1)))


def judge(policies: Iterable[Policy], action: str, resource: str) -> Verdict:
    """Apply RAM's order of precedence: an explicit Deny, then an Allow, else no."""
    statements = (statement for policy in policies for statement in policy.statements)
    effects = {statement.effect for statement in statements if statement.covers(action, resource)}
    if "Deny" in effects:
        return "explicit-deny"
    return "allow" if "Allow" in effects else "implicit-deny"


def _statement(number: int, item: object) -> Statement:
    where = f"statement {number}"
    if not isinstance(item, dict):
        _refuse(f"{where} is not an object")
    _only_known(where, item, _ELEMENTS)
    if item.get("Condition"):
        _refuse(f"{where} has a Condition ({', '.join(item['Condition'])}); no condition is judged here")
    effect = item.get("Effect")
    if effect not in ("Allow", "Deny"):
        _refuse(f"{where}: Effect is {effect!r}; it is Allow or Deny")
    return Statement(effect, _patterns(where, item, "Action"), _patterns(where, item, "Resource"))


def _patterns(where: str, item: Mapping[str, Any], element: str) -> tuple[str, ...]:
    value = item.get(element)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(each, str) and each for each in listed):
        _refuse(f"{where}: {element} is neither a string nor a list of strings")
    return tuple(listed)


def _only_known(where: str, item: Mapping[str, Any], known: Iterable[str]) -> None:
    unknown = sorted(set(item) - set(known))
    if unknown:
        _refuse(f"{where} has {', '.join(unknown)}, which is not judged here")


def _refuse(reason: str) -> NoReturn:
    msg = f"policy refused: {reason}"
    raise PolicyRefusedError(msg)


def _scheme_folded(arn: str) -> str:
    scheme, colon, rest = arn.partition(":")
    return scheme.lower() + colon + rest


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Translate RAM's wildcards; unlike in a shell, brackets mean themselves and * crosses colons and slashes."""
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern), re.DOTALL)
