"""The settings: what the environment says, typed; every problem of it reported at once. Nothing here is secret."""

from __future__ import annotations

import difflib
import ipaddress
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import SettingsError, quoted
from shared.model import DirectoryId, Endpoint, Exemption, PasswordSource, Reason, ResetRequest, SecretName, User

# CloudSSO: endpoints page. Elsewhere the SDK builds a host name that does not exist.
CLOUDSSO_REGIONS = ("cn-shanghai", "cn-hongkong", "ap-northeast-2", "ap-southeast-1", "us-west-1", "eu-central-1")
DEFAULT_TEMPLATE = "cloudsso/{directory_id}/{user_name}"
PUBLIC = Endpoint(None)
LONGEST_SECRET_NAME = 192  # KMS: CreateSecret
MOST_PARALLEL = 64

T = TypeVar("T")


class RequireReset(Enum):
    """When a user must change the new password at the next logon."""

    NEVER = "never"
    ALERTS = "alerts"
    ALWAYS = "always"


class Synchronized(Enum):
    """What to do with users that SCIM provisions."""

    SKIP = "skip"
    ROTATE = "rotate"


@dataclass(frozen=True)
class Settings:
    """What one function is told by its environment."""

    directory_id: DirectoryId
    cloudsso_region: str
    cloudsso_endpoint: Endpoint
    kms_region: str
    kms_endpoint: Endpoint
    kms_instance_id: str | None
    kms_key_id: str | None
    secret_name_template: str
    password_source: PasswordSource
    require_reset: RequireReset
    protected_users: tuple[str, ...]  # globs, case-folded
    synchronized_users: Synchronized
    max_parallel: int
    log_level: str

    @classmethod
    def load(cls, environ: Mapping[str, str], function_region: str | None) -> Settings:
        """Return the settings, or raise one SettingsError that names every problem."""
        read = _Reader(environ)
        endpoint = read("CLOUDSSO_ENDPOINT", "", _endpoint)
        loaded = cls(
            directory_id=DirectoryId(read("CLOUDSSO_DIRECTORY_ID", None, _directory_id)),
            cloudsso_region=read("CLOUDSSO_REGION", None, _cloudsso_region if endpoint == PUBLIC else _region),
            cloudsso_endpoint=endpoint,
            kms_region=read("KMS_REGION", function_region, _region),
            kms_endpoint=read("KMS_ENDPOINT", "", _endpoint),
            kms_instance_id=read("KMS_INSTANCE_ID", "", str) or None,
            kms_key_id=read("KMS_KEY_ID", "", str) or None,
            secret_name_template=read("SECRET_NAME_TEMPLATE", DEFAULT_TEMPLATE, _template),
            password_source=read("PASSWORD_SOURCE", "cloudsso", _one_of(PasswordSource)),
            require_reset=read("REQUIRE_PASSWORD_RESET", "never", _one_of(RequireReset)),
            protected_users=read("PROTECTED_USERS", "", _globs),
            synchronized_users=read("SYNCHRONIZED_USERS", "skip", _one_of(Synchronized)),
            max_parallel=read("MAX_PARALLEL", "8", _count),
            log_level=read("LOG_LEVEL", "INFO", _log_level),
        )
        read.find_misspelt()
        read.raise_problems()
        return loaded

    def secret_name(self, user: User) -> SecretName:
        """Return the name of a user's secret."""
        return SecretName(
            self.secret_name_template.format(directory_id=user.directory_id, user_name=user.name, user_id=user.id)
        )

    def exemption(self, user: User) -> Exemption | None:
        """Return why a user is to be left alone, the firmest reason first; None if it is not."""
        if any(fnmatchcase(user.name.casefold(), glob) for glob in self.protected_users):
            return Exemption.PROTECTED
        if not user.enabled:
            return Exemption.DISABLED
        if user.synchronized and self.synchronized_users is Synchronized.SKIP:
            return Exemption.SYNCHRONIZED
        return None

    def source(self, request: ResetRequest) -> PasswordSource:
        """Return who makes the password for a request."""
        return request.source or self.password_source

    def must_change(self, request: ResetRequest) -> bool:
        """Return whether the user must change the password at the next logon."""
        if request.must_change is not None:
            return request.must_change
        alert = request.reason is Reason.ALERT
        return self.require_reset is RequireReset.ALWAYS or (alert and self.require_reset is RequireReset.ALERTS)


class _Reader:
    """Reads variables one by one and keeps what is wrong with them for the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: list[str] = []
        self._problems: list[str] = []

    def __call__(self, name: str, default: str | None, convert: Callable[[str], T]) -> T:
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
            meant = difflib.get_close_matches(name, self._known, n=1, cutoff=0.9)
            if meant:
                self._problems.append(f"{quoted(name)} is no setting; did you mean {meant[0]}?")

    def raise_problems(self) -> None:
        if self._problems:
            message = " ".join(self._problems)
            raise SettingsError(message)


def _directory_id(text: str) -> str:
    return _matching(r"d-[A-Za-z0-9]{1,60}", text, "must be a directory id such as d-00fc2p61example.")


def _region(text: str) -> str:
    return _matching(r"[a-z]{2}(-[a-z0-9]+)+", text, "must be a region id such as cn-shanghai.")


def _cloudsso_region(text: str) -> str:
    if text in CLOUDSSO_REGIONS:
        return text
    message = (
        f"CloudSSO directories live in {', '.join(CLOUDSSO_REGIONS)}; any other region needs CLOUDSSO_ENDPOINT as well."
    )
    raise ValueError(message)


def _endpoint(text: str) -> Endpoint:
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


def _template(text: str) -> str:
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


def _globs(text: str) -> tuple[str, ...]:
    """Return case-folded globs. A list that cannot be parsed stops everything: nobody is unprotected by a typo."""
    globs = tuple(part.strip() for part in text.split(",")) if text else ()
    for glob in globs:
        if not re.fullmatch(r"[A-Za-z0-9@_.*?-]+", glob):
            message = f"{quoted(glob)} is no user name or glob of one (letters, digits, @_-. and * or ?)."
            raise ValueError(message)
    return tuple(glob.casefold() for glob in globs)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_PARALLEL:
        message = f"must be a whole number from 1 to {MOST_PARALLEL}."
        raise ValueError(message)
    return int(text)


def _log_level(text: str) -> str:
    return _matching(r"DEBUG|INFO|WARNING|ERROR", text.upper(), "must be DEBUG, INFO, WARNING or ERROR.")


Choice = TypeVar("Choice", bound=Enum)


def _one_of(kind: type[Choice]) -> Callable[[str], Choice]:
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
