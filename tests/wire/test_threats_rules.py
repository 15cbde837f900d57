"""Attacks on alert rules that match too much, as an operator may write them in rules.json."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from shared.alerts import Rules
from tests.wire.leaks import assert_absent
from tests.wire.threats import Attacked, threat

MARKER = "Marker-Passw0rd!x9"
WIDE = [
    *("@", "*", "keys(@)", "values(@)", "to_array(@)", "[*]", "data", "data.*", "data.* | [0:2]", "*.*", "data.Users"),
    *("data.Users[*].Name", "data.Users[].Name", "data.Users[?Name]", "join(',', data.Users[*].Name)", "to_string(@)"),
    *("to_string(data)", "join('', keys(@))", "length(@)", "data.Users | length(@)", "`true`", "`null`", "data.Nobody"),
]


def let(attacked: Attacked, **fields: object) -> None:
    """Let the rotator have one alert rule, on every event."""
    rules = Rules.load(json.dumps({"Rules": [{"Name": "wide", "When": "@", **fields}]}).encode())
    attacked.deployed.app = replace(attacked.deployed.app, rules=rules)


@threat(
    "A rule that matches too much",
    tried="`UserName` expressions that yield every user, every field or the whole event, on every event",
    ends="malformed-event",
)
@pytest.mark.parametrize("expression", WIDE)
def test_a_rule_yields_one_user_or_nobody(attacked: Attacked, ends: str, expression: str) -> None:
    let(attacked, UserName=expression)
    event = attacked.alert(Users=[{"Name": "alice"}, {"Name": "kelvin"}], Note=MARKER)
    assert attacked.ends(event) == ends
    assert_absent({MARKER}, attacked.said, "what was said")


@threat("A rule that matches too much", tried="a rule that takes the user from a password", ends="password-in-event")
def test_a_rule_is_not_shown_a_password(attacked: Attacked, ends: str) -> None:
    let(attacked, UserName="data.Password")
    assert attacked.ends(attacked.alert(Password=MARKER)) == ends
    assert attacked.ends(attacked.alert(Password="alice")) == ends
    assert_absent({MARKER}, attacked.said, "what was said")


@threat("A rule that matches too much", tried="a misspelt dry run that a rule would recognise", ends="malformed-event")
def test_a_rule_makes_no_rotation_of_a_misspelt_dry_run(attacked: Attacked, ends: str) -> None:
    let(attacked, UserName="UserName")
    assert attacked.ends({"UserName": "alice", "DrRun": True}) == ends
    assert attacked.ends(attacked.queue({"UserName": "alice", "DrRun": True})) == ends


@threat("A rule that matches too much", tried="a rule that names a protected user, whatever happens", ends="protected")
def test_a_rule_reaches_no_protected_user(attacked: Attacked, ends: str) -> None:
    let(attacked, UserName="'ROOT-admin'")
    assert attacked.ends(attacked.alert(Anything="at all")) == ends


def test_a_rule_that_yields_one_user_rotates_so_that_the_others_show_something(attacked: Attacked) -> None:
    let(attacked, UserName="data.Users[0].Name")
    assert attacked.ends(attacked.alert(Users=[{"Name": "alice"}, {"Name": "kelvin"}])) == "rotated"
