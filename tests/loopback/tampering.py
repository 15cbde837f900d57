"""Ways to change a signed request on its way: some leave its canonical form as it is, most do not."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote_plus

from hypothesis import strategies as st

from tests.loopback.signed import Signed

Tampering = Callable[[Signed, st.DrawFn], Signed]

_VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")  # what a header can carry
_ACTIONS = ["DeleteSecret", "GetSecretValue", "ResetUserPassword", "ListUsers", "InvokeFunction", ""]
_NAMES = ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-security-token", "x-acs-new", "host", "content-type"]
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-_.~")


def _drawn_header(signed: Signed, draw: st.DrawFn) -> int:
    return draw(st.integers(0, len(signed.headers) - 1))


def _segments(signed: Signed) -> list[str]:
    return signed.query.split("&")


# --- of no consequence: the canonical form is the same


def reorder_query(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, query="&".join(draw(st.permutations(_segments(signed)))))


def reorder_headers(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, headers=tuple(draw(st.permutations(signed.headers))))


def recase_header_names(signed: Signed, draw: st.DrawFn) -> Signed:
    recase = draw(st.sampled_from([str.upper, str.title, str.lower]))
    return replace(signed, headers=tuple((recase(name), value) for name, value in signed.headers))


def pad_headers(signed: Signed, draw: st.DrawFn) -> Signed:
    pad = draw(st.text(" \t", max_size=3))
    return replace(signed, headers=tuple((name, f"{pad}{value}{pad}") for name, value in signed.headers))


def encode_query_otherwise(signed: Signed, draw: st.DrawFn) -> Signed:
    """Write each value of the query in another way that decodes to the same text."""
    encode = draw(st.sampled_from([_everything, _lower_case, _space_as_hex, _as_little_as_possible]))
    pairs = [segment.partition("=") for segment in _segments(signed)]
    return replace(signed, query="&".join(f"{name}{equals}{encode(value)}" for name, equals, value in pairs))


def _everything(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in unquote_plus(value).encode())


def _lower_case(value: str) -> str:
    return _everything(value).lower()


def _space_as_hex(value: str) -> str:
    return value.replace("+", "%20")


def _as_little_as_possible(value: str) -> str:
    text = unquote_plus(value)
    return "".join(c if c in _UNRESERVED else "".join(f"%{byte:02x}" for byte in c.encode()) for c in text)


def add_empty_segments(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, query=f"&{signed.query}&&" if signed.query else signed.query)


def add_a_proxys_header(signed: Signed, draw: st.DrawFn) -> Signed:
    header = draw(st.sampled_from([("Via", "1.1 proxy"), ("Connection", "close"), ("Accept-Encoding", "gzip")]))
    return replace(signed, headers=(*signed.headers, header))


HARMLESS: list[Tampering] = [
    reorder_query,
    reorder_headers,
    recase_header_names,
    pad_headers,
    encode_query_otherwise,
    add_empty_segments,
    add_a_proxys_header,
]

# --- of whatever consequence


def change_the_method(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, method=draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "post", "Get"])))


def change_the_path(signed: Signed, draw: st.DrawFn) -> Signed:
    other = [signed.path + "/", signed.path + "x", signed.path.upper(), signed.path.replace("%24", "$"), "//", "/."]
    return replace(signed, path=draw(st.sampled_from(other)))


def change_a_character_of_the_query(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, query=_changed(signed.query, draw, st.sampled_from("&=%+;a1A.~*/\xe9 ")))


def change_a_byte_of_the_body(signed: Signed, draw: st.DrawFn) -> Signed:
    body = _changed(signed.body.decode("latin-1"), draw, st.characters(max_codepoint=0xFF))
    return replace(signed, body=body.encode("latin-1"))


def change_a_character_of_a_header(signed: Signed, draw: st.DrawFn) -> Signed:
    place = _drawn_header(signed, draw)
    return _with_header(signed, place, _changed(signed.headers[place][1], draw, _VISIBLE))


def end_a_header_in_a_strange_blank(signed: Signed, draw: st.DrawFn) -> Signed:
    place, blank = _drawn_header(signed, draw), draw(st.sampled_from(["\xa0", "\x85", "\x0b", "\x0c", "\x1c"]))
    value = signed.headers[place][1]
    return _with_header(signed, place, draw(st.sampled_from([value + blank, blank + value])))


def recase(signed: Signed, draw: st.DrawFn) -> Signed:
    """Swap the case of all letters of a header's value, or of the query."""
    place = _drawn_header(signed, draw)
    return draw(
        st.sampled_from(
            [
                _with_header(signed, place, signed.headers[place][1].swapcase()),
                replace(signed, query=signed.query.swapcase()),
            ]
        )
    )


def remove_a_header(signed: Signed, draw: st.DrawFn) -> Signed:
    place = _drawn_header(signed, draw)
    return replace(signed, headers=signed.headers[:place] + signed.headers[place + 1 :])


def add_a_header(signed: Signed, draw: st.DrawFn) -> Signed:
    """Add one, before or after: a second one of a name that is there, or a new one."""
    header = (draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_ACTIONS) | st.text(_VISIBLE, max_size=8)))
    return replace(signed, headers=draw(st.sampled_from([(header, *signed.headers), (*signed.headers, header)])))


def repeat_a_parameter(signed: Signed, draw: st.DrawFn) -> Signed:
    name = draw(st.sampled_from(_segments(signed))).partition("=")[0]
    again = f"{name}={draw(st.sampled_from(['x', '', 'a+b', *_ACTIONS]))}"
    return replace(signed, query=draw(st.sampled_from([f"{again}&{signed.query}", f"{signed.query}&{again}"])))


def move_parameters_to_the_body(signed: Signed, draw: st.DrawFn) -> Signed:
    moved = draw(st.sampled_from(_segments(signed)))
    kept = [segment for segment in _segments(signed) if segment != moved]
    body = b"&".join(part for part in (signed.body, moved.encode()) if part)
    return replace(signed, query="&".join(kept), body=body)


def hide_a_separator(signed: Signed, draw: st.DrawFn) -> Signed:
    """Encode a separator of the query, so that two parameters become one of a long name."""
    separator = draw(st.sampled_from("&="))
    places = [place for place, character in enumerate(signed.query) if character == separator]
    if not places:
        return signed
    place = draw(st.sampled_from(places))
    return replace(signed, query=f"{signed.query[:place]}%{ord(separator):02X}{signed.query[place + 1 :]}")


def show_a_separator(signed: Signed, draw: st.DrawFn) -> Signed:
    return replace(signed, query=signed.query.replace("%26", "&").replace("%3D", "="), body=signed.body[::-1])


def sign_other_headers(signed: Signed, draw: st.DrawFn) -> Signed:
    """Change the list of signed headers."""
    headers = []
    for name, value in signed.headers:
        before, found, after = value.partition("SignedHeaders=")
        if not found:
            headers.append((name, value))
            continue
        listed, comma, rest = after.partition(",")
        names = listed.split(";")
        other = draw(st.permutations(names) | st.lists(st.sampled_from([*names, "x", ""]), max_size=len(names)))
        headers.append((name, f"{before}{found}{';'.join(other)}{comma}{rest}"))
    return replace(signed, headers=tuple(headers))


def _with_header(signed: Signed, place: int, value: str) -> Signed:
    headers = list(signed.headers)
    headers[place] = (headers[place][0], value)
    return replace(signed, headers=tuple(headers))


def _changed(text: str, draw: st.DrawFn, characters: st.SearchStrategy[str]) -> str:
    """Replace, insert or remove characters somewhere."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 2)))
    return text[:start] + draw(st.text(characters, max_size=2)) + text[end:]


ANY: list[Tampering] = [
    *HARMLESS,
    change_the_method,
    change_the_path,
    change_a_character_of_the_query,
    change_a_byte_of_the_body,
    change_a_character_of_a_header,
    end_a_header_in_a_strange_blank,
    recase,
    remove_a_header,
    add_a_header,
    repeat_a_parameter,
    move_parameters_to_the_body,
    hide_a_separator,
    show_a_separator,
    sign_other_headers,
]
