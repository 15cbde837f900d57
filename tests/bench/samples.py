"""Arithmetic on repetitions: medians, and ratios of what was measured in the same round.

A round measures everybody once, one after the other. Whatever slows the machine down for a while slows all of a round
down, so only figures of the same round are divided by each other; the median of these ratios counts, and how far they
lie apart tells what it is worth.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The median of some repetitions, the least and the most of them."""

    median: float
    least: float
    most: float
    repetitions: int


def spread(values: Sequence[float]) -> Spread:
    """Sum up repetitions."""
    if not values:
        msg = "nothing was measured"
        raise ValueError(msg)
    return Spread(_rounded(statistics.median(values)), _rounded(min(values)), _rounded(max(values)), len(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Sum up the ratios of what was measured in the same rounds."""
    if len(ours) != len(theirs):
        msg = f"{len(ours)} repetitions against {len(theirs)}: these are not the same rounds"
        raise ValueError(msg)
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])


def net(values: Sequence[float], of: Sequence[float]) -> list[float]:
    """Return what is left of each value without what something else took in the same round."""
    return [value - other for value, other in zip(values, of, strict=True)]


def _rounded(value: float) -> float:
    """Return four significant digits: more are noise."""
    return float(f"{value:.4g}")
