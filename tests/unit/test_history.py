"""What a listing of versions says about rotations, as pure logic."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.history import KMS_KEEPS, Claim, History
from shared.model import CURRENT, Version, VersionId
from shared.rotation import PUBLISH_BY, ROTATING
from tests.fakes import NOON, PREVIOUS

FOREIGN = ["by-hand", "terraform-20260101", "r0", "r01", "r1-c0", "r1-c01", "r-1", "r1-", "r1-c", "R1", "R1-c1", "r1c1"]
FOREIGN += [" r1", "r1 ", "r1\n", "r1-c1\n", "r1-c1-c1", "v1", "", "r", "r1.0", "r٣", "r1-c٣"]


def version(name: str, minute: float = 0, *stages: str) -> Version:
    return Version(VersionId(name), NOON + timedelta(minutes=minute), frozenset(stages))


def history(*versions: Version) -> History:
    return History(versions)


def foreign(count: int, minute: float, *, current: bool = False) -> list[Version]:
    made = [version(f"by-hand-{number}", minute + number) for number in range(count)]
    return [*made[:-1], version(f"by-hand-{count - 1}", minute + count - 1, CURRENT)] if current and made else made


# ------------------------------------------------------------------------------------------------------- next_claim


@pytest.mark.parametrize(
    ("ids", "claim"),
    [
        ([], "r1-c1"),
        (["by-hand"], "r1-c1"),
        (["r1-c1"], "r1-c2"),
        (["r1-c1", "r1-c2", "r1-c3"], "r1-c4"),
        (["r1-c1", "r1"], "r2-c1"),
        (["r1"], "r2-c1"),
        (["r1", "r2-c1"], "r2-c2"),
        (["r3", "r4-c2", "r4-c5"], "r4-c6"),  # the first claims were purged
        (["r7", "r5-c9", "r6"], "r8-c1"),  # older leftovers count for nothing
        (["r2-c1"], "r2-c2"),  # the publication before it was purged
        (["r9", "r10"], "r11-c1"),  # numbers, not texts
        (["r1-c9", "r1-c10"], "r1-c11"),
        (["r1", "r3-c1"], "r3-c2"),
    ],
)
def test_the_next_claim_follows_from_what_is_there(ids: list[str], claim: str) -> None:
    assert history(*(version(name, minute) for minute, name in enumerate(ids))).next_claim().id == claim


def test_a_secret_that_does_not_exist_is_claimed_as_an_empty_one_is() -> None:
    assert not History(None).exists
    assert History([]).exists
    assert History(None).next_claim() == History([]).next_claim() == Claim(1, 1)


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_ids_are_never_mistaken_for_ours(name: str) -> None:
    read = history(version(name, 0, CURRENT))
    assert (read.published, read.claims) == ({}, {})
    assert read.next_claim() == Claim(1, 1)
    assert read.newest_claim() is None
    assert read.settled() is None


def test_a_claims_ids_are_read_back_as_what_they_are() -> None:
    claim = Claim(12, 34)
    assert (claim.id, claim.publishes, claim.note) == ("r12-c34", "r12", "Attempt34")
    read = history(version(claim.id, 0, ROTATING), version(claim.publishes, 1, CURRENT))
    assert set(read.claims) == {claim}
    assert set(read.published) == {12}


# ---------------------------------------------------------------------------------------------------------- settled


@pytest.mark.parametrize(
    ("versions", "settled"),
    [
        ([], None),
        ([version("r1-c1", 0, CURRENT)], None),  # the first claim is current until its publication
        ([version("r1-c1"), version("r1", 1, CURRENT)], "r1"),
        ([version("r1", 1, CURRENT)], None),  # nothing was purged, and nobody claimed it: by hand, under a name of ours
        ([version("r1-c1"), version("r1", 1, PREVIOUS), version("r2", 2, CURRENT)], None),
        ([*foreign(9, -9), version("r1", 1, CURRENT)], "r1"),  # its claim was purged
        ([version("r1", 1, PREVIOUS), version("r2-c1", 2), version("r2", 2, CURRENT)], "r2"),
        ([version("r1", 1, CURRENT), version("r2", 2, PREVIOUS)], None),  # somebody moved the stage back
        ([version("r1", 1, PREVIOUS), version("by-hand", 2, CURRENT)], None),
        ([version("r1", 1, CURRENT), version("r2-c1", 2, ROTATING)], None),  # it may have reset, and lost it
        ([version("r1", 1, CURRENT), version("r2-c1", 2)], None),
        ([version("r2-c1"), version("r2", 1, CURRENT), version("r1-c6", 2)], "r2"),  # a rotation that is over
        ([version("r2", 1, CURRENT), version("r2-c1", 0, ROTATING)], "r2"),
        ([version("r1", 1)], None),  # no stage: nothing says that it is current
    ],
)
def test_settled_is_only_the_newest_publication_that_is_current_and_has_no_claim_after_it(
    versions: list[Version], settled: str | None
) -> None:
    assert History(versions).settled() == settled


# ------------------------------------------------------------------------------------------------------ reset_after


def test_a_reset_came_after_its_claim_and_not_only_before_its_publication() -> None:
    read = history(version("r1-c1", 0), version("r1-c2", 3), version("r1", 4, CURRENT))
    assert read.reset_after(VersionId("r1"), PUBLISH_BY) == NOON + timedelta(minutes=3)


def test_without_its_claim_a_reset_is_at_most_so_long_before_its_publication() -> None:
    read = history(version("r1", 4, PREVIOUS), version("r2-c1", 5), version("r2", 6, CURRENT))
    assert read.reset_after(VersionId("r1"), PUBLISH_BY) == NOON + timedelta(minutes=4) - PUBLISH_BY
    assert read.reset_after(VersionId("r2"), PUBLISH_BY) == NOON + timedelta(minutes=5)


# -------------------------------------------------------------------------------------- newest_claim and holder_of


def test_the_newest_claim_is_the_youngest_of_whatever_rotation() -> None:
    read = history(version("r2-c1", 5), version("r1-c1", 9), version("r2", 11), version("by-hand", 12))
    assert read.newest_claim() == NOON + timedelta(minutes=9)
    assert history(version("r1", 1), version("by-hand", 2)).newest_claim() is None


def test_a_stage_is_held_by_the_version_that_carries_it_foreign_or_not() -> None:
    read = history(version("r1-c1", 0, CURRENT), version("by-hand", 1, ROTATING, "Own"))
    assert read.holder_of(ROTATING) == read.holder_of("Own") == "by-hand"
    assert read.holder_of(PREVIOUS) is None
    assert History(None).holder_of(CURRENT) is None


# ------------------------------------------------------------------------------------ newest_published and open_claim


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        ([], None),
        ([version("r1-c1", 0, CURRENT), version("by-hand", 1)], None),
        ([version("r1", 0)], "r1"),
        ([version("r1", 0, CURRENT), version("r2", 1)], "r2"),
        ([version("r2", 0), version("r1", 1, CURRENT)], "r2"),  # by its number, and not by its age or its stage
        ([version("r9", 0), version("r10", 0)], "r10"),  # numbers, not texts
        ([version("r3", 0), version("r7-c1", 5), version("r8", 9), version("r08", 10)], "r8"),
    ],
)
def test_the_newest_that_was_published_is_the_one_with_the_highest_number(
    versions: list[Version], newest: str | None
) -> None:
    found = History(versions).newest_published()
    assert found == next((one for one in versions if one.id == newest), None)
    assert (found and found.id) == newest


@pytest.mark.parametrize(
    ("ids", "claim"),
    [
        ([], None),
        (["by-hand", "r0-c1", "r1-c0"], None),
        (["r1"], None),
        (["r1-c1"], Claim(1, 1)),
        (["r1-c1", "r1"], None),
        (["r1", "r1-c2"], None),  # written later than the publication, and over all the same
        (["r2", "r1-c7"], None),
        (["r1", "r2-c1"], Claim(2, 1)),
        (["r1", "r2-c2", "r2-c1"], Claim(2, 2)),  # by the number of the attempt, and not by its age
        (["r1", "r2-c9", "r2-c10"], Claim(2, 10)),  # numbers, not texts
        (["r2-c9", "r3-c1"], Claim(3, 1)),  # on the newest rotation
        (["r1", "r3-c1", "r2-c9"], Claim(3, 1)),
        (["r9", "r10-c1"], Claim(10, 1)),
        (["r10", "r9-c1"], None),
    ],
)
def test_a_claim_is_open_if_it_is_the_last_on_a_rotation_that_published_nothing(
    ids: list[str], claim: Claim | None
) -> None:
    versions = [version(name, minute) for minute, name in enumerate(ids)]
    found = history(*versions).open_claim()
    assert found == (None if claim is None else (claim, next(one for one in versions if one.id == claim.id)))


def test_of_a_secret_that_does_not_exist_nothing_is_published_or_claimed() -> None:
    assert History(None).newest_published() is None
    assert History(None).open_claim() is None


# --------------------------------------------------------------------------------------------- when the count is lost


def minutes_since_1970(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def test_where_everything_of_ours_was_purged_a_number_that_was_never_used_is_taken() -> None:
    versions = foreign(KMS_KEEPS, 5, current=True)
    assert history(*versions).next_claim() == Claim(minutes_since_1970(versions[-1].created), 1)


def test_fewer_versions_than_kms_keeps_mean_that_nothing_was_purged() -> None:
    assert history(*foreign(KMS_KEEPS - 1, 5, current=True)).next_claim() == Claim(1, 1)


def test_a_claim_that_outlived_its_publication_is_the_oldest_of_all_and_is_not_continued() -> None:
    outlived = version("r4-c1", 0, ROTATING)
    claim = history(outlived, *foreign(KMS_KEEPS - 1, 5, current=True)).next_claim()
    assert claim == Claim(minutes_since_1970(NOON + timedelta(minutes=13)), 1)


def test_a_number_is_taken_beyond_those_claimed_even_if_the_clock_lags() -> None:
    far = 10**9
    read = history(version(f"r{far}-c1", 0, ROTATING), *foreign(KMS_KEEPS - 1, 5, current=True))
    assert read.next_claim() == Claim(far + 1, 1)


def test_a_claim_that_is_not_the_oldest_is_continued_for_nothing_of_its_rotation_was_purged() -> None:
    versions = [*foreign(1, 0), version("r4-c1", 3, ROTATING), *foreign(9, 5)[1:]]
    assert len(versions) == KMS_KEEPS
    assert history(*versions).next_claim() == Claim(4, 2)


def test_a_publication_that_is_still_there_keeps_the_count() -> None:
    assert history(version("r4", 0), *foreign(KMS_KEEPS - 1, 5, current=True)).next_claim() == Claim(5, 1)


# ------------------------------------------------------------------------------------------------------- properties

ours = st.from_regex(r"r[1-9][0-9]?(-c[1-9][0-9]?)?", fullmatch=True)
theirs = st.text(max_size=8) | st.sampled_from(FOREIGN)
stage_sets = st.sets(st.sampled_from([CURRENT, PREVIOUS, ROTATING, "Own"]), max_size=2)


@st.composite
def listings(draw: st.DrawFn, ids: st.SearchStrategy[str] = ours | theirs) -> list[Version]:
    """Draw up to ten versions as KMS could list them: ids once each, a stage on one version at most, in any order."""
    names = draw(st.lists(ids, max_size=KMS_KEEPS, unique=True))
    left = {CURRENT, PREVIOUS, ROTATING}
    versions = []
    for name in names:
        stages = draw(stage_sets) & left
        left -= stages
        versions.append(version(name, draw(st.integers(-10_000, 10_000)), *stages))
    return draw(st.permutations(versions))


def without_foreign(versions: Iterable[Version]) -> list[Version]:
    return [one for one in versions if re.fullmatch(r"r[1-9][0-9]*(-c[1-9][0-9]*)?", one.id, re.ASCII)]


@given(listings())
def test_the_next_claim_and_what_it_publishes_never_exist_yet(versions: list[Version]) -> None:
    claim = History(versions).next_claim()
    assert {claim.id, claim.publishes}.isdisjoint({one.id for one in versions})
    assert claim.rotation >= 1
    assert claim.attempt >= 1


@given(listings())
def test_the_next_claim_is_beyond_everything_published_and_not_before_anything_claimed(versions: list[Version]) -> None:
    read = History(versions)
    claim = read.next_claim()
    assert all(claim.rotation > published for published in read.published)
    assert all((claim.rotation, claim.attempt) > (old.rotation, old.attempt) for old in read.claims)


@given(listings(), st.randoms(use_true_random=False))
def test_two_workers_that_saw_the_same_versions_in_any_order_claim_alike(
    versions: list[Version], random: object
) -> None:
    shuffled = list(versions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = History(versions), History(shuffled)
    assert one.next_claim() == other.next_claim()
    assert one.settled() == other.settled()
    assert one.newest_claim() == other.newest_claim()


@given(listings())
def test_foreign_versions_are_never_counted_until_they_may_have_pushed_ours_out(versions: list[Version]) -> None:
    assume(len(versions) < KMS_KEEPS)
    whole, ours_only = History(versions), History(without_foreign(versions))
    assert whole.next_claim() == ours_only.next_claim()
    assert whole.newest_claim() == ours_only.newest_claim()
    assert whole.settled() == ours_only.settled()


@given(listings())
def test_settled_is_the_newest_of_ours_while_it_is_current_and_never_anything_else(versions: list[Version]) -> None:
    read = History(versions)
    newest = max(read.published, default=None)
    later = [claim for claim in read.claims if newest is None or claim.rotation > newest]
    claimed = len(versions) == KMS_KEEPS or any(claim.rotation == newest for claim in read.claims)
    for moved in range(len(versions)):
        staged = [
            Version(one.id, one.created, frozenset({CURRENT} if n == moved else ())) for n, one in enumerate(versions)
        ]
        current = staged[moved].id
        expected = current if current == f"r{newest}" and claimed and not later else None
        assert History(staged).settled() == expected


@given(listings())
def test_while_a_claim_is_open_nothing_is_settled_and_the_next_claim_comes_after_it(versions: list[Version]) -> None:
    read = History(versions)
    found, newest = read.open_claim(), read.newest_published()
    if found is None:
        assert all(newest is not None and claim.rotation <= max(read.published) for claim in read.claims)
        return
    claim, held = found
    following = read.next_claim()
    assert read.settled() is None
    assert held == read.versions[claim.id]
    assert claim.publishes not in read.versions
    assert following == Claim(claim.rotation, claim.attempt + 1) or len(versions) == KMS_KEEPS


@given(listings(ours))
def test_a_reset_is_never_dated_after_its_publication_could_have_been_seen(versions: list[Version]) -> None:
    read = History(versions)
    for published in read.published.values():
        claims = [old.created for claim, old in read.claims.items() if claim.publishes == published.id]
        dated = read.reset_after(published.id, PUBLISH_BY)
        assert dated in claims if claims else dated == published.created - PUBLISH_BY


@given(st.lists(st.sampled_from(["publish", "fail", "foreign"]), max_size=60), st.booleans())
def test_claims_of_one_secret_never_go_back_whatever_is_published_lost_or_written_by_others(
    steps: list[str],
    spare_staged: bool,  # noqa: FBT001 - drawn
) -> None:
    kept: list[Version] = []
    used: set[str] = set()
    last = (0, 0)
    for minute, step in enumerate(steps):
        if step == "foreign":
            kept = written(kept, version(f"by-hand-{minute}", 2 * minute), CURRENT, spare_staged=spare_staged)
            continue
        claim = History(kept or None).next_claim()
        assert (claim.rotation, claim.attempt) > last
        assert {claim.id, claim.publishes}.isdisjoint(used)
        last = (claim.rotation, claim.attempt)
        used |= {claim.id}
        kept = written(kept, version(claim.id, 2 * minute), ROTATING, spare_staged=spare_staged)
        if step == "publish":
            used |= {claim.publishes}
            kept = written(kept, version(claim.publishes, 2 * minute + 1), CURRENT, spare_staged=spare_staged)
            assert History(kept).settled() == claim.publishes


def written(kept: list[Version], new: Version, stage: str, *, spare_staged: bool) -> list[Version]:
    """Write a version as KMS would: stages move, and the oldest versions go, under either reading of which."""
    demoted = frozenset({PREVIOUS}) if stage == CURRENT else frozenset[str]()
    before = [
        Version(old.id, old.created, (old.stages - {stage} - demoted) | (demoted if stage in old.stages else set()))
        for old in kept
    ]
    versions = [*before, Version(new.id, new.created, new.stages | {stage})]
    while len(versions) > KMS_KEEPS:
        older = versions[:-1]
        versions.remove(next((old for old in older if not (spare_staged and old.stages)), older[0]))
    return versions
