"""Combinations of settings: few of them, and any two values of two settings meet in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

Row = dict[str, Any]
_Pair = frozenset[tuple[str, Any]]


def rows(settings: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Return combinations in which every value of a setting meets every value of every other; the same at each call.

    Greedy: each row begins with a pair that has not met yet, and takes the values that meet most of what is left.
    """
    left = dict.fromkeys(_pairs(settings))  # a dictionary, for its order
    made: list[Row] = []
    while left:
        row = dict(next(iter(left)))
        for name in settings:
            if name not in row:
                row[name] = max(settings[name], key=lambda value: len(_met(row, name, value) & left.keys()))
        made.append({name: row[name] for name in settings})
        for pair in combinations(row.items(), 2):
            left.pop(frozenset(pair), None)
    return made


def _pairs(settings: Mapping[str, Sequence[Any]]) -> Iterator[_Pair]:
    for one, other in combinations(settings, 2):
        for values in product(settings[one], settings[other]):
            yield frozenset(zip((one, other), values, strict=True))


def _met(row: Row, name: str, value: object) -> set[_Pair]:
    """Return the pairs that a value would make with those that a row has already."""
    return {frozenset((each, (name, value))) for each in row.items()}
