"""The settings: what the environment says, typed; every problem of it reported at once. Nothing here is secret.

Each function has its own, exactly what it reads; what both read is `SharedSettings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from shared.model import (
    DirectoryId,
    Endpoint,
    Exemption,
    PasswordSource,
    Reason,
    ResetRequest,
    RotationTarget,
    SecretName,
    User,
)
from shared.variables import (
    PUBLIC,
    Reader,
    cloudsso_region,
    days,
    directory_id,
    endpoint,
    globs,
    log_level,
    one_of,
    region,
    rotation_target,
    template,
    whole,
)

DEFAULT_TEMPLATE = "cloudsso/{directory_id}/{user_name}"
MOST_PARALLEL = 64
MOST_DISPATCHED = 10_000  # by one scan
MOST_LOOKUPS = 100_000  # at the versions of one secret each, by one survey

Loaded = TypeVar("Loaded", bound="SharedSettings")


class RequireReset(Enum):
    """When a user must change the new password at the next logon."""

    NEVER = "never"
    ALERTS = "alerts"
    ALWAYS = "always"


class Synchronized(Enum):
    """What to do with users that SCIM provisions."""

    SKIP = "skip"
    ROTATE = "rotate"


class Onboard(Enum):
    """Which users without a secret a scan gives a first password of ours."""

    NONE = "none"
    TAGGED = "tagged"
    ALL = "all"

    def selects(self, user: User) -> bool:
        """Tell whether a user is to be onboarded."""
        return self is Onboard.ALL or (self is Onboard.TAGGED and user.opted_in)


class SharedSettings(msgspec.Struct, frozen=True):
    """What every function is told: where the directory and the secrets are, and whom to leave alone."""

    directory_id: DirectoryId
    cloudsso_region: str
    cloudsso_endpoint: Endpoint
    kms_region: str
    kms_endpoint: Endpoint
    secret_name_template: str
    protected_users: tuple[str, ...]  # globs, case-folded
    synchronized_users: Synchronized
    max_parallel: int
    log_level: str

    @classmethod
    def load(cls: type[Loaded], environ: Mapping[str, str], function_region: str | None) -> Loaded:  # noqa: PYI019 - Self needs Python 3.11
        """Return the settings, or raise one SettingsError that names every problem."""
        read = Reader(environ)
        loaded = cls(**_shared(read, function_region), **cls._own(read))
        read.find_misspelt()
        read.raise_problems()
        return loaded

    def secret_name(self, user: User) -> SecretName:
        """Return the name of a user's secret."""
        return SecretName(
            self.secret_name_template.format(directory_id=user.directory_id, user_name=user.name, user_id=user.id)
        )

    @property
    def secret_name_prefix(self) -> str:
        """Return what the names of all users' secrets begin with."""
        return self.secret_name_template.partition("{user_")[0].format(directory_id=self.directory_id)

    def exemption(self, user: User) -> Exemption | None:
        """Return why a user is to be left alone, the firmest reason first; None if it is not."""
        if any(fnmatchcase(user.name.casefold(), glob) for glob in self.protected_users):
            return Exemption.PROTECTED
        if not user.enabled:
            return Exemption.DISABLED
        if user.synchronized and self.synchronized_users is Synchronized.SKIP:
            return Exemption.SYNCHRONIZED
        return None

    @classmethod
    def _own(cls, _read: Reader) -> dict[str, Any]:
        return {}


def _shared(read: Reader, function_region: str | None) -> dict[str, Any]:
    at = read("CLOUDSSO_ENDPOINT", "", endpoint)
    return {
        "directory_id": DirectoryId(read("CLOUDSSO_DIRECTORY_ID", None, directory_id)),
        "cloudsso_region": read("CLOUDSSO_REGION", None, cloudsso_region if at == PUBLIC else region),
        "cloudsso_endpoint": at,
        "kms_region": read("KMS_REGION", function_region, region),
        "kms_endpoint": read("KMS_ENDPOINT", "", endpoint),
        "secret_name_template": read("SECRET_NAME_TEMPLATE", DEFAULT_TEMPLATE, template),
        "protected_users": read("PROTECTED_USERS", "", globs),
        "synchronized_users": read("SYNCHRONIZED_USERS", "skip", one_of(Synchronized)),
        "max_parallel": read("MAX_PARALLEL", "8", whole(1, MOST_PARALLEL)),
        "log_level": read("LOG_LEVEL", "INFO", log_level),
    }


class Settings(SharedSettings, frozen=True):
    """What the function that rotates is told besides: how passwords are made and kept."""

    kms_instance_id: str | None
    kms_key_id: str | None
    password_source: PasswordSource
    require_reset: RequireReset

    def source(self, request: ResetRequest) -> PasswordSource:
        """Return who makes the password for a request."""
        return request.source or self.password_source

    def must_change(self, request: ResetRequest) -> bool:
        """Return whether the user must change the password at the next logon."""
        if request.must_change is not None:
            return request.must_change
        alert = request.reason is Reason.ALERT
        return self.require_reset is RequireReset.ALWAYS or (alert and self.require_reset is RequireReset.ALERTS)

    @classmethod
    def _own(cls, read: Reader) -> dict[str, Any]:
        return {
            "kms_instance_id": read("KMS_INSTANCE_ID", "", str) or None,
            "kms_key_id": read("KMS_KEY_ID", "", str) or None,
            "password_source": read("PASSWORD_SOURCE", "cloudsso", one_of(PasswordSource)),
            "require_reset": read("REQUIRE_PASSWORD_RESET", "never", one_of(RequireReset)),
        }


class ScheduleSettings(SharedSettings, frozen=True):
    """What the functions are told besides that reckon who is due when."""

    rotate_before_expiry: timedelta
    spread: timedelta
    onboard: Onboard

    @classmethod
    def _own(cls, read: Reader) -> dict[str, Any]:
        return {
            "rotate_before_expiry": read("ROTATE_BEFORE_EXPIRY_DAYS", "14", days(1, 119)),
            "spread": read("SPREAD_DAYS", "3", days(0, 60)),
            "onboard": read("ONBOARD", "none", one_of(Onboard)),
        }


class ScanSettings(ScheduleSettings, frozen=True):
    """What the function that scans is told besides: which function rotates, and how many at most."""

    rotation_function: RotationTarget
    rotation_endpoint: Endpoint
    scan_limit: int

    @classmethod
    def _own(cls, read: Reader) -> dict[str, Any]:
        return {
            **super()._own(read),
            "rotation_function": read("ROTATION_FUNCTION", None, rotation_target),
            "rotation_endpoint": read("ROTATION_ENDPOINT", "", endpoint),
            "scan_limit": read("SCAN_LIMIT", "100", whole(1, MOST_DISPATCHED)),
        }


class StatusSettings(ScheduleSettings, frozen=True):
    """What the function that shows the state is told besides: how close it looks."""

    lookups: int

    @classmethod
    def _own(cls, read: Reader) -> dict[str, Any]:
        return {**super()._own(read), "lookups": read("STATUS_LOOKUPS", "200", whole(0, MOST_LOOKUPS))}
