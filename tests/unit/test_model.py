"""Sealed texts do not leave by any of the usual doors."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from shared.errors import quoted
from shared.model import Password, RequestId, ResetReceipt, SecretValue, UserId, UserName, UserRef

PLAIN = "Marker-1234!"


@pytest.mark.parametrize("show", [repr, str, format, "{}".format, "{!r}".format, "{:>40}".format, lambda p: f"{p}"])
def test_a_password_does_not_print_itself(show: Callable[[object], str]) -> None:
    assert PLAIN not in show(Password(PLAIN))
    assert PLAIN not in repr([Password(PLAIN)])
    assert PLAIN not in repr(ResetReceipt(Password(PLAIN), RequestId("1")))


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_password_is_not_serialised(carry: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as raised:
        carry(Password(PLAIN))
    assert PLAIN not in str(raised.value)


def test_a_password_is_not_hashable_and_equals_only_its_kind() -> None:
    with pytest.raises(TypeError):
        hash(Password(PLAIN))
    assert Password(PLAIN) == Password(PLAIN)
    assert Password(PLAIN) != Password("other")
    assert Password(PLAIN) != SecretValue(PLAIN)
    assert Password(PLAIN) != PLAIN


def test_a_user_is_named_in_exactly_one_way() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        UserRef()
    with pytest.raises(ValueError, match="exactly one"):
        UserRef(UserName("a"), UserId("u"))


def test_two_spellings_of_a_name_are_the_same_user_but_an_id_is_not_a_name() -> None:
    assert UserRef(name=UserName("Alice")).key == UserRef(name=UserName("aLICE")).key
    assert UserRef(name=UserName("u-1")).key != UserRef(id=UserId("u-1")).key


@pytest.mark.parametrize("text", ["a\nb", "a\r\x1b[31m", "x" * 5000, "it's", "\u2028", "\ud800"])
def test_quoted_text_is_printable_bounded_and_on_one_line(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) < 140
    assert shown.count("'") == 2
