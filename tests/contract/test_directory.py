"""The contract of Directory, sentence by sentence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.errors import (
    DirectoryDenied,
    DirectoryUnavailable,
    PasswordRejected,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    UserNotFound,
)
from shared.model import Password, ResetReceipt, User, UserId, UserName, UserRef
from tests.contract.directories import METHODS, SOON, DirectoryWorld, everybody

CANDIDATE = Password("Candidate-Passw0rd!x1")
SOURCES = pytest.mark.parametrize("candidate", [None, CANDIDATE], ids=["generated", "staged"])


def named(name: str) -> UserRef:
    return UserRef(name=UserName(name))


def reset(
    world: DirectoryWorld, user: User, candidate: Password | None = None, *, must_change: bool = False
) -> ResetReceipt:
    return world.directory.reset(user, candidate, must_change=must_change, send_by=world.now() + SOON)


def call(world: DirectoryWorld, method: str, user: User) -> None:
    calls: dict[str, Callable[[], object]] = {
        "check": lambda: world.directory.check_resettable(user),
        "sso": world.directory.sso_enabled,
        "age": world.directory.max_password_age,
        "users": lambda: list(world.directory.users()),
        "find by id": lambda: world.directory.find(UserRef(id=user.id)),
        "find by name": lambda: world.directory.find(named(user.name)),
    }
    calls[method]()


# ------------------------------------------------------------------------------------------------------------- find


def test_find_returns_the_user_that_a_name_names(directories: DirectoryWorld) -> None:
    directories.add("bob")
    alice = directories.add("alice")
    assert directories.directory.find(named("alice")) == alice


def test_find_returns_the_user_that_an_id_names(directories: DirectoryWorld) -> None:
    directories.add("bob")
    alice = directories.add("alice")
    assert directories.directory.find(UserRef(id=alice.id)) == alice


@pytest.mark.parametrize("spelling", ["alice.b@example", "ALICE.B@EXAMPLE", "aLiCe.B@exAmple"])
def test_a_name_matches_in_any_case_and_comes_back_in_the_directorys_spelling(
    directories: DirectoryWorld, spelling: str
) -> None:
    alice = directories.add("Alice.B@Example")
    assert directories.directory.find(named(spelling)) == alice
    assert directories.directory.find(named(spelling)).name == "Alice.B@Example"


@pytest.mark.parametrize("name", ["alic", "a", "alice1", "lice", "alice.b", "*", "alice@"])
def test_a_name_never_matches_by_a_part(directories: DirectoryWorld, name: str) -> None:
    directories.add("alice")
    directories.add("alice2")
    with pytest.raises(UserNotFound):
        directories.directory.find(named(name))


def test_a_prefix_of_another_name_is_a_user_of_its_own(directories: DirectoryWorld) -> None:
    longer, shorter = directories.add("alice2"), directories.add("alice")
    assert directories.directory.find(named("alice")) == shorter
    assert directories.directory.find(named("alice2")) == longer


@pytest.mark.parametrize("ref", [named("mallory"), UserRef(id=UserId("u-nobody"))], ids=["name", "id"])
def test_an_unknown_user_is_not_found(directories: DirectoryWorld, ref: UserRef) -> None:
    directories.add("alice")
    with pytest.raises(UserNotFound):
        directories.directory.find(ref)


def test_an_id_is_not_looked_for_among_the_names_nor_a_name_among_the_ids(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    for ref in (UserRef(id=UserId("alice")), named(alice.id)):
        with pytest.raises(UserNotFound):
            directories.directory.find(ref)


@pytest.mark.parametrize(("enabled", "synchronized"), [*itertools.product([True, False], repeat=2)])
def test_find_tells_whether_a_user_is_enabled_and_synchronized(
    directories: DirectoryWorld, *, enabled: bool, synchronized: bool
) -> None:
    added = directories.add("alice", enabled=enabled, synchronized=synchronized)
    for ref in (named("alice"), UserRef(id=added.id)):
        found = directories.directory.find(ref)
        assert (found.enabled, found.synchronized) == (enabled, synchronized)


def test_find_tells_when_a_user_was_created_in_whole_seconds(directories: DirectoryWorld) -> None:
    before = directories.now().replace(microsecond=0)
    directories.add("alice")
    created = directories.directory.find(named("alice")).created
    assert created is not None
    assert created.microsecond == 0
    assert before <= created <= directories.now()


def test_a_user_made_anew_under_the_same_name_is_found(directories: DirectoryWorld) -> None:
    directories.remove(directories.add("alice"))
    with pytest.raises(UserNotFound):
        directories.directory.find(named("alice"))
    anew = directories.add("alice")
    assert directories.directory.find(named("alice")) == anew


# ------------------------------------------------------------------------------------------------------------ reset


@SOURCES
def test_a_receipt_means_that_its_password_is_live(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice = directories.add("alice")
    receipt = reset(directories, alice, candidate)
    assert directories.signs_in(alice, receipt.password) == "ok"
    assert receipt.request_id
    assert directories.resets(alice) == 1


def test_a_staged_receipt_holds_the_candidate_itself(directories: DirectoryWorld) -> None:
    assert reset(directories, directories.add("alice"), CANDIDATE).password == CANDIDATE


def test_every_generated_password_is_another_and_ends_the_one_before(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    first, second = reset(directories, alice), reset(directories, alice)
    assert first.password != second.password
    assert first.request_id != second.request_id
    assert directories.signs_in(alice, first.password) == "wrong"
    assert directories.signs_in(alice, second.password) == "ok"


@SOURCES
def test_must_change_asks_for_a_change_at_the_next_logon(
    directories: DirectoryWorld, candidate: Password | None
) -> None:
    alice = directories.add("alice")
    receipt = reset(directories, alice, candidate, must_change=True)
    assert directories.signs_in(alice, receipt.password) == "change-required"


@SOURCES
def test_only_the_named_user_is_reset(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice, bob = directories.add("alice"), directories.add("bob")
    password = reset(directories, alice, candidate).password
    assert directories.signs_in(bob, password) == "wrong"
    assert directories.resets(bob) == 0


@SOURCES
def test_a_lost_answer_is_told_as_an_unknown_outcome_and_nothing_is_sent_twice(
    directories: DirectoryWorld, candidate: Password | None
) -> None:
    alice = directories.add("alice")
    directories.lose_answer("reset")
    with pytest.raises(ResetOutcomeUnknown):
        reset(directories, alice, candidate)
    assert directories.resets(alice) == 1


def test_a_candidate_whose_answer_was_lost_is_live_all_the_same(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    directories.lose_answer("reset")
    with pytest.raises(ResetOutcomeUnknown):
        reset(directories, alice, CANDIDATE)
    assert directories.signs_in(alice, CANDIDATE) == "ok"


@SOURCES
def test_a_throttled_reset_was_not_carried_out(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice = directories.add("alice")
    directories.shut_down("reset")
    with pytest.raises(DirectoryUnavailable):
        reset(directories, alice, candidate)
    assert directories.resets(alice) == 0


@SOURCES
def test_a_denied_reset_was_not_carried_out(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice = directories.add("alice")
    directories.deny("reset")
    with pytest.raises(DirectoryDenied):
        reset(directories, alice, candidate)
    assert directories.resets(alice) == 0


@SOURCES
def test_sso_logon_allows_no_reset(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice = directories.add("alice")
    directories.enable_sso()
    with pytest.raises(ResetNotAllowed):
        reset(directories, alice, candidate)
    assert directories.resets(alice) == 0


@SOURCES
def test_a_user_who_is_gone_is_not_found(directories: DirectoryWorld, candidate: Password | None) -> None:
    alice = directories.add("alice")
    directories.remove(alice)
    with pytest.raises(UserNotFound):
        reset(directories, alice, candidate)


def test_a_candidate_that_the_policy_refuses_is_rejected_and_changes_nothing(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    reset(directories, alice, CANDIDATE)
    with pytest.raises(PasswordRejected):  # the same one again, as CloudSSO's likelier reading has it
        reset(directories, alice, CANDIDATE)
    assert directories.resets(alice) == 1
    assert directories.signs_in(alice, CANDIDATE) == "ok"


# ------------------------------------------------------------------------------------------------- check_resettable


def test_check_resettable_returns_where_resets_are_allowed_and_changes_nothing(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    directories.directory.check_resettable(alice)
    assert directories.resets(alice) == 0


def test_check_resettable_refuses_with_the_reason_where_sso_logon_is_enabled(directories: DirectoryWorld) -> None:
    alice = directories.add("alice")
    directories.enable_sso()
    with pytest.raises(ResetNotAllowed, match="SSO logon"):
        directories.directory.check_resettable(alice)


# ------------------------------------------------------------------------------------------- sso_enabled, the policy


def test_sso_enabled_tells_whether_sso_logon_is(directories: DirectoryWorld) -> None:
    assert directories.directory.sso_enabled() is False
    directories.enable_sso()
    assert directories.directory.sso_enabled() is True


@pytest.mark.parametrize("days", [1, 90, 120])
def test_max_password_age_is_the_policys(directories: DirectoryWorld, days: int) -> None:
    directories.let_passwords_live(days)
    assert directories.directory.max_password_age() == timedelta(days=days)


# ------------------------------------------------------------------------------------------------------------ users


def test_an_empty_directory_has_no_users(directories: DirectoryWorld) -> None:
    assert everybody(directories.directory) == []


def test_users_are_of_every_status_and_described_as_find_describes_them(directories: DirectoryWorld) -> None:
    added = [
        directories.add("alice"),
        directories.add("bob", enabled=False),
        directories.add("carol", synchronized=True),
        directories.opt_in("dave"),
    ]
    listed = everybody(directories.directory)
    assert listed == added
    assert [directories.directory.find(UserRef(id=each.id)) for each in listed] == added


@pytest.mark.parametrize("count", [99, 100, 101, 200, 250])
def test_users_are_listed_to_the_last_page(directories: DirectoryWorld, count: int) -> None:
    directories.crowd(count)
    names = [each.name for each in everybody(directories.directory)]
    assert len(names) == len(set(names)) == count


@pytest.mark.parametrize("fault", ["lose_answer", "shut_down"])
def test_a_listing_whose_later_page_is_not_to_be_had_raises(directories: DirectoryWorld, fault: str) -> None:
    directories.crowd(150)
    users = directories.directory.users()
    assert next(users)[0].name == "crowd000000"
    getattr(directories, fault)("users")
    with pytest.raises(DirectoryUnavailable):
        list(users)


# --------------------------------------------------------------------------------------------------- what all share


@pytest.mark.parametrize("method", METHODS)
def test_a_read_that_is_not_answered_is_told_as_unavailable(directories: DirectoryWorld, method: str) -> None:
    alice = directories.add("alice")
    directories.lose_answer(method)
    with pytest.raises(DirectoryUnavailable):
        call(directories, method, alice)


@pytest.mark.parametrize("method", METHODS)
def test_a_read_that_is_throttled_for_long_is_told_as_unavailable(directories: DirectoryWorld, method: str) -> None:
    alice = directories.add("alice")
    directories.shut_down(method)
    with pytest.raises(DirectoryUnavailable):
        call(directories, method, alice)


@pytest.mark.parametrize("method", METHODS)
def test_a_read_that_is_denied_is_told_as_denied(directories: DirectoryWorld, method: str) -> None:
    alice = directories.add("alice")
    directories.deny(method)
    with pytest.raises(DirectoryDenied):
        call(directories, method, alice)
