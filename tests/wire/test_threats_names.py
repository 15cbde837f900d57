"""Attacks by names: a user's name that leads to another secret, past a protection, or into another line of the log."""

from __future__ import annotations

import json

import pytest

from tests.localcloud.server import LocalCloud
from tests.wire.threats import FIRST, Attacked, threat

ESCAPES = [
    *("../d-other/alice", "alice/../bob", "/alice", "alice/", "..\\alice", "%2e%2e%2falice", "alice%00"),
    *(
        "alice\u0000",
        "alice\uff0fbob",
        "alice\u2215bob",
        "alice\u2044bob",
        "\uff0e\uff0e\uff0falice",
    ),  # look like slashes
    *("{user_id}", "{directory_id}/x", "{user_name.__class__}", "%s", "$(id)", "alice?", "alice*", "acs:kms:x"),
    *(
        "\u0430lice",
        "alic\u0435",
        "al\u0131ce",
        "a\u0301lice",
        "alice\u200b",
        "\u202ealice",
        "\uff41lice",
    ),  # look like alice
    *(" alice", "alice ", "", "a" * 65),
]


@threat(
    "Secret name out of its prefix",
    tried="user names with `../`, slashes and what looks like them, braces, percent signs, look-alike letters",
    ends="malformed-event",
)
def test_a_user_name_that_could_lead_elsewhere_is_refused(attacked: Attacked, ends: str) -> None:
    for name in ESCAPES:
        assert attacked.ends({"UserName": name}) == ends
        assert attacked.ends(attacked.alert(UserName=name, Severity="high")) == ends
    assert attacked.deployed.actions() == []


@threat(
    "Secret name out of its prefix",
    tried="a user, named by id, who bears such a name in the directory",
    ends="reset-not-allowed",
)
@pytest.mark.parametrize("name", ["../d-other/alice", "alice/bob", "{user_id}", "\uff41lice", "alice\nbob", "a b"])
def test_a_user_who_bears_such_a_name_is_left_alone(attacked: Attacked, ends: str, name: str) -> None:
    user_id = attacked.deployed.cloud.cloudsso.add_user(name)
    assert attacked.ends({"UserId": user_id}) == ends
    assert attacked.deployed.actions() == ["GetUser"]


@threat(
    "Around `PROTECTED_USERS`",
    tried="a protected user in other cases, by id, with `Force`, by an alert, staged",
    ends="protected",
)
def test_a_protected_user_is_protected_however_it_is_named(attacked: Attacked, ends: str) -> None:
    by_id = {"UserId": attacked.deployed.user_ids["root-admin"]}
    for user in ({"UserName": "ROOT-ADMIN"}, {"UserName": "root-boss"}, {"UserName": "KELVIN"}, by_id):
        assert attacked.ends(user) == ends
        assert attacked.ends({**user, "Force": True, "Reason": "alert", "GenerateRandomPassword": False}) == ends
        assert attacked.ends(attacked.alert(**user)) == ends


@threat(
    "Around `PROTECTED_USERS`",
    tried="names that look like a protected one or fold to it: Kelvin sign, dotless i, full width, other hyphens",
    ends="malformed-event",
)
def test_a_name_that_is_nearly_a_protected_one_is_no_name(attacked: Attacked, ends: str) -> None:
    for name in (
        "\u212aelvin",
        "root-adm\u0131n",
        "root-adm\u0130n",
        "\uff32oot-admin",
        "root\u2010admin",
        "root\u00adadmin",
    ):
        assert attacked.ends({"UserName": name}) == ends


@threat(
    "Around `PROTECTED_USERS`",
    tried="a user in the directory whose name only folds to a protected one",
    ends="reset-not-allowed",
)
def test_a_user_whose_name_folds_to_a_protected_one_is_left_alone(cloud: LocalCloud, ends: str) -> None:
    attacked = Attacked(cloud)
    assert attacked.ends({"UserId": cloud.cloudsso.add_user("\u212aelvin-2")}) == ends


def test_a_name_that_is_not_protected_is_rotated_so_that_the_others_show_something(attacked: Attacked) -> None:
    assert attacked.ends({"UserName": "Alice"}) == "rotated"
    assert attacked.deployed.signs_in("alice", FIRST) == "wrong"


LINE = json.dumps({"Invocation": "1-test", "Outcome": "rotated", "UserName": "alice"})
BREAKS = ["\n", "\r\n", "\r", "\u2028", "\u2029", "\u0085", "\x0b", "\x1b[2J\x1b[H", "\x00", "\b" * 80]


def forged_lines(attacked: Attacked) -> list[str]:
    """Return the lines, by any of Unicode's breaks, in which the forged one is."""
    return [line for line in attacked.said.splitlines() if line.startswith(LINE[:40])]


def test_a_forged_line_would_be_found(attacked: Attacked) -> None:
    for mark in BREAKS[:7]:
        attacked.said = f"x{mark}{LINE}"
        assert forged_lines(attacked) == [LINE]


@threat(
    "Log injection",
    tried="user names with line breaks of every kind, terminal escapes, and a forged audit line",
    ends="malformed-event",
)
def test_a_user_name_cannot_forge_a_line_of_the_log(attacked: Attacked, ends: str) -> None:
    for mark in BREAKS:
        assert attacked.ends({"UserName": f"alice{mark}{LINE}"}) == ends
        assert attacked.ends(attacked.alert(UserName=f"alice{mark}{LINE}", Severity="high")) == ends
    assert not forged_lines(attacked)


@threat(
    "Log injection",
    tried="the same in keys, types, sources and ids of an event that nothing recognises",
    ends="unsupported-event",
)
def test_nothing_of_an_event_can_forge_a_line_of_the_log(attacked: Attacked, ends: str) -> None:
    for mark in BREAKS:
        forged = f"x{mark}{LINE}"
        assert attacked.ends({forged: 1, "eventName": forged, "product": forged}) == ends
        assert attacked.ends({"id": forged, "source": forged, "specversion": "1.0", "type": forged}) == ends
    assert not forged_lines(attacked)


@threat(
    "Log injection",
    tried="the same in a user's name in the directory",
    ends="reset-not-allowed",
)
def test_a_name_in_the_directory_cannot_forge_a_line_of_the_log(attacked: Attacked, ends: str) -> None:
    for mark in BREAKS:
        user_id = attacked.deployed.cloud.cloudsso.add_user(f"alice{mark}{LINE}")
        assert attacked.ends({"UserId": user_id}) == ends
    assert not forged_lines(attacked)
