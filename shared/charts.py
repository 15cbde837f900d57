"""Geometry and numbers of the status page's two charts: what is coming, and how old passwords are.

Pure: instants and spans go in, and rectangles, lines and labels in the units of an SVG's view box come out. The
template draws them and this module knows nothing of markup. Every chart is made twice, wide and narrow: text in an SVG
shrinks with it, and a phone should not get a tenth of a bar for each day.

    timeline     what is due above the line, and what would expire without a rotation below it; a bar for a few days
    histogram    days since the last rotation; the last bar, set apart, is whoever is past the policy's limit
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

_DAY = timedelta(days=1)
_PER_BAR = (1, 2, 3, 7, 14, 28, 56)  # days that a bar may stand for
_WIDEST = 26.0  # of a bar: few bars are no slabs
_THINNEST = 1.0  # of a bar, wherever that leaves its neighbours their place
_LOWEST = 2.0  # a single user beside a thousand is still to be seen
_GAP = 0.24  # of a bar's place, between it and the next
_LINE = 14.0  # the height of a line of text
_LETTER = 8.0  # the width of a letter, and more than of most
_MARGIN = 14.0  # above bars, for the number on top of the highest


class Frame(msgspec.Struct, frozen=True):
    """The size of a chart, and what is left around the bars for labels, in view box units (1 is a CSS pixel)."""

    name: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    most_bars: int
    label: float  # the width that a label on the horizontal axis needs

    @property
    def inner(self) -> float:
        """Return the width that bars have."""
        return self.width - self.left - self.right

    @property
    def floor(self) -> float:
        """Return where the bars' area ends."""
        return self.height - self.bottom

    @property
    def end(self) -> float:
        """Return where the bars' area ends to the right."""
        return self.width - self.right


WIDE = Frame("wide", 1120, 250, left=44, right=12, top=18, bottom=28, most_bars=122, label=84)
HALF = Frame("wide", 1120, 210, left=44, right=12, top=30, bottom=28, most_bars=61, label=84)
TABLE = Frame("table", 340, 230, left=0, right=0, top=0, bottom=0, most_bars=14, label=60)  # bins for a table
NARROW = Frame("narrow", 340, 230, left=34, right=8, top=30, bottom=28, most_bars=31, label=62)


class Bin(msgspec.Struct, frozen=True):
    """The days that one bar stands for, from `start` on, and how many users there are: of one kind, or of two."""

    start: int
    days: int
    counts: tuple[int, ...]

    @property
    def last(self) -> int:
        """Return the last day that belongs to it."""
        return self.start + self.days - 1


class Bar(msgspec.Struct, frozen=True):
    """A rectangle, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    count: int
    kind: str  # the class in the style sheet
    label: str  # what it says when pointed at
    top: bool = False  # the highest of its kind: its number is written at it

    def centre(self, frame: Frame) -> float:
        """Return where its number is centred: at its middle, unless the number would leave the bars' area."""
        half = len(f"{self.count:,}") * _LETTER / 2
        return round(min(max(self.x + self.width / 2, frame.left + half), frame.end - half), 2)


class Tick(msgspec.Struct, frozen=True):
    """A label at a place of an axis."""

    at: float
    label: str
    anchor: str = "middle"


class Zone(msgspec.Struct, frozen=True):
    """A part of the width that means something."""

    x: float
    width: float
    kind: str  # the class in the style sheet


class Chart(msgspec.Struct, frozen=True):
    """Everything that is drawn, and the bins that it was drawn from."""

    frame: Frame
    bars: tuple[Bar, ...]
    bins: tuple[Bin, ...]
    across: tuple[Tick, ...]  # labels of the horizontal axis
    up: tuple[Tick, ...]  # labels of the vertical axis, each with a line across
    base: float  # where bars begin
    zones: tuple[Zone, ...] = ()


# ------------------------------------------------------------------------------------------------------------ numbers


def per_bar(days: int, most: int) -> int:
    """Return how many days a bar stands for, so that there are at most `most` bars."""
    return next((each for each in _PER_BAR if math.ceil(days / each) <= most), math.ceil(days / most))


def binned(days: int, each: int, *kinds: Mapping[int, int]) -> tuple[Bin, ...]:
    """Count what there is of each day, from 0 up to `days`, in bins; what lies outside counts with the nearest."""
    counts = [[0] * max(1, math.ceil(days / each)) for _ in kinds]
    for count, kind in zip(counts, kinds, strict=True):
        for offset, many in kind.items():
            count[min(max(offset, 0) // each, len(count) - 1)] += many
    return tuple(
        Bin(index * each, min(each, max(days - index * each, 1)), found)
        for index, found in enumerate(zip(*counts, strict=True))
    )


def ceiling(highest: int) -> int:
    """Return the round number that an axis ends with: 1, 2 or 5 with zeros, and 4, which can be halved twice."""
    scale = 1
    while True:
        for step in (1, 2, 4, 5):
            if step * scale >= highest:
                return step * scale
        scale *= 10


def steps(top: int) -> tuple[int, ...]:
    """Return the numbers on an axis besides 0: the end and, if that is a whole number, half of it."""
    if not top:
        return ()
    return (top // 2, top) if top % 2 == 0 else (top,)


def short(number: int) -> str:
    """Return a number as an axis has room for: 1,200 is 1.2k."""
    if number < 1000:  # noqa: PLR2004 - where k begins
        return str(number)
    return f"{number / 1000:.1f}".removesuffix(".0") + "k"


# ----------------------------------------------------------------------------------------------------------- timeline


class Coming(msgspec.Struct, frozen=True):
    """How many users become due, and how many would expire, on which day from today on."""

    today: date
    days: int
    due: Mapping[int, int]
    expires: Mapping[int, int]

    @classmethod
    def of(cls, due: Iterable[datetime], expires: Iterable[datetime], now: datetime, length: timedelta) -> Coming:
        """Count instants (UTC) by their days of the calendar, from today to the end of `length`."""
        today = now.date()
        days = max(math.ceil(length / _DAY), 1) + 1  # today, and the last day is a part of one
        first = today.toordinal()
        by_day = (Counter(one.toordinal() - first for one in each) for each in (due, expires))
        return cls(today, days, *by_day)

    def bins(self, frame: Frame) -> tuple[Bin, ...]:
        """Return the bins that there is room for. What was due before today is due today: the next scan finds it."""
        return binned(self.days, per_bar(self.days, frame.most_bars), self.due, self.expires)


def timeline(coming: Coming, frame: Frame = WIDE) -> Chart:
    """Return what becomes due, above the line, and what would expire without a rotation, below it."""
    today, bins = coming.today, coming.bins(frame)
    most_due = max(one.counts[0] for one in bins)
    most_expire = max(one.counts[1] for one in bins)
    top_up, top_down = (ceiling(most) if most else 0 for most in (most_due, most_expire))
    # Both halves have one scale, or they could not be compared.
    unit = (frame.floor - frame.top - 2 * _MARGIN) / max(top_up + top_down, 1)
    base = frame.top + _MARGIN + top_up * unit
    bars: list[Bar] = []
    for index, one in enumerate(bins):
        x, width = _place(index, len(bins), frame.left, frame.inner)
        when = span(today, one)
        for kind, count, most in (("due", one.counts[0], most_due), ("expires", one.counts[1], most_expire)):
            if count:
                height = max(count * unit, _LOWEST)
                y = base - height if kind == "due" else base
                text = f"{when}: {count:,} {'due' if kind == 'due' else 'would expire'}"
                bars.append(_bar((x, y, width, height), count, kind, text, top=count == most))
    up = [Tick(base - one * unit, short(one)) for one in reversed(steps(top_up))]
    down = [Tick(base + one * unit, short(one)) for one in reversed(steps(top_down))]
    return Chart(
        frame=frame,
        bars=_one_number(bars),
        bins=bins,
        across=_dates(today, coming.days, len(bins) * bins[0].days, frame),
        up=_apart([Tick(base, "0"), *up[:1], *down[:1], *up[1:], *down[1:]]),
        base=round(base, 2),
    )


def _apart(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Return those for which there is room beside those before them."""
    found: list[Tick] = []
    for tick in ticks:
        if all(abs(tick.at - one.at) >= _LINE for one in found):
            found.append(_rounded(tick))
    return tuple(found)


def _dates(today: date, days: int, spread: int, frame: Frame) -> tuple[Tick, ...]:
    """Return labels for days of the calendar, as many as there is room for."""
    fits = max(int(frame.inner // frame.label), 1)
    step = next((each for each in (1, 2, 7, 14, 28, 56) if math.ceil(days / each) <= fits), days)
    found = []
    for day in range(0, days, step):
        at = frame.left + frame.inner * day / spread
        if at + frame.label / 2 > frame.end and day:
            break
        label = "Today" if day == 0 else _date(today + day * _DAY)
        found.append(Tick(round(at, 2), label, "start" if day == 0 else "middle"))
    return tuple(found)


def span(today: date, one: Bin) -> str:
    """Return the days of the calendar that a bin stands for."""
    first = "Today" if one.start == 0 else _date(today + one.start * _DAY)
    return first if one.days == 1 else f"{first} to {_date(today + one.last * _DAY)}"


def _date(day: date) -> str:
    return f"{day.day} {day:%b}"


# ---------------------------------------------------------------------------------------------------------- histogram


class Ages(msgspec.Struct, frozen=True):
    """How many passwords are how many days old, and what that means."""

    young: Mapping[int, int]  # by days
    over: int  # those of at least the limit
    days: int  # the limit; without one, more than the oldest
    limited: bool
    due: tuple[float, float] | None  # from which day on users begin to be due, and from which on all are

    @classmethod
    def of(
        cls, ages: Sequence[timedelta], limit: timedelta | None, due: tuple[timedelta, timedelta] | None = None
    ) -> Ages:
        """Count ages by whole days. `limit` is how long passwords live; `due` is when they begin to be due."""
        young = Counter(age.days for age in ages if limit is None or age < limit)
        days = max(young, default=0) + 1 if limit is None else max(math.ceil(limit / _DAY), 1)
        begins = None if due is None else (due[0] / _DAY, due[1] / _DAY)
        return cls(young, len(ages) - young.total(), days, limit is not None, begins)

    def bins(self, frame: Frame) -> tuple[Bin, ...]:
        """Return the bins that there is room for; the last one of those past the limit, if there is one."""
        young = binned(self.days, per_bar(self.days, frame.most_bars), self.young)
        return (*young, Bin(self.days, 0, (self.over,))) if self.limited else young


def histogram(ages: Ages, frame: Frame = HALF) -> Chart:
    """Return how many passwords are how old; those past the limit are one bar at the right, set apart."""
    days, over, due = ages.days, ages.over, ages.due
    bins = [one for one in ages.bins(frame) if one.days]
    each = bins[0].days
    highest = max(over, *(one.counts[0] for one in bins))
    top = ceiling(highest)
    unit = (frame.floor - frame.top - _MARGIN) / top
    apart = min(frame.inner * 0.11, 64.0) if ages.limited else 0.0
    inner = frame.inner - apart
    begins = days if due is None else due[0]
    bars = []
    for index, one in enumerate(bins):
        (count,) = one.counts
        if count:
            x, width = _place(index, len(bins), frame.left, inner)
            height = max(count * unit, _LOWEST)
            kind = "fresh" if one.start + one.days <= begins or due is None else "due"
            bars.append(
                _bar(
                    (x, frame.floor - height, width, height),
                    count,
                    kind,
                    f"{age(one)}: {count:,}",
                    top=count == highest,
                )
            )
    if over:
        width = min(apart * 0.5, _WIDEST)
        height = max(over * unit, _LOWEST)
        x = frame.end - apart / 2 - width / 2
        text = f"{age(Bin(days, 0, ()))}: {over:,}"
        bars.append(_bar((x, frame.floor - height, width, height), over, "expired", text, top=True))
    scale = inner / (len(bins) * each)
    return Chart(
        frame=frame,
        bars=tuple(bars),
        bins=ages.bins(frame),
        across=_ages(days, scale, apart, frame),
        up=_apart([Tick(frame.floor - one * unit, short(one)) for one in (0, *reversed(steps(top)))]),
        base=frame.floor,
        zones=_zones(ages, scale, frame),
    )


def _zones(ages: Ages, scale: float, frame: Frame) -> tuple[Zone, ...]:
    found = []
    if ages.due is not None:
        first, last = (frame.left + min(max(each, 0), ages.days) * scale for each in ages.due)
        found.append(Zone(round(first, 2), round(max(last - first, 0), 2), "due"))
    if ages.limited:
        found.append(Zone(round(frame.left + ages.days * scale, 2), 0, "limit"))
    return tuple(found)


def _ages(days: int, scale: float, apart: float, frame: Frame) -> tuple[Tick, ...]:
    fits = max(int((frame.inner - apart) // frame.label), 1)
    step = next((each for each in (1, 2, 5, 10, 15, 30, 60, 120, 365) if days / each <= fits), days)
    ends = frame.end - apart
    marks = [(frame.left + day * scale, day) for day in range(0, days, step)]
    found = [
        Tick(round(at, 2), f"{day} day{'' if day == 1 else 's'}")
        for at, day in marks
        if day == 0 or at + frame.label / 2 <= ends
    ]
    if apart:
        found.append(Tick(round(frame.end - apart / 2, 2), f"{days}+"))
    return tuple(found)


def age(one: Bin) -> str:
    """Return the ages, in days, that a bin stands for."""
    if one.days == 0:
        return f"{one.start} day{'' if one.start == 1 else 's'} and more"
    text = f"{one.start}" if one.days == 1 else f"{one.start} to {one.last}"
    return f"{text} day{'' if text == '1' else 's'}"


# ------------------------------------------------------------------------------------------------------------ drawing


def _place(index: int, of: int, left: float, inner: float) -> tuple[float, float]:
    """Return where a bar begins, and how wide it is."""
    slot = inner / of
    width = min(max(slot * (1 - _GAP), min(_THINNEST, slot)), _WIDEST)
    return left + index * slot + (slot - width) / 2, width


def _bar(box: tuple[float, float, float, float], count: int, kind: str, label: str, *, top: bool) -> Bar:
    x, y, width, height = (round(each, 2) for each in box)
    return Bar(x, y, width, height, count, kind, label, top)


def _one_number(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """Have the number written at one bar of a kind only: the first of the highest."""
    seen: set[str] = set()
    found = []
    for bar in bars:
        again = bar.top and bar.kind in seen
        if bar.top:
            seen.add(bar.kind)
        found.append(msgspec.structs.replace(bar, top=False) if again else bar)
    return tuple(found)


def _rounded(tick: Tick) -> Tick:
    return Tick(round(tick.at, 2), tick.label, tick.anchor)
