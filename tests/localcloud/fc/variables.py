"""The `${...}` of an s.yaml, as Serverless Devs fills them in; what is not understood is refused, never left as it is.

Source: Serverless Devs' own parser (@serverless-devs/parse-spec 0.0.29 and art-template 4.13.15: read, not copied), and
`s preview` of 3.1.10, which was given the same files. An empty environment variable counts as unset; a value that is
one expression keeps the type of what it stands for; text that comes out with further expressions in it is filled in
once more, and not again; a key whose value is null is left out. There an expression is JavaScript; here it is what the
YAML specification names, and nothing computed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

_EXPRESSION = re.compile(r"\$\{(.*?)\}", re.DOTALL)
_ROUNDS = 2  # an expression, and one that its value contains


class ManifestRefusedError(ValueError):
    """An s.yaml that says something this cloud does not understand, or would not do; guessing would prove nothing."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class _UnknownError(Exception):
    """Raised within an expression only: its text is what is wrong."""


@dataclass(frozen=True)
class Variables:
    """What the expressions of one manifest may refer to."""

    folder: Path  # of the manifest: what file() and path() start from
    environ: Mapping[str, str] = field(repr=False)  # may hold secrets
    credential: Mapping[str, str] = field(default_factory=dict)  # of config()
    names: Mapping[str, Any] = field(default_factory=dict)  # vars, resources, this

    def knowing(self, **names: object) -> Variables:
        """Return these variables and further names."""
        return replace(self, names={**self.names, **names})

    def fill(self, value: Any, place: str) -> Any:  # noqa: ANN401 - whatever YAML holds
        """Return a value with every expression in it replaced."""
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, dict):
            filled = {key: self.fill(inner, f"{place}.{key}") for key, inner in value.items()}
            return {key: inner for key, inner in filled.items() if inner is not None}
        if isinstance(value, list):
            return [self._item(inner, f"{place}[{index}]") for index, inner in enumerate(value)]
        return value

    def _item(self, value: object, place: str) -> object:
        if value is None:
            raise ManifestRefusedError(place, "an item of a list is null")
        return self.fill(value, place)

    def _text(self, text: str, place: str) -> object:
        value: object = text
        for _ in range(_ROUNDS):
            if not (isinstance(value, str) and _EXPRESSION.search(value)):
                return value
            value = self._once(value, place)
        if isinstance(value, str) and _EXPRESSION.search(value):
            raise ManifestRefusedError(
                place, f"an expression is left after {_ROUNDS} rounds; the tool fills in no more"
            )
        return value

    def _once(self, text: str, place: str) -> object:
        whole = _EXPRESSION.fullmatch(text)
        if whole and "${" not in whole[1]:
            return self._value(whole[1], place)
        return _EXPRESSION.sub(lambda match: _inserted(self._value(match[1], place), place), text)

    def _value(self, expression: str, place: str) -> object:
        try:
            tree = ast.parse(expression.strip(), mode="eval")  # what is understood is written alike in both languages
            if expression != expression.strip() and not isinstance(tree.body, ast.Call):
                _unknown("the tool finds no name with a space beside it")
            return self._evaluate(tree.body)
        except SyntaxError:
            reason = f"${{{expression}}} is not understood"
        except _UnknownError as problem:
            reason = f"${{{expression}}}: {problem}"
        raise ManifestRefusedError(place, reason)

    def _evaluate(self, node: ast.expr) -> Any:  # noqa: ANN401 - whatever the expression stands for
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float)):
            return node.value
        if isinstance(node, ast.Name):
            return _member(self.names, node.id)
        if isinstance(node, ast.Attribute):
            return _member(self._evaluate(node.value), node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, [self._evaluate(argument) for argument in node.args])
        return _unknown(f"{ast.unparse(node)} is not understood here")

    def _call(self, name: str, arguments: list[Any]) -> object:
        functions: dict[str, Callable[..., object]] = {
            "env": self._env,
            "config": self._config,
            "file": self._file,
            "json": _json,
            "path": self._path,
        }
        if name not in functions:
            _unknown(f"{name}() is not understood here")
        least, most = (1, 2) if name == "env" else (1, 1)
        if not least <= len(arguments) <= most or not isinstance(arguments[0], str):
            _unknown(f"{name}() takes a text{', and a default' if most > 1 else ''}")
        return functions[name](*arguments)

    def _env(self, name: str, default: object = None) -> object:
        value = self.environ.get(name)
        if value:
            return value
        if default is None:
            _unknown(f"the environment variable {name} is not set, and has no default")
        return default

    def _config(self, name: str) -> str:
        if name not in self.credential:
            _unknown(f"the credential has no {name}")
        return self.credential[name]

    def _file(self, path: str) -> str:
        try:
            return (self.folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            _unknown(f"the file {path} cannot be read")

    def _path(self, path: str) -> str:
        if not path or not (self.folder / path).exists():
            _unknown(f"the path {path} does not exist")
        return str((self.folder / path).resolve())


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        _unknown("it is not JSON")


def _member(holder: object, name: str) -> object:
    if not isinstance(holder, Mapping) or name not in holder:
        _unknown(f"there is no {name}")
    if holder[name] is None:
        _unknown(f"{name} is null")
    return holder[name]


def _inserted(value: object, place: str) -> str:
    """Return a value as part of a text; a list or an object has no one way to be written there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ManifestRefusedError(place, "a list or an object stands in the middle of a text")


def _unknown(why: str) -> NoReturn:
    raise _UnknownError(why)
