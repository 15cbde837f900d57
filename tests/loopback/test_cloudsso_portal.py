"""CloudSSO as a user meets it: which password the portal takes, and which passwords the policy takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.cloudsso.policy import PasswordHash, PasswordPolicy
from tests.localcloud.cloudsso.service import CloudSSO
from tests.localcloud.state import MemoryStore
from tests.loopback.directly import Caller, Switchboard

DAY = 24 * 3600
REFUSED = "400 InvalidParameter.Password"


class Portal:
    """One user, `alice`, and what can be done to her password."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.switches = Switchboard()
        self.service = CloudSSO(self.clock, self.switches, MemoryStore())
        self.user_id = self.service.add_user("alice")
        self.call = Caller(self.service, DirectoryId=self.service.directory_id, UserId=self.user_id)

    def reset(self, password: str, **params: str) -> None:
        self.call("ResetUserPassword", Password=password, **params)

    def refused(self, password: str) -> str:
        return self.call.refused("ResetUserPassword", Password=password)

    def answer(self, password: str) -> str:
        return self.service.sign_in("alice", password).answer


@pytest.fixture
def portal() -> Portal:
    return Portal()


def numbered(number: int) -> str:
    return f"Aa1$word-{number}"


# --- sign-in


def test_a_user_without_a_password_cannot_sign_in(portal: Portal) -> None:
    assert portal.answer("") == "no-password"


def test_an_unknown_user_is_told_so_and_a_known_one_is_found_in_any_case(portal: Portal) -> None:
    portal.reset(numbered(1))
    assert portal.service.sign_in("bob", numbered(1)).answer == "unknown-user"
    signed_in = portal.service.sign_in("ALICE", numbered(1))
    assert (signed_in.answer, signed_in.user_id) == ("ok", portal.user_id)


def test_a_disabled_user_cannot_sign_in_and_an_enabled_one_can_again(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.call("UpdateUserStatus", NewStatus="Disabled")
    assert portal.answer(numbered(1)) == "disabled"
    portal.call("UpdateUserStatus", NewStatus="Enabled")
    assert portal.answer(numbered(1)) == "ok"


def test_nobody_signs_in_with_a_password_while_sso_logon_is_enabled(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.call("SetExternalSAMLIdentityProvider", SSOStatus="Enabled")
    assert portal.answer(numbered(1)) == "sso"


def test_too_many_wrong_passwords_lock_for_one_hour(portal: Portal) -> None:
    portal.reset(numbered(1))
    assert [portal.answer("wrong") for _ in range(5)] == ["wrong"] * 5
    assert portal.answer(numbered(1)) == "locked"
    portal.clock.shift(3590)
    assert portal.answer(numbered(1)) == "locked"
    portal.clock.shift(20)
    assert portal.answer(numbered(1)) == "ok"


def test_after_a_lock_the_count_starts_anew(portal: Portal) -> None:
    portal.reset(numbered(1))
    for _ in range(5):
        portal.answer("wrong")
    portal.clock.shift(3601)
    assert [portal.answer("wrong") for _ in range(4)] == ["wrong"] * 4
    assert portal.answer(numbered(1)) == "ok"


def test_the_right_password_clears_the_count(portal: Portal) -> None:
    portal.reset(numbered(1))
    for _ in range(3):
        assert [portal.answer("wrong") for _ in range(4)] == ["wrong"] * 4
        assert portal.answer(numbered(1)) == "ok"


def test_max_login_attempts_0_never_locks(portal: Portal) -> None:
    portal.call("SetPasswordPolicy", MaxLoginAttempts="0")
    portal.reset(numbered(1))
    assert {portal.answer("wrong") for _ in range(40)} == {"wrong"}
    assert portal.answer(numbered(1)) == "ok"


@pytest.mark.parametrize(("unlocks", "expected"), [(True, "ok"), (False, "locked")])
def test_a_reset_unlocks_only_if_the_switch_says_so(portal: Portal, unlocks: bool, expected: str) -> None:  # noqa: FBT001 - the switch itself
    portal.switches.turn(reset_unlocks=unlocks)
    portal.reset(numbered(1))
    for _ in range(5):
        portal.answer("wrong")
    portal.reset(numbered(2))
    assert portal.answer(numbered(2)) == expected


def test_a_password_expires_after_its_age_and_a_reset_restarts_the_clock(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.clock.shift(90 * DAY - 60)
    assert portal.answer(numbered(1)) == "ok"
    portal.clock.shift(120)
    assert portal.answer(numbered(1)) == "expired"
    portal.reset(numbered(2))
    assert portal.answer(numbered(2)) == "ok"


def test_a_shorter_age_applies_to_passwords_that_exist(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.clock.shift(2 * DAY)
    portal.call("SetPasswordPolicy", MaxPasswordAge="1")
    assert portal.answer(numbered(1)) == "expired"


def test_the_portal_prompts_from_twenty_days_before_expiry(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.clock.shift(70 * DAY - 60)
    assert not portal.service.sign_in("alice", numbered(1)).expiring
    portal.clock.shift(120)
    assert portal.service.sign_in("alice", numbered(1)).expiring


# --- changing one's own password


def test_a_forced_change_makes_the_stored_password_stale(portal: Portal) -> None:
    portal.reset(numbered(1), RequirePasswordResetForNextLogin="True")
    assert portal.answer(numbered(1)) == "change-required"
    assert portal.service.change_password("alice", numbered(1), numbered(2)).answer == "ok"
    assert portal.answer(numbered(1)) == "wrong"
    assert portal.answer(numbered(2)) == "ok"


def test_a_change_is_not_a_reset(portal: Portal) -> None:
    portal.reset(numbered(1))
    portal.service.change_password("alice", numbered(1), numbered(2))
    assert len(portal.service.resets(portal.user_id)) == 1


@pytest.mark.parametrize("settable", [True, False])
def test_a_change_obeys_the_policy_and_must_bring_a_new_password(portal: Portal, settable: bool) -> None:  # noqa: FBT001 - the switch itself
    portal.switches.turn(current_password_settable=settable)
    portal.reset(numbered(1), RequirePasswordResetForNextLogin="True")
    for new in ("weak", numbered(1)):
        with pytest.raises(ApiError, match=r"InvalidParameter\.Password"):
            portal.service.change_password("alice", numbered(1), new)
    assert portal.answer(numbered(1)) == "change-required"


def test_a_change_with_the_wrong_or_an_expired_password_changes_nothing(portal: Portal) -> None:
    portal.reset(numbered(1))
    assert portal.service.change_password("alice", "wrong", numbered(2)).answer == "wrong"
    assert portal.service.change_password("bob", numbered(1), numbered(2)).answer == "unknown-user"
    portal.clock.shift(91 * DAY)
    assert portal.service.change_password("alice", numbered(1), numbered(2)).answer == "expired"


# --- what the policy takes


@pytest.mark.parametrize(
    "password",
    ["Aa1$", "Aa1$567", "Aa1$" * 9, "aa1$aaaa", "AA1$AAAA", "Aaa$aaaa", "Aa1aaaaa", "Aa1$Alice", "Aa1$\N{SNOWMAN}xyz"],
)
def test_a_password_that_breaks_a_rule_is_refused_and_changes_nothing(portal: Portal, password: str) -> None:
    portal.reset(numbered(1))
    assert portal.refused(password) == REFUSED
    assert portal.answer(numbered(1)) == "ok"


@pytest.mark.parametrize("password", ["Aa1$5678", "Aa1$" * 8, "Aa1$ +b&"])
def test_a_password_at_the_edge_of_the_rules_is_taken(portal: Portal, password: str) -> None:
    portal.reset(password)
    assert portal.answer(password) == "ok"


def test_a_password_needs_as_many_different_characters_as_the_policy_says(portal: Portal) -> None:
    portal.call("SetPasswordPolicy", MinPasswordDifferentChars="5")
    assert portal.refused("Aa1$" * 2) == REFUSED
    portal.reset("Aa1$" * 2 + "b")


def test_the_user_name_may_be_contained_if_the_policy_says_so(portal: Portal) -> None:
    portal.call("SetPasswordPolicy", PasswordNotContainUsername="false")
    portal.reset("Aa1$alice")


def test_a_refusal_does_not_quote_the_password(portal: Portal) -> None:
    with pytest.raises(ApiError) as caught:
        portal.reset("Aa1$Alice-secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "code", ["400 InvalidParameter.Password", "400 PasswordPolicyViolation", "409 OperationConflict.Password"]
)
def test_the_code_of_a_refused_password_is_the_switch_s(portal: Portal, code: str) -> None:
    portal.switches.turn(password_refused=code)
    assert portal.refused("weak") == code


# --- history


@pytest.mark.parametrize("count", [0, 1, 3, 24])
def test_as_many_passwords_before_the_live_one_are_refused_as_the_policy_says(portal: Portal, count: int) -> None:
    portal.call("SetPasswordPolicy", PasswordReusePrevention=str(count))
    for number in range(27):
        portal.reset(numbered(number))
    refused = range(26 - count, 26)
    assert {portal.refused(numbered(number)) for number in refused} <= {REFUSED}
    portal.reset(numbered(25 - count))


@pytest.mark.parametrize("count", ["0", "1"])
def test_the_live_password_is_refused_by_the_switch_even_without_a_history(portal: Portal, count: str) -> None:
    portal.call("SetPasswordPolicy", PasswordReusePrevention=count)
    portal.reset(numbered(1))
    assert portal.refused(numbered(1)) == REFUSED


@pytest.mark.parametrize("count", ["0", "1", "24"])
def test_the_live_password_is_settable_by_the_switch_as_often_as_wanted(portal: Portal, count: str) -> None:
    portal.switches.turn(current_password_settable=True)
    portal.call("SetPasswordPolicy", PasswordReusePrevention=count)
    for _ in range(3):
        portal.reset(numbered(1))
    assert portal.answer(numbered(1)) == "ok"
    assert len(portal.service.resets(portal.user_id)) == 3


def test_setting_the_live_password_again_does_not_push_another_out_of_the_history(portal: Portal) -> None:
    portal.switches.turn(current_password_settable=True)
    for number in (1, 2, 2):
        portal.reset(numbered(number))
    assert portal.refused(numbered(1)) == REFUSED


def test_setting_the_live_password_again_restarts_its_age(portal: Portal) -> None:
    portal.switches.turn(current_password_settable=True)
    portal.reset(numbered(1))
    portal.clock.shift(89 * DAY)
    portal.reset(numbered(1))
    portal.clock.shift(2 * DAY)
    assert portal.answer(numbered(1)) == "ok"


# --- generation and hashes


@given(st.integers(0, 32), st.from_regex(r"[0-9A-Za-z@_.-]{1,64}", fullmatch=True))
def test_every_generated_password_satisfies_the_policy(different: int, user_name: str) -> None:
    policy = PasswordPolicy(min_password_length=32, min_password_different_chars=different)
    password = policy.generate(user_name)
    assert policy.complaint(password, user_name) is None
    assert len(password) == 32


def test_a_hash_knows_its_password_and_no_two_hashes_are_alike() -> None:
    first, second = PasswordHash.of("secret"), PasswordHash.of("secret")
    assert first.matches("secret")
    assert not first.matches("Secret")
    assert first != second
