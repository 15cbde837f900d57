"""Alert rules: what a file may say, and what a rule makes of a document."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from shared.alerts import Alert, Noise, Rules, Unclear
from shared.errors import SettingsError
from shared.model import Reason, UserId, UserName, UserRef

RULE = {"Name": "leak", "When": "leak", "UserName": "who"}


def load(*rules: object, **more: object) -> Rules:
    return Rules.load(json.dumps({"Rules": rules, **more}).encode())


def complaint(*rules: object, **more: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load(*rules, **more)
    assert "rules.json" in caught.value.cure
    return caught.value.happened


def test_the_first_rule_that_recognises_a_document_decides() -> None:
    rules = load({**RULE, "Name": "one"}, {**RULE, "Name": "two", "When": "@"})
    alice = UserRef(name=UserName("alice"))
    assert rules.match({"leak": 1, "who": "alice"}) == Alert("one", Reason.ALERT, alice, None)
    assert rules.match({"who": "alice"}) == Alert("two", Reason.ALERT, alice, None)
    assert load(RULE).match({"who": "alice"}) is None
    assert load().match({}) is None


@pytest.mark.parametrize(
    ("value", "true"), [(0, True), (0.0, True), ("x", True), ("", False), ([], False), ({}, False)]
)
def test_when_is_true_as_jmespath_defines_it(value: object, *, true: bool) -> None:
    assert (load(RULE).match({"leak": value, "who": "alice"}) is not None) is true


def test_false_and_null_are_not_true() -> None:
    assert load(RULE).match({"leak": False, "who": "alice"}) is load(RULE).match({"leak": None}) is None


def test_a_rule_may_name_a_user_id_a_time_and_a_reason() -> None:
    rules = load({"Name": "r", "When": "@", "UserId": "id", "Since": "at", "Reason": "manual"})
    user = UserRef(id=UserId("u-1"))
    at = datetime(2026, 1, 15, 8, tzinfo=timezone.utc)
    assert rules.match({"id": "u-1", "at": "2026-01-15T08:00:00Z"}) == Alert("r", Reason.MANUAL, user, at)
    assert rules.match({"id": "u-1", "at": 1768464000}) == Alert("r", Reason.MANUAL, user, at)
    assert rules.match({"id": "u-1", "at": 1768464000000}) == Alert("r", Reason.MANUAL, user, at)
    assert rules.match({"id": "u-1"}) == Alert("r", Reason.MANUAL, user, None)


def test_a_rule_may_ignore() -> None:
    assert load({"Name": "ping", "When": "@", "Ignore": True, "Why": "noise"}).match({"a": 1}) == Noise("ping")


@pytest.mark.parametrize("who", [None, 7, "", "a b", ["alice"], {"name": "alice"}, True])
def test_a_user_that_cannot_be_made_out_is_said_without_the_value(who: object) -> None:
    match = load(RULE).match({"leak": 1, "who": who})
    assert isinstance(match, Unclear)
    assert match.why.startswith("its UserName expression yields ")
    assert "a b" not in match.why


def test_a_time_that_cannot_be_made_out_is_said() -> None:
    match = load({**RULE, "Since": "at"}).match({"leak": 1, "who": "alice", "at": "yesterday"})
    assert match == Unclear("leak", Reason.ALERT, "its Since expression yields other text instead of a time")


@pytest.mark.parametrize("at", [10**30, -(10**30), True, 1.5, "2026-02-30T00:00:00Z", "20260115T080000"])
def test_a_time_that_no_calendar_has_is_none(at: object) -> None:
    assert isinstance(load({**RULE, "Since": "at"}).match({"leak": 1, "who": "alice", "at": at}), Unclear)


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-15T09:30:00.25+01:30",
        "20260115T080000.25Z",
        "20260115T030000.250000999-0500",
        "2026-01-15t08:00:00.25z",
    ],
)
def test_every_known_form_of_time_is_read(at: str) -> None:
    match = load({**RULE, "Since": "at"}).match({"leak": 1, "who": "alice", "at": at})
    assert isinstance(match, Alert)
    assert match.since == datetime(2026, 1, 15, 8, 0, 0, 250_000, tzinfo=timezone.utc)


def test_a_when_that_cannot_be_applied_recognises_nothing_and_keeps_nothing_from_the_others() -> None:
    rules = load({**RULE, "Name": "careless", "When": "starts_with(type, 'x')"}, {**RULE, "When": "@"})
    assert isinstance(match := rules.match({"type": 7, "who": "alice"}), Alert)
    assert match.rule == "leak"
    assert rules.stumbling({"type": 7}) == ("careless",)


@pytest.mark.parametrize("field", ["UserName", "Since"])
def test_an_expression_that_cannot_be_applied_after_all_is_unclear(field: str) -> None:
    match = load({**RULE, field: "join(',', @)"}).match({"leak": 1, "who": "alice"})
    assert match == Unclear("leak", Reason.ALERT, f"its {field} expression cannot be applied")


def test_errors_outside_jmespaths_own_are_caught_too() -> None:
    assert load({**RULE, "When": "who[::0]"}).match({"who": [1]}) is None


@pytest.mark.parametrize(("text", "found"), [("role:alice", "alice"), ("a:b:carol", "carol"), (":bob", "bob")])
def test_after_last_takes_a_user_out_of_a_session_name(text: str, found: str) -> None:
    match = load({**RULE, "UserName": "after_last(who, ':')"}).match({"leak": 1, "who": text})
    assert match == Alert("leak", Reason.ALERT, UserRef(name=UserName(found)), None)


def test_after_last_finds_nothing_without_the_mark() -> None:
    match = load({**RULE, "UserName": "after_last(who, ':')"}).match({"leak": 1, "who": "root"})
    assert isinstance(match, Unclear)
    assert "yields null" in match.why


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Nmae": "x"}, "unknown field `Nmae`"),
        ({"When": None}, "`$.When`"),
        ({"When": ""}, "When: it is no JMESPath"),
        ({"When": "a b"}, "When: it is no JMESPath from character 3 on"),
        ({"UserName": "a.'"}, "UserName: it is no JMESPath from character 3 on"),
        ({"Since": "no_such(a)"}, "Since: there is no JMESPath function 'no_such'"),
        ({"When": "a && (b || starts_with(c))"}, "When: starts_with() takes 2 arguments, and is given 1"),
        ({"When": "not_null()"}, "not_null() takes 1 arguments, and is given 0"),
        ({"When": "(" * 5000}, "When: it is no JMESPath"),
        ({"UserId": "who"}, "exactly one of UserName, UserId and Ignore"),
        ({"UserName": None}, "exactly one of"),
        ({"Ignore": True}, "exactly one of"),
        ({"Reason": "because"}, "`$.Reason`"),
        ({"Name": "a b\n"}, "Name must be"),
        ({"UserName": None, "Ignore": True}, "Ignore needs a Why"),
        ({"UserName": None, "Ignore": True, "Why": "x", "Since": "a"}, "neither Since nor Reason"),
        ({"UserName": ""}, "UserName: it is no JMESPath"),
        ({"Since": ""}, "Since: it is no JMESPath"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_place(changed: dict[str, object], says: str) -> None:
    said = complaint(RULE, {**RULE, "Name": "second", **changed})
    assert "Rules[1]" in said
    assert says in said
    assert said.isprintable()


def test_everything_wrong_is_said_at_once() -> None:
    said = complaint({**RULE, "When": "("}, {**RULE, "UserName": "f(x)"}, 7)
    assert all(part in said for part in ("Rules[0] 'leak'", "Rules[1] 'leak'", "Rules[2]", "'leak' is used 2 times"))


def test_the_file_itself_is_held_to_its_form() -> None:
    assert "unknown field `Ruels`" in complaint(RULE, Ruels=[])
    for data in (b"", b"{", b"[]", b'{"Rules": {}}', b"\xff", b'{"Rules": [], "Rules": []}'):
        with pytest.raises(SettingsError):
            Rules.load(data)


def test_functions_that_take_any_number_of_arguments_may_have_them() -> None:
    assert load({**RULE, "When": "not_null(a, b, leak)"}).match({"leak": 1, "who": "alice"})


def test_rules_may_carry_notes() -> None:
    assert load({**RULE, "Note": "why"}, Note="what").match({"leak": 1, "who": "alice"})
