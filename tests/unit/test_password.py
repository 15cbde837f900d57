"""Generated candidates satisfy every policy; implausible answers are not passwords."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import password
from shared.model import UserName

NAMES = st.text(string.ascii_letters + string.digits + "@_-.", min_size=1, max_size=64).map(UserName)


@given(NAMES)
def test_a_generated_password_satisfies_the_strictest_policy_there_can_be(name: UserName) -> None:
    made = password.generate(name).reveal()
    assert len(made) == 32
    assert len(set(made)) == 32
    assert all(set(made) & set(characters) for characters in password.CLASSES)
    assert name.casefold() not in made.casefold()


def test_passwords_differ() -> None:
    assert len({password.generate(UserName("alice")).reveal() for _ in range(200)}) == 200


@pytest.mark.parametrize("text", ["W2koInFIm0Wy2wVZ$oB)MzD$nY!G1234", "Aa1!Aa1!", "é" * 8, "two words here"])
def test_an_answer_that_may_be_a_password_is_kept(text: str) -> None:
    assert password.plausible(text)


@pytest.mark.parametrize(
    "text", ["", "short", "a" * 257, " blank at an end", "tab\tinside1", None, 12345678, ["Aa1!Aa1!"], "line\nbreak1"]
)
def test_an_answer_that_cannot_be_a_password_is_not(text: object) -> None:
    assert not password.plausible(text)
