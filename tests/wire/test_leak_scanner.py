"""The leak scanner finds what it is there to find; a scanner that finds nothing would pass everything."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RotatorError
from tests.wire.leaks import SHORTEST, Scanner, assert_absent, everything_about, needles

pytestmark = pytest.mark.evidence  # docs/evidence.md says that all of these are found
SECRET = 'p/w "q"\\+é ü=&%1!'
OTHER = "quite-another-Passw0rd"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "url": lambda secret: quote(secret, safe=""),
    "url in lower case": lambda secret: re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
    "form": quote_plus,
    "query": lambda secret: urlencode({"Password": secret}),
    "json": json.dumps,
    "json in json": lambda secret: json.dumps({"Secret": secret}),
    "repr": repr,
    "base64 at 0": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 at 1": lambda secret: base64.b64encode(b"a" + secret.encode() + b"zz").decode(),
    "base64 at 2": lambda secret: base64.b64encode(b"ab" + secret.encode() + b"z").decode(),
    "base64 at 3": lambda secret: base64.b64encode(b'{"' + secret.encode() + b'"}').decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(b"a" + secret.encode() + b"z").decode(),
    "base64 of UTF-16": lambda secret: base64.b64encode(f"a{secret}z".encode("utf-16-le")).decode(),
    "a form of JSON": lambda secret: urlencode({"SecretData": json.dumps({"Password": secret})}),
    "base64 of JSON": lambda secret: base64.b64encode(json.dumps({"Password": secret}).encode()).decode(),
    "JSON in JSON in JSON": lambda secret: json.dumps(json.dumps(json.dumps({"Password": secret}))),
    "JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON for HTML": lambda secret: json.dumps(secret).replace("&", "\\u0026").replace("/", "\\/"),
    "JSON, all escaped": lambda secret: "".join(f"\\u{ord(character):04x}" for character in secret),
    "JSON, all ESCAPED": lambda secret: "".join(f"\\u{ord(character):04X}" for character in secret),
    "repr of bytes": lambda secret: repr(json.dumps({"Password": secret}).encode()),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "HEXADECIMAL": lambda secret: secret.encode().hex().upper(),
    "UTF-16": lambda secret: secret.encode("utf-16-le").decode("latin-1"),
    "UTF-16 in hexadecimal": lambda secret: secret.encode("utf-16-le").hex(),
    "backwards": lambda secret: secret[::-1],
    "backwards in base64": lambda secret: base64.b64encode(secret[::-1].encode()).decode(),
    "the first half": lambda secret: secret[: len(secret) // 2],
    "the second half": lambda secret: secret[len(secret) // 2 :],
    "half of it backwards": lambda secret: secret[: len(secret) // 2][::-1],
    "halves on two lines": lambda secret: f"{secret[:9]}\n{secret[9:]}",
    "halves on two lines, the second first": lambda secret: f"{secret[9:]}\n{secret[:9]}",
    "halves on two lines, backwards": lambda secret: f"{secret[:9][::-1]}\r\n{secret[9:][::-1]}",
    "halves, indented": lambda secret: f"{secret[:5]}\n    {secret[5:]}",
    "halves, escaped line break": lambda secret: f"{secret[:5]}\\n{secret[5:]}",
}
CLEAN = [
    "",
    "Password",
    "p/w",
    "An error about user 'alice'; nothing was changed.",
    base64.b64encode(OTHER.encode()).decode(),
    json.dumps({"Password": "******"}),
]


CUTS = range(1, len(SECRET))


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


@pytest.mark.parametrize("at", CUTS)
def test_a_leak_is_found_wherever_it_is_cut_in_two(at: int) -> None:
    assert is_found(f"before {SECRET[:at]}\nbetween {SECRET[at:]} after")


@pytest.mark.parametrize("width", [7, 20, 76])
def test_a_leak_is_found_on_any_number_of_lines(width: int) -> None:
    encoded = base64.b64encode(b"a" + 4 * SECRET.encode()).decode()
    assert is_found("\n".join(encoded[at : at + width] for at in range(0, len(encoded), width)))


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
    assert min(map(len, needles(secret))) >= SHORTEST // 2


def test_each_of_many_secrets_is_found_by_its_own_name() -> None:
    secrets = {f"{number:05}-Secret-of-somebody-{number * 7919 % 99991:05}" for number in range(500)}
    scanner = Scanner(secrets)
    leaked = set(sorted(secrets)[::50])
    encoded = " ".join(base64.b64encode(secret.encode()).decode() for secret in sorted(leaked))
    assert leaked <= scanner.found(encoded)
    assert scanner.found("nothing of anybody's") == set()


def test_a_scanner_learns_of_more_secrets() -> None:
    scanner = Scanner({OTHER})
    assert scanner.found(SECRET) == set()
    scanner.add({SECRET})
    assert scanner.found(f"{SECRET} {OTHER}") == {SECRET, OTHER}


@dataclass
class Holder:
    hidden: str = field(repr=False)
    shown: str = "nothing"


class Frank:
    def __rich_repr__(self) -> Iterator[str]:
        yield SECRET


def with_local(value: object) -> Callable[[], None]:
    def fail() -> None:
        here = value
        raise RotatorError("no" if here else "")

    return fail


def test_local_variables_are_looked_at_as_rich_shows_them() -> None:
    assert is_found(everything_about(raised_by(with_local(Frank()))))
    assert is_found(everything_about(raised_by(with_local({"a": [Holder("", SECRET)]}))))
    assert not is_found(everything_about(raised_by(with_local(Holder(SECRET)))))


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
