"""Why each permission is in a policy: what uses it, how that ends, and how it ends without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.deployment import Deployment
from tests.wire import uses
from tests.wire.scanning import Scanning
from tests.wire.surveys import Surveys
from tests.wire.uses import EVERYTHING, KEPT, LOST, NEW, NOBODY, ONE

Bench = TypeVar("Bench", Deployment, Scanning, Surveys)


@dataclass(frozen=True)
class Need(Generic[Bench]):
    """Why a function has a permission."""

    action: str
    place: str  # of the resource, as policy.json writes it
    purpose: str
    use: Callable[[Bench, str], str]
    ends: str
    without: str
    reading: int | None = None  # the spelling of the resource that KMS asks for (Ram.reading)
    narrower: str = ""  # what is tried instead of a wildcard, and is not enough for the next user


_DIRECTORY = "directory/${CLOUDSSO_DIRECTORY_ID}"
_SECRETS = "secret/cloudsso/${CLOUDSSO_DIRECTORY_ID}/*"
_ONE_USER = "directory/{directory}/user/{user_id}"
_ONE_SECRET = "secret/cloudsso/{directory}/{user}"
_OURS = "secret/cloudsso/{directory}/*"
_ROTATED = f"`rotated`; {NEW}"
_DENIED = f"`directory-denied`; {KEPT}"
_STORE_DENIED = f"`secret-store-denied`; {KEPT}"

ROTATOR: list[Need[Deployment]] = [
    Need(
        "cloudsso:GetUser",
        f"{_DIRECTORY}/user/*",
        "a request by `UserId`",
        uses.by_id,
        _ROTATED,
        _DENIED,
        narrower=_ONE_USER,
    ),
    Need(
        "cloudsso:ListUsers",
        f"{_DIRECTORY}/user/*",
        "a request by `UserName`",
        uses.by_name,
        _ROTATED,
        _DENIED,
        narrower=_ONE_USER,
    ),
    Need(
        "cloudsso:ResetUserPassword",
        f"{_DIRECTORY}/user/*",
        "the reset",
        uses.by_name,
        _ROTATED,
        _DENIED,
        narrower=_ONE_USER,
    ),
    Need(
        "cloudsso:GetExternalSAMLIdentityProvider",
        _DIRECTORY,
        "a dry run's question for SSO logon, and a refused reset's",
        uses.dry_run,
        f"`would-rotate`; {KEPT}",
        _DENIED,
    ),
    Need(
        "cloudsso:GetPasswordPolicy",
        _DIRECTORY,
        "what a refused candidate is told with",
        uses.refused_candidate,
        f"`password-rejected`, with the policy; {KEPT}",
        f"`password-rejected`, the policy is unknown; {KEPT}",
    ),
    Need(
        "kms:CreateSecret",
        "secret",
        "the first rotation, if KMS asks for the container",
        uses.by_name,
        _ROTATED,
        _STORE_DENIED,
        reading=0,
    ),
    Need(
        "kms:CreateSecret",
        "secret/*",
        "the first rotation, if KMS asks for the container with a wildcard",
        uses.by_name,
        _ROTATED,
        _STORE_DENIED,
        reading=1,
        narrower=_OURS,
    ),
    Need(
        "kms:DescribeSecret",
        _SECRETS,
        "what `too-many-attempts` is told with",
        uses.worn_out,
        f"`too-many-attempts`, with what each claim failed of; {KEPT}",
        f"`too-many-attempts`, why is not known; {KEPT}",
        narrower=_ONE_SECRET,
    ),
    Need(
        "kms:ListSecretVersionIds",
        _SECRETS,
        "every rotation's look",
        uses.by_name,
        _ROTATED,
        _STORE_DENIED,
        narrower=_ONE_SECRET,
    ),
    Need(
        "kms:PutSecretValue",
        _SECRETS,
        "the publication, and every claim but the first",
        uses.by_name,
        _ROTATED,
        f"`secret-store-denied`; {LOST}",
        narrower=_ONE_SECRET,
    ),
    Need(
        "kms:TagResource",
        _SECRETS,
        "the index for scans",
        uses.indexed,
        f"`rotated`, `Indexed` is true; {NEW}",
        f"`rotated`, `Indexed` is false; {NEW}",
        narrower=_ONE_SECRET,
    ),
    Need(
        "kms:UpdateSecretVersionStage",
        _SECRETS,
        "taking the stage off its holder, if a claim cannot",
        uses.stuck_stage,
        _ROTATED,
        f"`secret-store-denied`; {NEW}",
        narrower=_ONE_SECRET,
    ),
    Need(
        "kms:GenerateDataKey",
        "key/${KMS_KEY_ID}",
        "writing where secrets have a key of their own",
        uses.by_name,
        _ROTATED,
        _STORE_DENIED,
    ),
]

_SCANNED = f"`scanned`; {ONE}"

SCAN: list[Need[Scanning]] = [
    Need(
        "cloudsso:ListUsers",
        f"{_DIRECTORY}/user/*",
        "the list of users",
        uses.scans,
        _SCANNED,
        f"`directory-denied`; {NOBODY}",
        narrower=_ONE_USER,
    ),
    Need(
        "cloudsso:GetExternalSAMLIdentityProvider",
        _DIRECTORY,
        "the question for SSO logon",
        uses.scans,
        _SCANNED,
        f"`directory-denied`; {NOBODY}",
    ),
    Need(
        "cloudsso:GetPasswordPolicy",
        _DIRECTORY,
        "how long passwords live",
        uses.scans,
        _SCANNED,
        f"`directory-denied`; {NOBODY}",
    ),
    Need(
        "kms:ListSecrets",
        "secret",
        "the list of secrets, if KMS asks for the container",
        uses.scans,
        _SCANNED,
        f"`secret-store-denied`; {NOBODY}",
        reading=0,
    ),
    Need(
        "kms:ListSecrets",
        "secret/*",
        "the list of secrets, if KMS asks for the container with a wildcard",
        uses.scans,
        _SCANNED,
        f"`secret-store-denied`; {NOBODY}",
        reading=1,
        narrower=_OURS,
    ),
    Need(
        "fc:InvokeFunction",
        "functions/${ROTATOR_NAME}-reset-password",
        "handing rotations on",
        uses.scans,
        _SCANNED,
        f"`dispatch-denied`; {NOBODY}",
    ),
]

_MISSING = "`permission-missing`; not shown:"
_UNSEEN = f"{_MISSING} rotations, when they expire, versions"

STATUS: list[Need[Surveys]] = [
    Need(
        "cloudsso:ListUsers",
        f"{_DIRECTORY}/user/*",
        "the list of users",
        uses.shows,
        EVERYTHING,
        f"{_MISSING} users, rotations, when they expire, versions",
        narrower=_ONE_USER,
    ),
    Need(
        "cloudsso:GetExternalSAMLIdentityProvider",
        _DIRECTORY,
        "whether SSO logon is on",
        uses.shows,
        EVERYTHING,
        f"{_MISSING} SSO logon",
    ),
    Need(
        "cloudsso:GetPasswordPolicy",
        _DIRECTORY,
        "how long passwords live",
        uses.shows,
        EVERYTHING,
        f"{_MISSING} the policy, when they expire",
    ),
    Need(
        "kms:ListSecrets",
        "secret",
        "the list of secrets, if KMS asks for the container",
        uses.shows,
        EVERYTHING,
        _UNSEEN,
        reading=0,
    ),
    Need(
        "kms:ListSecrets",
        "secret/*",
        "the list of secrets, if KMS asks for the container with a wildcard",
        uses.shows,
        EVERYTHING,
        _UNSEEN,
        reading=1,
        narrower=_OURS,
    ),
    Need(
        "kms:ListSecretVersionIds",
        _SECRETS,
        "a user's versions: whether a claim is open, and what is current",
        uses.shows,
        EVERYTHING,
        f"{_MISSING} versions",
        narrower=_ONE_SECRET,
    ),
]
