"""The contract of SecretStore, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from msgspec.structs import replace

from shared.errors import (
    RotatorError,
    SecretExists,
    SecretInDeletion,
    SecretNotFound,
    SecretStoreDenied,
    SecretStoreUnavailable,
    VersionConflict,
)
from shared.model import CURRENT, Managed, RequestId, SecretName, SecretValue, Version, VersionId
from tests.contract.directories import SOON
from tests.contract.stores import ACTIONS, StoreWorld
from tests.fakes import PREVIOUS, user

FIRST, SECOND, THIRD = (VersionId(f"v-{number}") for number in (1, 2, 3))
ONE, OTHER = SecretValue('{"Password": "one"}'), SecretValue('{"Password": "other"}')
CUSTOM = "Rotating"


def create(world: StoreWorld, secret: SecretName, version: VersionId = FIRST, value: SecretValue = ONE) -> None:
    world.store.create(secret, version, value, user("alice"), send_by=world.now() + SOON)


def put(
    world: StoreWorld, secret: SecretName, version: VersionId, value: SecretValue = ONE, *, stage: str | None = None
) -> RequestId:
    return world.store.put(secret, version, value, stage=stage, send_by=world.now() + SOON)


def stages(world: StoreWorld, secret: SecretName) -> dict[str, set[str]]:
    return {version.id: set(version.stages) for version in listed(world, secret)}


def listed(world: StoreWorld, secret: SecretName) -> tuple[Version, ...]:
    versions = world.store.versions(secret)
    assert versions is not None
    return versions


@pytest.fixture
def secret(stores: StoreWorld) -> SecretName:
    """Return a secret with one version."""
    name = stores.secret("alice")
    create(stores, name)
    return name


def prepared(world: StoreWorld, method: str) -> Callable[[], object]:
    """Return a call of a method that would succeed."""
    name = world.secret("alice")
    if method == "create":
        return lambda: create(world, name)
    create(world, name)
    if method == "release":
        put(world, name, SECOND, stage=CUSTOM)
    calls: dict[str, Callable[[], object]] = {
        "versions": lambda: world.store.versions(name),
        "put": lambda: put(world, name, SECOND, OTHER),
        "release": lambda: world.store.release(name, CUSTOM, SECOND),
        "tag": lambda: world.store.tag(name, {"RotatedAt": "2026-01-01T00:00:00Z"}),
        "tags": lambda: world.store.tags(name),
        "managed": lambda: list(world.store.managed(world.directory_id)),
    }
    return calls[method]


# --------------------------------------------------------------------------------------------------------- versions


def test_there_are_no_versions_where_there_is_no_secret(stores: StoreWorld) -> None:
    assert stores.store.versions(stores.secret("nobody")) is None


def test_every_version_is_listed_with_its_stages_also_those_without_any(stores: StoreWorld, secret: SecretName) -> None:
    for number in range(2, 10):
        put(stores, secret, VersionId(f"v-{number}"))
    assert stages(stores, secret) == {
        **{f"v-{number}": set() for number in range(1, 8)},
        "v-8": {PREVIOUS},
        "v-9": {CURRENT},
    }


def test_versions_have_kms_own_times_in_whole_seconds(stores: StoreWorld, secret: SecretName) -> None:
    (version,) = listed(stores, secret)
    assert version.created.utcoffset() is not None
    assert version.created.microsecond == 0
    assert abs((version.created - stores.now()).total_seconds()) < 60


def test_a_secret_whose_name_begins_like_anothers_is_another(stores: StoreWorld, secret: SecretName) -> None:
    create(stores, stores.secret("alice2"), SECOND)
    assert set(stages(stores, secret)) == {FIRST}
    assert stores.store.versions(stores.secret("alic")) is None


# ----------------------------------------------------------------------------------------------------------- create


def test_a_created_secret_has_its_first_version_as_current(stores: StoreWorld, secret: SecretName) -> None:
    assert stages(stores, secret) == {FIRST: {CURRENT}}
    assert stores.value(secret, FIRST) == ONE


def test_a_created_secret_says_whose_it_is(stores: StoreWorld, secret: SecretName) -> None:
    assert stores.store.tags(secret)["UserId"] == user("alice").id


@pytest.mark.parametrize("version", [FIRST, SECOND])
@pytest.mark.parametrize("value", [ONE, OTHER], ids=["same", "other"])
def test_a_secret_that_is_there_is_not_created_again(
    stores: StoreWorld, secret: SecretName, version: VersionId, value: SecretValue
) -> None:
    with pytest.raises(SecretExists):
        create(stores, secret, version, value)
    assert stages(stores, secret) == {FIRST: {CURRENT}}
    assert stores.value(secret, FIRST) == ONE


def test_a_creation_whose_answer_was_lost_is_found_out_by_a_put_of_the_same_bytes(stores: StoreWorld) -> None:
    secret = stores.secret("alice")
    stores.lose_answer("create")
    with pytest.raises(SecretStoreUnavailable):
        create(stores, secret)
    with pytest.raises(SecretExists):
        create(stores, secret)
    put(stores, secret, FIRST, ONE, stage=CUSTOM)
    with pytest.raises(VersionConflict):
        put(stores, secret, FIRST, OTHER, stage=CUSTOM)
    assert set(stages(stores, secret)) == {FIRST}


# -------------------------------------------------------------------------------------------------------------- put


def test_a_put_without_a_stage_becomes_current_and_the_one_before_previous(
    stores: StoreWorld, secret: SecretName
) -> None:
    assert put(stores, secret, SECOND, OTHER)
    assert stages(stores, secret) == {FIRST: {PREVIOUS}, SECOND: {CURRENT}}
    put(stores, secret, THIRD)
    assert stages(stores, secret) == {FIRST: set(), SECOND: {PREVIOUS}, THIRD: {CURRENT}}
    assert [stores.value(secret, version) for version in (FIRST, SECOND, THIRD)] == [ONE, OTHER, ONE]


def test_a_put_under_a_custom_stage_leaves_current_and_previous_alone(stores: StoreWorld, secret: SecretName) -> None:
    put(stores, secret, SECOND)
    put(stores, secret, THIRD, stage=CUSTOM)
    assert stages(stores, secret) == {FIRST: {PREVIOUS}, SECOND: {CURRENT}, THIRD: {CUSTOM}}


def test_a_custom_stage_moves_to_the_newest_put_under_it(stores: StoreWorld, secret: SecretName) -> None:
    put(stores, secret, SECOND, stage=CUSTOM)
    put(stores, secret, THIRD, stage=CUSTOM)
    assert stages(stores, secret) == {FIRST: {CURRENT}, SECOND: set(), THIRD: {CUSTOM}}


@pytest.mark.parametrize("stage", [None, CUSTOM])
def test_the_same_bytes_put_again_and_again_take_effect_once(
    stores: StoreWorld, secret: SecretName, stage: str | None
) -> None:
    put(stores, secret, SECOND, OTHER, stage=stage)
    once = listed(stores, secret)
    for _ in range(2):
        put(stores, secret, SECOND, OTHER, stage=stage)
    assert listed(stores, secret) == once


@pytest.mark.parametrize("stage", [None, CUSTOM])
def test_other_bytes_under_the_same_id_conflict_and_change_nothing(
    stores: StoreWorld, secret: SecretName, stage: str | None
) -> None:
    put(stores, secret, SECOND, ONE, stage=stage)
    before = listed(stores, secret)
    with pytest.raises(VersionConflict):
        put(stores, secret, SECOND, OTHER, stage=stage)
    assert listed(stores, secret) == before
    assert stores.value(secret, SECOND) == ONE


def test_every_put_has_a_request_of_its_own(stores: StoreWorld, secret: SecretName) -> None:
    assert put(stores, secret, SECOND) != put(stores, secret, THIRD)


# ---------------------------------------------------------------------------------------------------------- release


def test_a_released_stage_is_gone_and_its_version_stays(stores: StoreWorld, secret: SecretName) -> None:
    put(stores, secret, SECOND, stage=CUSTOM)
    stores.store.release(secret, CUSTOM, SECOND)
    assert stages(stores, secret) == {FIRST: {CURRENT}, SECOND: set()}
    assert stores.value(secret, SECOND) == ONE


def test_a_stage_is_not_taken_off_a_version_that_does_not_carry_it(stores: StoreWorld, secret: SecretName) -> None:
    put(stores, secret, SECOND, stage=CUSTOM)
    before = listed(stores, secret)
    with pytest.raises(VersionConflict):
        stores.store.release(secret, CUSTOM, FIRST)
    assert listed(stores, secret) == before


# ------------------------------------------------------------------------------------------------------------- tags


def test_tags_come_back_as_they_were_set_and_newer_ones_win(stores: StoreWorld, secret: SecretName) -> None:
    first = {"RotatedAt": "2026-01-01T00:00:00Z", "Note": "aZ0/_-.+=:@"}
    stores.store.tag(secret, first)
    stores.store.tag(secret, {"RotatedAt": "2026-02-02T00:00:00Z"})
    tags = stores.store.tags(secret)
    assert tags == {**tags, "RotatedAt": "2026-02-02T00:00:00Z", "Note": "aZ0/_-.+=:@"}
    assert stages(stores, secret) == {FIRST: {CURRENT}}


def test_tags_are_each_secrets_own(stores: StoreWorld, secret: SecretName) -> None:
    create(stores, stores.secret("bob"))
    stores.store.tag(secret, {"Note": "hers"})
    assert "Note" not in stores.store.tags(stores.secret("bob"))


# ---------------------------------------------------------------------------------------------------------- managed


def kept(world: StoreWorld, name: str, **tags: str) -> SecretName:
    """Create a secret as a rotation of the world's directory does, and tag it."""
    secret = world.secret(name)
    whose = replace(user(name), directory_id=world.directory_id)
    world.store.create(secret, FIRST, ONE, whose, send_by=world.now() + SOON)
    if tags:
        world.store.tag(secret, tags)
    return secret


def all_managed(world: StoreWorld) -> list[Managed]:
    return [one for page in world.store.managed(world.directory_id) for one in page]


def managed(world: StoreWorld) -> list[Managed]:
    """Return what scans go by; the rest is for those who want to know more."""
    return [Managed(one.secret, one.rotated_at, one.in_deletion) for one in all_managed(world)]


def test_nothing_is_managed_where_there_is_no_secret(stores: StoreWorld) -> None:
    assert managed(stores) == []


def test_a_secret_is_managed_from_its_creation_on_and_rotated_when_its_tag_says(stores: StoreWorld) -> None:
    alice, bob = kept(stores, "alice"), kept(stores, "bob", RotatedAt="2026-01-02T03:04:05Z")
    then = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert managed(stores) == [Managed(alice, None), Managed(bob, then)]


@pytest.mark.parametrize("text", ["yesterday", "2026-01-02", "2026-02-30T00:00:00Z", "1767323045"])
def test_a_tag_that_is_no_time_says_nothing(stores: StoreWorld, text: str) -> None:
    alice = kept(stores, "alice", RotatedAt=text)
    assert managed(stores) == [Managed(alice, None)]


@pytest.mark.parametrize("key", ["ManagedBy", "DirectoryId"])
def test_a_secret_without_this_programs_tags_is_somebody_elses(stores: StoreWorld, key: str) -> None:
    alice, bob = kept(stores, "alice"), kept(stores, "bob")
    stores.untag(alice, key)
    assert managed(stores) == [Managed(bob, None)]


@pytest.mark.parametrize("tags", [{"ManagedBy": "terraform"}, {"DirectoryId": "d-other"}])
def test_a_secret_with_other_tags_is_somebody_elses(stores: StoreWorld, tags: dict[str, str]) -> None:
    kept(stores, "alice", **tags)
    assert managed(stores) == []


def test_a_secret_that_waits_for_its_deletion_is_told_as_such(stores: StoreWorld) -> None:
    alice = kept(stores, "alice")
    stores.schedule_deletion(alice, "put")
    assert managed(stores) == [Managed(alice, None, in_deletion=True)]


def test_a_listing_tells_for_whom_a_secret_was_made_when_it_was_changed_and_what_attempts_failed_of(
    stores: StoreWorld,
) -> None:
    before = stores.now().replace(microsecond=0)
    kept(stores, "alice", Attempt2="r7-c2:reset-outcome-unknown", Attempt1="r7-c1:not-published", Attribute="no-note")
    (alice,) = all_managed(stores)
    assert alice.user_id == user("alice").id
    assert alice.updated is not None
    assert before <= alice.updated <= stores.now()
    assert alice.notes == ("r7-c1:not-published", "r7-c2:reset-outcome-unknown")


def test_a_listing_tells_no_user_where_the_tag_is_gone(stores: StoreWorld) -> None:
    stores.untag(kept(stores, "alice"), "UserId")
    (alice,) = all_managed(stores)
    assert (alice.user_id, alice.notes) == (None, ())


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_secrets_are_listed_to_the_last_page(stores: StoreWorld, count: int) -> None:
    stores.crowd(count)
    assert len({each.secret for each in managed(stores)}) == count


@pytest.mark.parametrize("fault", ["lose_answer", "shut_down"])
def test_a_listing_whose_later_page_is_not_to_be_had_raises(stores: StoreWorld, fault: str) -> None:
    stores.crowd(150)
    listing = stores.store.managed(stores.directory_id)
    next(listing)
    getattr(stores, fault)("managed")
    with pytest.raises(SecretStoreUnavailable):
        list(listing)


# --------------------------------------------------------------------------------------------------- what all share


@pytest.mark.parametrize("method", ["put", "release", "tag", "tags"])
def test_a_missing_secret_is_told(stores: StoreWorld, method: str) -> None:
    nobody = stores.secret("nobody")
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: put(stores, nobody, FIRST),
        "release": lambda: stores.store.release(nobody, CUSTOM, FIRST),
        "tag": lambda: stores.store.tag(nobody, {"Note": "x"}),
        "tags": lambda: stores.store.tags(nobody),
    }
    with pytest.raises(SecretNotFound):
        calls[method]()


@pytest.mark.parametrize("method", ["versions", "put", "tag"])
def test_a_lost_answer_is_told_as_unavailable_and_the_same_again_succeeds(stores: StoreWorld, method: str) -> None:
    again = prepared(stores, method)
    stores.lose_answer(method)
    with pytest.raises(SecretStoreUnavailable):
        again()
    again()


def test_a_stage_whose_release_was_not_answered_is_gone_all_the_same(stores: StoreWorld) -> None:
    released = prepared(stores, "release")
    stores.lose_answer("release")
    with pytest.raises(SecretStoreUnavailable):
        released()
    assert stages(stores, stores.secret("alice"))[SECOND] == set()


@pytest.mark.parametrize("method", ACTIONS)
@pytest.mark.parametrize("error", [SecretStoreUnavailable, SecretStoreDenied])
def test_a_refusal_is_told_and_changes_nothing(stores: StoreWorld, method: str, error: type[RotatorError]) -> None:
    refused = prepared(stores, method)
    before = stores.store.versions(stores.secret("alice"))
    (stores.shut_down if error is SecretStoreUnavailable else stores.deny)(method)
    with pytest.raises(error):
        refused()
    if method == "versions":
        return
    assert stores.store.versions(stores.secret("alice")) == before


@pytest.mark.parametrize("method", ["versions", "create", "put", "release", "tag"])
def test_a_secret_that_is_scheduled_for_deletion_is_told(stores: StoreWorld, method: str) -> None:
    refused = prepared(stores, method)
    if method == "create":
        create(stores, stores.secret("alice"))
    stores.schedule_deletion(stores.secret("alice"), method)
    with pytest.raises(SecretInDeletion):
        refused()
