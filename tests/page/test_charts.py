"""The charts' geometry: every user is counted once, and nothing lies outside its chart."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import charts
from shared.charts import Ages, Bin, Chart, Coming, Frame
from tests.page.samples import DAY, NOW

FRAMES = (charts.WIDE, charts.HALF, charts.NARROW, charts.TABLE)
DRAWN = (charts.WIDE, charts.HALF, charts.NARROW)

limits = st.integers(1, 120).map(lambda days: days * DAY)
moments = st.lists(st.integers(-200 * 24, 200 * 24).map(lambda hours: NOW + timedelta(hours=hours)), max_size=200)
spans = st.lists(st.integers(0, 200 * 24).map(lambda hours: timedelta(hours=hours)), max_size=200)
frames = st.sampled_from(DRAWN)


def assert_all_inside(chart: Chart) -> None:
    frame = chart.frame
    for bar in chart.bars:
        assert frame.left <= bar.x
        assert bar.x + bar.width <= frame.end + 0.02
        assert frame.top - charts._MARGIN <= bar.y
        assert bar.y + bar.height <= frame.floor + 0.02
        assert bar.width > 0
        assert bar.height > 0
        half = len(f"{bar.count:,}") * charts._LETTER / 2
        assert frame.left <= bar.centre(frame) - half + 0.02
        assert bar.centre(frame) + half <= frame.end + 0.02
    for tick in chart.across:
        assert 0 <= tick.at <= frame.width
    for tick in chart.up:
        assert frame.top <= tick.at <= frame.floor
    for zone in chart.zones:
        assert frame.left <= zone.x
        assert zone.x + zone.width <= frame.end + 0.02
    for each, other in pairwise(sorted(tick.at for tick in chart.up)):
        assert other - each >= charts._LINE - 0.02  # labels do not cover each other


def assert_bars_stand_apart(chart: Chart, *kinds: str) -> None:
    bars = sorted((bar for bar in chart.bars if bar.kind in kinds), key=lambda bar: bar.x)
    for one, other in pairwise(bars):
        assert one.x + one.width <= other.x + 0.02


@given(moments, moments, limits, frames)
def test_a_timeline_counts_everybody_once_and_stays_within_its_frame(
    due: list[datetime], expires: list[datetime], length: timedelta, frame: Frame
) -> None:
    chart = charts.timeline(Coming.of(due, expires, NOW, length), frame)
    assert sum(one.counts[0] for one in chart.bins) == len(due)
    assert sum(one.counts[1] for one in chart.bins) == len(expires)
    assert sum(bar.count for bar in chart.bars if bar.kind == "due") == len(due)
    assert sum(bar.count for bar in chart.bars if bar.kind == "expires") == len(expires)
    assert len(chart.bins) <= frame.most_bars
    assert_all_inside(chart)
    assert_bars_stand_apart(chart, "due")
    assert_bars_stand_apart(chart, "expires")


@given(spans, st.none() | limits, frames)
def test_a_histogram_counts_everybody_once_and_stays_within_its_frame(
    ages: list[timedelta], limit: timedelta | None, frame: Frame
) -> None:
    due = None if limit is None else (limit / 4, limit / 2)
    chart = charts.histogram(Ages.of(ages, limit, due), frame)
    assert sum(one.counts[0] for one in chart.bins) == len(ages)
    assert sum(bar.count for bar in chart.bars) == len(ages)
    assert_all_inside(chart)
    assert_bars_stand_apart(chart, "fresh", "due", "expired")


@given(limits, st.sampled_from(FRAMES))
def test_bins_follow_each_other_without_a_gap(length: timedelta, frame: Frame) -> None:
    bins = charts.timeline(Coming.of([], [], NOW, length), frame).bins
    assert bins[0].start == 0
    for one, other in pairwise(bins):
        assert one.start + one.days == other.start
    assert bins[-1].last == length.days


@given(st.integers(1, 40_000), st.integers(1, 40_000))
def test_bars_are_as_high_as_their_counts_are_to_each_other(few: int, many: int) -> None:
    due = [NOW + DAY] * few + [NOW + 30 * DAY] * many
    first, second = (bar for bar in charts.timeline(Coming.of(due, [], NOW, 90 * DAY)).bars)
    if min(first.height, second.height) > charts._LOWEST:
        assert first.height / second.height == pytest.approx(few / many, rel=0.02)


def test_one_user_beside_thirty_thousand_is_still_seen() -> None:
    due = [NOW + DAY, *([NOW + 30 * DAY] * 30_000)]
    assert charts.timeline(Coming.of(due, [], NOW, 90 * DAY)).bars[0].height >= 2


def test_whoever_was_due_before_today_is_due_today() -> None:
    chart = charts.timeline(Coming.of([NOW - 20 * DAY, NOW - timedelta(minutes=1)], [], NOW, 90 * DAY))
    assert chart.bins[0].counts == (2, 0)
    assert chart.bars[0].label == "Today: 2 due"


def test_a_day_is_a_day_of_the_calendar() -> None:
    evening = NOW.replace(hour=23, minute=59)
    chart = charts.timeline(Coming.of([evening, evening + timedelta(minutes=2)], [], NOW, 90 * DAY))
    assert [one.counts[0] for one in chart.bins[:2]] == [1, 1]
    assert [bar.label for bar in chart.bars] == ["Today: 1 due", "4 Mar: 1 due"]


def test_what_would_expire_is_below_the_line_and_what_is_due_above() -> None:
    chart = charts.timeline(Coming.of([NOW + DAY], [NOW + 15 * DAY], NOW, 90 * DAY))
    above, below = chart.bars
    assert above.y + above.height == pytest.approx(chart.base)
    assert below.y == chart.base
    assert below.label == "18 Mar: 1 would expire"


def test_a_narrow_chart_has_fewer_bars_and_labels() -> None:
    wide, narrow = (
        charts.timeline(Coming.of([NOW], [], NOW, 90 * DAY), frame) for frame in (charts.WIDE, charts.NARROW)
    )
    assert (len(wide.bins), len(narrow.bins)) == (91, 31)
    assert len(narrow.across) < len(wide.across)
    assert [tick.label for tick in narrow.across] == ["Today", "31 Mar", "28 Apr"]
    assert charts.span(NOW.date(), narrow.bins[0]) == "Today to 5 Mar"


def test_passwords_past_the_limit_are_one_bar_set_apart() -> None:
    chart = charts.histogram(Ages.of([10 * DAY, 90 * DAY, 400 * DAY], 90 * DAY, (73 * DAY, 76 * DAY)))
    assert [(bar.kind, bar.count, bar.label) for bar in chart.bars] == [
        ("fresh", 1, "10 to 11 days: 1"),
        ("expired", 2, "90 days and more: 2"),
    ]
    assert chart.bins[-1] == Bin(90, 0, (2,))
    assert [tick.label for tick in chart.across[:2]] == ["0 days", "10 days"]
    assert chart.across[-1].label == "90+"


def test_passwords_in_the_spread_are_drawn_as_due() -> None:
    chart = charts.histogram(Ages.of([60 * DAY, 75 * DAY, 80 * DAY], 90 * DAY, (73 * DAY, 76 * DAY)))
    assert [bar.kind for bar in chart.bars] == ["fresh", "due", "due"]
    due, limit = chart.zones
    assert due.width > 0
    assert (limit.kind, limit.width) == ("limit", 0)


def test_without_a_policy_there_is_no_limit_and_nobody_is_due() -> None:
    chart = charts.histogram(Ages.of([3 * DAY, 200 * DAY], None))
    assert {bar.kind for bar in chart.bars} == {"fresh"}
    assert chart.zones == ()
    assert not any(tick.label.endswith("+") for tick in chart.across)


@pytest.mark.parametrize(
    ("highest", "end"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 5), (6, 10), (11, 20), (30_000, 40_000), (41_000, 50_000)]
)
def test_an_axis_ends_with_a_round_number(highest: int, end: int) -> None:
    assert charts.ceiling(highest) == end


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1000, "1k"), (1250, "1.2k"), (30_000, "30k"), (200_000, "200k")]
)
def test_numbers_on_an_axis_are_short(number: int, text: str) -> None:
    assert charts.short(number) == text


@pytest.mark.parametrize(("top", "numbers"), [(0, ()), (1, (1,)), (4, (2, 4)), (5, (5,)), (10, (5, 10))])
def test_an_axis_has_whole_numbers_only(top: int, numbers: tuple[int, ...]) -> None:
    assert charts.steps(top) == numbers


@pytest.mark.parametrize(
    ("days", "counts", "said"),
    [(1, (), "1 day"), (0, (), "1 day and more"), (3, (), "1 to 3 days")],
)
def test_ages_are_said_in_words(days: int, counts: tuple[int, ...], said: str) -> None:
    assert charts.age(Bin(1, days, counts)) == said
