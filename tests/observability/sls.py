"""As much of Log Service's query language as queries.py uses: searches are parsed here, SQL is left to SQLite.

Source: Log Service "Search syntax" (and, or, not, parentheses; `field: value`, words in any case; `field > number`),
"JSON logs" (a field of a JSON value is `value.field`; in SQL in double quotes; true and false are text), and the SQL
functions' pages (those of Presto).
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tests.observability.indexes import DELIMITERS, TEXT, leaves

Line = Mapping[str, Any]  # an audit line
Matches = Callable[[Line], bool]

_TOKENS = re.compile(r'\s*(\(|\)|[<>]=?|:|"[^"]*"|[^\s()<>:"]+)')
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
DAY = 86_400


def run(query: str, lines: Iterable[tuple[int, Line]]) -> list[dict[str, Any]]:
    """Return the rows of a query over lines, each with its time in seconds; of a search alone, the lines."""
    search, _, sql = query.partition("|")
    matches = parsed(search)
    found = [(time, line) for time, line in lines if matches(line)]
    return _rows(sql.strip(), found) if sql.strip() else [dict(line) for _, line in found]


def fields(query: str) -> set[str]:
    """Return the fields of audit lines that a query names."""
    return set(re.findall(rf"\b{TEXT}\.([A-Za-z.-]+)", query))


def numeric(query: str) -> set[str]:
    """Return the fields that a query treats as numbers."""
    search, _, sql = query.partition("|")
    compared = re.findall(rf"\b{TEXT}\.([A-Za-z.-]+) *[<>]", search)
    return {*compared, *re.findall(rf'(?:approx_percentile|max|min|sum|avg)\("{TEXT}\.([A-Za-z.-]+)"', sql)}


# ------------------------------------------------------------------------------------------------------------- searches


def parsed(search: str) -> Matches:
    """Return what a search matches. Raises a ValueError for anything that is not of this subset."""
    tokens = _tokens(search)
    matches = _either(tokens)
    if tokens:
        message = f"{tokens} is left over of {search!r}"
        raise ValueError(message)
    return matches


def _tokens(search: str) -> list[str]:
    tokens, at = [], 0
    while at < len(search.rstrip()):
        found = _TOKENS.match(search, at)
        if found is None:
            message = f"{search[at:]!r} is no search"
            raise ValueError(message)
        tokens.append(found[1])
        at = found.end()
    return tokens


def _either(tokens: list[str]) -> Matches:
    options = [_both(tokens)]
    while tokens[:1] == ["or"]:
        tokens.pop(0)
        options.append(_both(tokens))
    return lambda line: any(matches(line) for matches in options)


def _both(tokens: list[str]) -> Matches:
    needs = [_one(tokens)]
    while tokens[:1] == ["and"]:
        tokens.pop(0)
        needs.append(_one(tokens))
    return lambda line: all(matches(line) for matches in needs)


def _one(tokens: list[str]) -> Matches:
    first = tokens.pop(0)
    if first == "not":
        unwanted = _one(tokens)
        return lambda line: not unwanted(line)
    if first == "*":
        return lambda _line: True
    if first == "(":
        inner = _either(tokens)
        if tokens.pop(0) != ")":
            message = "a parenthesis is not closed"
            raise ValueError(message)
        return inner
    return _condition(first.removeprefix(f"{TEXT}."), tokens.pop(0), tokens.pop(0).strip('"'))


def _condition(field: str, operator: str, value: str) -> Matches:
    if operator == ":":
        wanted = _words(value)
        return lambda line: wanted <= _words(_text(_value(line, field)))
    compare, number = _COMPARE[operator], float(value)
    return lambda line: isinstance(found := _value(line, field), int | float) and compare(found, number)


def _words(text: str) -> set[str]:
    return set(re.split(f"[{re.escape(DELIMITERS)} ]+", text.lower())) - {""}


def _value(line: Line, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    value: Any = line
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


# ------------------------------------------------------------------------------------------------------------------ SQL


def _rows(sql: str, lines: Iterable[tuple[int, Line]]) -> list[dict[str, Any]]:
    database = sqlite3.connect(":memory:")
    try:
        _add_functions(database)
        columns = list(leaves())
        names = ", ".join(f'"{TEXT}.{name}"' for name in columns)
        database.execute(f"create table log (__time__, {names})")
        marks = ", ".join("?" * (len(columns) + 1))
        database.executemany(
            f"insert into log values ({marks})",  # noqa: S608 - question marks
            ([time, *(_cell(_value(line, name)) for name in columns)] for time, line in lines),
        )
        found = database.execute(sql)
        titles = [column[0] for column in found.description]
        return [dict(zip(titles, row, strict=True)) for row in found]
    finally:
        database.close()


def _cell(value: object) -> object:
    """Return a value as the index has it: numbers as they are, everything else as text."""
    return value if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else _text(value)


class _MaxBy:
    """max_by(x, y): the x of the row with the largest y."""

    def __init__(self) -> None:
        self._best: tuple[float, Any] | None = None

    def step(self, value: Any, by: float) -> None:  # noqa: ANN401 - SQLite's
        if self._best is None or by >= self._best[0]:
            self._best = (by, value)

    def finalize(self) -> Any:  # noqa: ANN401 - SQLite's
        return None if self._best is None else self._best[1]


class _CountIf:
    """count_if(condition)."""

    def __init__(self) -> None:
        self._count = 0

    def step(self, holds: int | None) -> None:
        self._count += bool(holds)

    def finalize(self) -> int:
        return self._count


class _Percentile:
    """approx_percentile(x, share)."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._share = 0.0

    def step(self, value: float | None, share: float) -> None:
        self._share = share
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        ordered = sorted(self._values)
        return ordered[min(int(len(ordered) * self._share), len(ordered) - 1)] if ordered else None


def _add_functions(database: sqlite3.Connection) -> None:
    aggregates: Iterator[tuple[str, int, Any]] = iter(
        (("max_by", 2, _MaxBy), ("count_if", 1, _CountIf), ("approx_percentile", 2, _Percentile))
    )
    for name, arguments, aggregate in aggregates:
        database.create_aggregate(name, arguments, aggregate)
    database.create_function("date_trunc", 2, lambda unit, time: time - time % {"day": DAY}[unit])
