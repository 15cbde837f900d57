"""The account that is tried: read from the environment for a real one, made by the rehearsal for the loopback one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A name of users, secrets and functions alike; and nobody calls what is needed like that.
_PREFIX = re.compile(r"(?=.{1,32}$)([a-z][a-z0-9-]*-)?conformance-([a-z0-9-]*-)?")
PREFIX_IS = (
    "CONFORMANCE_PREFIX is lower-case letters, digits and hyphens, at most 32, has the word conformance, and ends in a "
    "hyphen: whatever has such a name may be deleted"
)
_ENDPOINT = re.compile(r"(127\.0\.0\.1|localhost):[0-9]+")

_NEEDED = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "the key of a role that may do what the plan lists",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "its secret",
    "CLOUDSSO_DIRECTORY_ID": "the directory in which throwaway users are created",
    "CLOUDSSO_REGION": "its region",
    "KMS_REGION": "the region in which throwaway secrets are created",
    "CONFORMANCE_PREFIX": "what every throwaway name begins with, such as rotator-conformance-",
}
CONFIRM = "CONFORMANCE_CONFIRM"


@dataclass(frozen=True)
class Key:
    """Who calls."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class Account:
    """Where to try, as whom, and what is allowed beyond throwaway users and secrets."""

    key: Key
    directory_id: str
    directory_region: str
    kms_region: str
    fc_region: str
    prefix: str
    kms_instance: str | None = None
    kms_key: str | None = None
    function: str | None = None  # of tests/conformance/function; its name begins with the prefix
    synchronized_user: str | None = None  # the id of a throwaway user that SCIM keeps
    may_enable_sso: bool = False
    endpoint: str | None = None  # host:port of a loopback cloud, over plain HTTP; None: Alibaba Cloud's own

    def __post_init__(self) -> None:
        """Refuse a prefix that everybody's names have, however it came here."""
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(PREFIX_IS)


class SettingsError(Exception):
    """Everything that is wrong with the environment, one problem a line."""


def from_environment(environ: Mapping[str, str]) -> Account:
    """Return the account that the environment describes; nobody is asked anything yet."""
    given = {name: value for name, value in environ.items() if value}
    problems = [f"{name} is not set: {what}" for name, what in _NEEDED.items() if name not in given]
    problems += _ill_formed(given)
    if problems:
        raise SettingsError("\n".join(problems))
    key = Key(
        given["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        given["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        given.get("ALIBABA_CLOUD_SECURITY_TOKEN"),
    )
    return Account(
        key=key,
        directory_id=given["CLOUDSSO_DIRECTORY_ID"],
        directory_region=given["CLOUDSSO_REGION"],
        kms_region=given["KMS_REGION"],
        fc_region=given.get("FC_REGION", given["KMS_REGION"]),
        prefix=given["CONFORMANCE_PREFIX"],
        kms_instance=given.get("KMS_INSTANCE_ID"),
        kms_key=given.get("KMS_KEY_ID"),
        function=given.get("CONFORMANCE_FUNCTION"),
        synchronized_user=given.get("CONFORMANCE_SYNCHRONIZED_USER_ID"),
        may_enable_sso=_allows_sso(given),
        endpoint=given.get("CONFORMANCE_ENDPOINT"),
    )


def is_confirmed(environ: Mapping[str, str], account: Account) -> bool:
    """Tell whether somebody has read the plan: the confirmation names the directory, so that it fits no other."""
    return environ.get(CONFIRM) == account.directory_id


def _ill_formed(given: Mapping[str, str]) -> list[str]:
    prefix, function = given.get("CONFORMANCE_PREFIX", ""), given.get("CONFORMANCE_FUNCTION")
    problems = []
    if prefix and not _PREFIX.fullmatch(prefix):
        problems.append(PREFIX_IS)
    if function and not function.startswith(prefix):
        problems.append("CONFORMANCE_FUNCTION does not begin with CONFORMANCE_PREFIX")
    if "CONFORMANCE_ALLOW_SSO" in given and not _allows_sso(given):
        problems.append("CONFORMANCE_ALLOW_SSO is not the id of the directory: enabling SSO logon locks its users out")
    if not _ENDPOINT.fullmatch(given.get("CONFORMANCE_ENDPOINT", "localhost:80")):
        problems.append("CONFORMANCE_ENDPOINT is not on this machine: passwords would go there in the clear")
    return problems


def _allows_sso(given: Mapping[str, str]) -> bool:
    return "CLOUDSSO_DIRECTORY_ID" in given and given.get("CONFORMANCE_ALLOW_SSO") == given["CLOUDSSO_DIRECTORY_ID"]
