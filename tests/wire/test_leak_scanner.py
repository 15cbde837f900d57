"""The leak scanner finds what it is there to find; a scanner that finds nothing would pass everything."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RotatorError
from tests.wire.leaks import assert_absent, everything_about, forms

SECRET = 'p/w "q"\\+é ü=&%1!'
OTHER = "quite-another-Passw0rd"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "url": lambda secret: quote(secret, safe=""),
    "form": quote_plus,
    "query": lambda secret: urlencode({"Password": secret}),
    "json": json.dumps,
    "json in json": lambda secret: json.dumps({"Secret": secret}),
    "repr": repr,
    "base64 at 0": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 at 1": lambda secret: base64.b64encode(b"a" + secret.encode() + b"zz").decode(),
    "base64 at 2": lambda secret: base64.b64encode(b"ab" + secret.encode() + b"z").decode(),
    "base64 at 3": lambda secret: base64.b64encode(b'{"' + secret.encode() + b'"}').decode(),
}
CLEAN = [
    "",
    "Password",
    "p/w",
    "An error about user 'alice'; nothing was changed.",
    base64.b64encode(OTHER.encode()).decode(),
    json.dumps({"Password": "******"}),
]


def is_found(text: str, secret: str = SECRET) -> bool:
    try:
        assert_absent({secret}, text, "the text")
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_leak_is_found_in_every_form_in_which_it_travels(encoding: str) -> None:
    assert is_found(f"before {ENCODINGS[encoding](SECRET)} after")
    assert not is_found(f"before {ENCODINGS[encoding](OTHER)} after")


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_passes(text: str) -> None:
    assert not is_found(text)


def test_one_leak_among_several_secrets_is_found_and_told_without_the_secret() -> None:
    with pytest.raises(AssertionError, match=r"secret number 1 is in the log") as raised:
        assert_absent({"aaaa-clean", "bbbb-leaked"}, "xx bbbb-leaked", "the log")
    assert "bbbb" not in str(raised.value)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=40),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_whatever_is_around_it_a_secret_in_base64_is_found(secret: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert is_found(encoded, secret)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=8, max_size=40))
def test_no_form_of_a_secret_is_so_short_that_it_is_found_everywhere(secret: str) -> None:
    assert min(map(len, forms(secret))) >= 4


# ------------------------------------------------------------------------------------------------------- exceptions


def raised_by(act: Callable[[], object]) -> BaseException:
    with pytest.raises(RotatorError) as caught:
        act()
    return caught.value


def in_message() -> None:
    raise RotatorError(f"it was {SECRET}")


def in_args() -> None:
    error = RotatorError("no")
    error.args = ("no", [SECRET])
    raise error


def in_cause() -> None:
    raise RotatorError("no") from ValueError(SECRET)


def in_context() -> None:
    try:
        in_message()
    except RotatorError:
        raise RotatorError("no")  # noqa: B904 - the point


def in_suppressed_context() -> None:
    try:
        in_message()
    except RotatorError:
        raise RotatorError("no") from None


def in_cause_of_context() -> None:
    try:
        in_cause()
    except RotatorError:
        raise RotatorError("no")  # noqa: B904 - the point


def in_locals() -> None:
    password = SECRET
    raise RotatorError("no" if password else "")


def in_locals_below() -> None:
    in_locals()


def in_attribute() -> None:
    error = RotatorError("no")
    error.cure = SECRET
    raise error


def in_attribute_of_context() -> None:
    try:
        in_attribute()
    except RotatorError:
        raise RotatorError("no") from None


LEAKS = [
    in_message,
    in_args,
    in_cause,
    in_context,
    in_suppressed_context,
    in_cause_of_context,
    in_locals,
    in_locals_below,
    in_attribute,
    in_attribute_of_context,
]


def clean() -> None:
    harmless = len("no")
    raise RotatorError("no" * harmless)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_leak_anywhere_in_an_exception_is_found(leak: Callable[[], None]) -> None:
    assert is_found(everything_about(raised_by(leak)))


def test_a_clean_exception_passes() -> None:
    shown = everything_about(raised_by(clean))
    assert "nono" in shown
    assert not is_found(shown)


def test_exceptions_that_go_in_circles_are_shown_once() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    shown = everything_about(one)
    assert "one" in shown
    assert "other" in shown
