"""Environment variables: read one by one, each into a value of its type, with what is wrong kept for the end.

A converter takes the text of a variable and returns its value, or raises a ValueError that says what it must be.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import string
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import SettingsError, quoted
from shared.model import Endpoint, RotationTarget

# CloudSSO: endpoints page. Elsewhere the SDK builds a host name that does not exist.
CLOUDSSO_REGIONS = ("cn-shanghai", "cn-hongkong", "ap-northeast-2", "ap-southeast-1", "us-west-1", "eu-central-1")
PUBLIC = Endpoint(None)
NEAR = 0.9  # of two names that differ by a slip, in difflib's measure
LONGEST_SECRET_NAME = 192  # KMS: CreateSecret

# Function Compute, CreateFunction: a letter or `_`, then letters, digits, `_` and `-`, at most 128 (services: FC 2.0,
# the same). A qualifier is a version's number, an alias, or LATEST.
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,127}"
_QUALIFIER = r"(?:\.(?P<qualifier>[A-Za-z0-9_-]{1,128}))?"
_FC3_TARGET = re.compile(rf"(?P<name>{_NAME}){_QUALIFIER}")
_FC2_TARGET = re.compile(rf"(?P<service>{_NAME}){_QUALIFIER}/(?P<name>{_NAME})")

T = TypeVar("T")


class Reader:
    """Reads variables one by one and keeps what is wrong with them for the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: list[str] = []
        self._problems: list[str] = []

    def __call__(self, name: str, default: str | None, convert: Callable[[str], T]) -> T:
        """Return what a variable says, or its default does; None: it must be set."""
        self._known.append(name)
        text = self._environ.get(name, "").strip() or default
        if text is None:
            self._problems.append(f"{name} is not set.")
        else:
            try:
                return convert(text)
            except ValueError as error:
                self._problems.append(f"{name}={quoted(text)}: {error}")
        return None  # type: ignore[return-value]  # never used: raise_problems comes before any reader of it

    def find_misspelt(self) -> None:
        """Take a variable that is nearly a setting for a misspelt one: nobody is unprotected by PROTECTED_USER."""
        for name in sorted(self._environ.keys() - set(self._known)):
            near = [each for each in self._known if _may_be_near(name, each)]
            meant = near and difflib.get_close_matches(name, near, n=1, cutoff=NEAR)
            if meant:
                self._problems.append(f"{quoted(name)} is no setting; did you mean {meant[0]}?")

    def raise_problems(self) -> None:
        """Raise a SettingsError that names every problem, if there is any."""
        if self._problems:
            message = " ".join(self._problems)
            raise SettingsError(message)


def _may_be_near(one: str, other: str) -> bool:
    """Tell whether difflib's ratio of two names can reach NEAR, given the characters that only one of them has.

    Hardly any variable's can, and each instance starts with dozens of them.
    """
    in_common = min(len(one) - len(set(one) - set(other)), len(other) - len(set(other) - set(one)))
    return 2 * in_common >= NEAR * (len(one) + len(other))


def directory_id(text: str) -> str:
    """Return the id of a directory."""
    return _matching(r"d-[A-Za-z0-9]{1,60}", text, "must be a directory id such as d-00fc2p61example.")


def region(text: str) -> str:
    """Return the id of a region."""
    return _matching(r"[a-z]{2}(-[a-z0-9]+)+", text, "must be a region id such as cn-shanghai.")


def cloudsso_region(text: str) -> str:
    """Return a region that has a public endpoint of CloudSSO."""
    if text in CLOUDSSO_REGIONS:
        return text
    message = (
        f"CloudSSO directories live in {', '.join(CLOUDSSO_REGIONS)}; any other region needs CLOUDSSO_ENDPOINT as well."
    )
    raise ValueError(message)


def endpoint(text: str) -> Endpoint:
    """Return where a service answers; nothing: at its public endpoint."""
    if not text:
        return PUBLIC
    parts = urlsplit(text if "//" in text else f"//{text}")
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment, "@" in parts.netloc)
    well_formed = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", parts.netloc)
    if not well_formed or any(rest) or not _is_port(well_formed[2]) or parts.scheme not in ("", "https", "http"):
        message = "must be host, host:port, https://host or, for a loopback host only, http://host:port."
        raise ValueError(message)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        message = "http:// would send passwords in the clear; it is accepted for loopback hosts only."
        raise ValueError(message)
    return Endpoint(parts.netloc, "HTTP" if parts.scheme == "http" else "HTTPS")


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text[1:]) < 1 << 16


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def template(text: str) -> str:
    """Return a template that gives every user a secret name of its own, which KMS accepts."""
    try:
        parts = [(field, spec or conversion) for _, field, spec, conversion in string.Formatter().parse(text)]
        name = text.format(directory_id="d-" + 20 * "0", user_name=64 * "u", user_id="u-" + 30 * "0")
    except (ValueError, KeyError, IndexError, AttributeError):
        parts, name = [(None, "unreadable")], ""
    fields = {field for field, _ in parts if field is not None}
    if (
        any(changed for _, changed in parts)
        or not fields <= {"directory_id", "user_name", "user_id"}
        or not fields & {"user_name", "user_id"}
    ):
        message = "must contain {user_name} or {user_id}, may contain {directory_id}, and no other braces."
        raise ValueError(message)
    # KMS: CreateSecret. A user name adds at most 64 characters, a user id fewer.
    if (
        not re.fullmatch(r"[A-Za-z0-9_/+=.@-]+", name)
        or name.startswith("acs/")
        or len(name) + 80 > LONGEST_SECRET_NAME
    ):
        message = "must give a name of letters, digits and _/+=.@- that is short and does not begin with acs/."
        raise ValueError(message)
    return text


def globs(text: str) -> tuple[str, ...]:
    """Return case-folded globs. A list that cannot be parsed stops everything: nobody is unprotected by a typo."""
    globs = tuple(part.strip() for part in text.split(",")) if text else ()
    for glob in globs:
        if not re.fullmatch(r"[A-Za-z0-9@_.*?-]+", glob):
            message = f"{quoted(glob)} is no user name or glob of one (letters, digits, @_-. and * or ?)."
            raise ValueError(message)
    return tuple(glob.casefold() for glob in globs)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
            message = f"must be a whole number from {least} to {most}."
            raise ValueError(message)
        return int(text)

    return convert


def days(least: int, most: int) -> Callable[[str], timedelta]:
    """Return what reads a number of whole days within bounds."""
    number = whole(least, most)
    return lambda text: timedelta(days=number(text))


def rotation_target(text: str) -> RotationTarget:
    """Return the function that `name[.qualifier]` (FC 3.0) or `service[.qualifier]/name` (FC 2.0) means."""
    match = _FC3_TARGET.fullmatch(text) or _FC2_TARGET.fullmatch(text)
    if match is None:
        message = "must be function[.qualifier] (FC 3.0) or service[.qualifier]/function (FC 2.0)."
        raise ValueError(message)
    parts = match.groupdict()
    return RotationTarget(parts["name"], parts["qualifier"], parts.get("service"))


def log_level(text: str) -> str:
    """Return a level of the standard library's logging."""
    return _matching(r"DEBUG|INFO|WARNING|ERROR", text.upper(), "must be DEBUG, INFO, WARNING or ERROR.")


Choice = TypeVar("Choice", bound=Enum)


def one_of(kind: type[Choice]) -> Callable[[str], Choice]:
    """Return what reads one of an enumeration's values."""

    def convert(text: str) -> Choice:
        values = {str(member.value): member for member in kind}
        if text not in values:
            message = f"must be one of {', '.join(values)}."
            raise ValueError(message)
        return values[text]

    return convert


def _matching(pattern: str, text: str, otherwise: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(otherwise)
    return text
