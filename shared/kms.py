"""KMS Secrets Manager over its official SDK: the SecretStore port. The only importer of that SDK."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client

from shared import connections, openapi
from shared.errors import (
    SecretExists,
    SecretInDeletion,
    SecretNotFound,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreError,
    SecretStoreUnavailable,
    VersionConflict,
    quoted,
)
from shared.instants import moment, rfc3339
from shared.model import (
    DirectoryId,
    Endpoint,
    Managed,
    RequestId,
    SecretName,
    SecretValue,
    User,
    UserId,
    Version,
    VersionId,
)
from shared.openapi import Failure, Operation
from shared.ports import Clock

# What a documented code means (KMS: common error codes, CreateSecret); by prefix. Checked from the top.
_MEANING: tuple[tuple[str, type[SecretStoreError]], ...] = (
    ("Forbidden.ResourceNotFound", SecretNotFound),
    ("Rejected.ResourceInDeleteWindow", SecretInDeletion),
    ("Rejected.Unavailable", SecretInDeletion),  # "secret status unavailable"; no other cause is known
    ("Forbidden.NoPermission", SecretStoreDenied),
    ("NoPermission", SecretStoreDenied),
    ("Forbidden.AccessKey", SecretStoreDenied),
    ("Forbidden.KmsServiceNotEnabled", SecretStoreDenied),
    ("Forbidden.ProhibitedByRiskControl", SecretStoreDenied),
    ("Forbidden.InDebt", SecretStoreDenied),
    ("Forbidden.Key", SecretStoreDenied),
    ("Forbidden.AliasNotFound", SecretStoreDenied),
    ("Forbidden.DKMSInstance", SecretStoreDenied),
    ("Forbidden.KMSInstance", SecretStoreDenied),
    ("Rejected.Disabled", SecretStoreDenied),  # the encryption key's state, as the next three
    ("Rejected.PendingDeletion", SecretStoreDenied),
    ("Rejected.PendingImport", SecretStoreDenied),
    ("Rejected.StateModifiedFailed", SecretStoreDenied),
    ("InvalidAccessKeyId", SecretStoreDenied),
    ("InvalidSecurityToken", SecretStoreDenied),
    ("SignatureDoesNotMatch", SecretStoreDenied),
    ("IncompleteSignature", SecretStoreDenied),
    ("IllegalTimestamp", SecretStoreDenied),
    ("InvalidTimeStamp", SecretStoreDenied),
    ("Rejected.LimitExceeded", SecretRefused),
)


_VERSION = "2016-01-20"
_LIST_VERSIONS = Operation("ListSecretVersionIds", _VERSION)
_CREATE = Operation("CreateSecret", _VERSION)
_PUT = Operation("PutSecretValue", _VERSION)
_MOVE_STAGE = Operation("UpdateSecretVersionStage", _VERSION)
_TAG = Operation("TagResource", _VERSION)
_DESCRIBE = Operation("DescribeSecret", _VERSION)
_LIST = Operation("ListSecrets", _VERSION)
HINT = timedelta(seconds=2)  # the time that a tag may take to be answered; less than a repetition would need
PAGE = 100  # ListSecrets: the most at a time
LISTINGS = 3  # how often a listing that others change meanwhile is begun
OURS = "cloudsso-rotator"  # the tag ManagedBy
_NOTE = "Attempt"  # how the tags of history.Claim.note begin


class _WireStages(msgspec.Struct, rename="pascal"):
    version_stage: list[str] = []


class _WireVersion(msgspec.Struct, rename="pascal"):
    version_id: str
    create_time: Annotated[datetime, msgspec.Meta(tz=True)]
    version_stages: _WireStages = msgspec.field(default_factory=_WireStages)


class _WireVersions(msgspec.Struct, rename="pascal"):
    version_id: list[_WireVersion]


@openapi.answer_shape
class _VersionsAnswer(msgspec.Struct, rename="pascal"):
    total_count: int
    version_ids: _WireVersions


@openapi.answer_shape
class _WrittenAnswer(msgspec.Struct, rename="pascal"):
    request_id: str
    secret_name: str
    version_id: str


@openapi.answer_shape
class _DoneAnswer(msgspec.Struct, rename="pascal"):
    request_id: str


class _WireTag(msgspec.Struct, rename="pascal"):
    tag_key: str
    tag_value: str = ""  # most secrets are somebody else's: a tag of theirs without a value does not end a scan


class _WireTags(msgspec.Struct, rename="pascal"):
    tag: list[_WireTag] = []


@openapi.answer_shape
class _SecretAnswer(msgspec.Struct, rename="pascal"):
    tags: _WireTags = msgspec.field(default_factory=_WireTags)


class _WireSecret(_SecretAnswer, rename="pascal", kw_only=True):
    secret_name: str
    planned_delete_time: str = ""
    update_time: str = ""  # a hint: one that is no time does not end a scan


class _WireSecrets(msgspec.Struct, rename="pascal"):
    secret: list[_WireSecret]


@openapi.answer_shape
class _SecretsPage(msgspec.Struct, rename="pascal"):
    total_count: int
    page_number: int
    secret_list: _WireSecrets


def prepare() -> None:
    """Import what a rotation needs of the SDK, now rather than at its calls."""
    openapi.load_requests(models, _LIST_VERSIONS, _CREATE, _PUT, _MOVE_STAGE, _TAG)


class KmsSecretStore:
    """The SecretStore port for one region."""

    def __init__(  # noqa: PLR0913 - where, as whom, by which clock, and what a new secret is made with
        self,
        region: str,
        endpoint: Endpoint,
        signer: openapi.Signer,
        clock: Clock,
        *,
        instance_id: str | None = None,
        key_id: str | None = None,
    ) -> None:
        connections.make_safe(clock)
        # Every write here takes effect once, however often it is sent: version ids are write-once, tags are set.
        self._client = Client(openapi.config(signer, region, endpoint, repeat=True))
        self._clock = clock
        self._instance_id = instance_id
        self._key_id = key_id

    def versions(self, secret: SecretName) -> tuple[Version, ...] | None:
        """See SecretStore."""
        # With at most ten versions kept, one page is all of them.
        request = models.ListSecretVersionIdsRequest(
            secret_name=secret, include_deprecated="true", page_number=1, page_size=20
        )
        answer = self._send(_LIST_VERSIONS, request)
        if isinstance(answer, Failure) and answer.code == "Forbidden.ResourceNotFound":
            return None
        listed = _checked(answer, _VersionsAnswer, _LIST_VERSIONS, secret)
        if listed.total_count != len(listed.version_ids.version_id):
            message = f"KMS listed only some of the versions of secret {quoted(secret)}."
            raise SecretStoreUnavailable(message)  # to decide on part of them could mean two rotations at once
        return tuple(_version(version) for version in listed.version_ids.version_id)

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        """See SecretStore."""
        request = models.CreateSecretRequest(
            secret_name=secret,
            version_id=version,
            description=f"Password of CloudSSO user {user.name} in directory {user.directory_id}",
            tags=_tags(
                {"ManagedBy": OURS, "DirectoryId": user.directory_id, "UserId": user.id},
            ),
            dkmsinstance_id=self._instance_id,
            encryption_key_id=self._key_id,
        )
        answer = self._send(_CREATE, request, send_by, value=value)
        if isinstance(answer, Failure) and answer.code == "Rejected.ResourceExist":
            message = f"There is a secret {quoted(secret)} already."
            raise SecretExists(message)
        self._written(answer, _CREATE, secret, version)

    def put(
        self, secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        """See SecretStore."""
        request = models.PutSecretValueRequest(
            secret_name=secret,
            version_id=version,
            version_stages=None if stage is None else msgspec.json.encode([stage]).decode(),
        )
        answer = self._send(_PUT, request, send_by, value=value)
        return self._written(answer, _PUT, secret, version, otherwise=VersionConflict)

    def release(self, secret: SecretName, stage: str, version: VersionId) -> None:
        """See SecretStore."""
        request = models.UpdateSecretVersionStageRequest(
            secret_name=secret, version_stage=stage, remove_from_version=version
        )
        answer = self._send(_MOVE_STAGE, request)
        _checked(answer, _DoneAnswer, _MOVE_STAGE, secret, otherwise=VersionConflict)

    def tag(self, secret: SecretName, tags: Mapping[str, str]) -> None:
        """See SecretStore."""
        request = models.TagResourceRequest(secret_name=secret, tags=_tags(tags))
        # A hint is not worth waiting for: one try, and a short one.
        answer = self._send(_TAG, request, self._clock.now() + HINT, answer_within=HINT)
        _checked(answer, _DoneAnswer, _TAG, secret)

    def tags(self, secret: SecretName) -> Mapping[str, str]:
        """See SecretStore."""
        request = models.DescribeSecretRequest(secret_name=secret, fetch_tags="true")
        described = _checked(self._send(_DESCRIBE, request), _SecretAnswer, _DESCRIBE, secret)
        return _tagged(described)

    def managed(self, directory_id: DirectoryId) -> Iterator[tuple[Managed, ...]]:
        """See SecretStore."""
        # Without a filter: by tag it is cut off at 4,000 secrets, and whether one by name matches prefixes is not said.
        for _ in range(LISTINGS):
            if (yield from self._listing(directory_id)):
                return
        message = f"KMS's list of secrets changed while it was read, {LISTINGS} times over."
        raise SecretStoreUnavailable(message)

    def _listing(self, directory_id: DirectoryId) -> Generator[tuple[Managed, ...], None, bool]:
        """Yield the secrets of one listing, and tell whether nobody can have been left out of it.

        Pages are numbered, so a secret that is deleted moves the next one from the page to come to the page just read.
        That shows as a count that falls, or as fewer secrets than were counted first. One that is created moves others
        the other way, and they are seen twice, and counted once. Where both happen between two pages, a secret may be
        missed after all: its user then counts as unmanaged for this time, and even where ONBOARD selects all of these,
        the rotation finds a version that is new enough and leaves it be.
        """
        number, seen, first, most = 1, set[str](), None, 0
        while True:
            page = self._page(number)
            secrets = page.secret_list.secret
            yield tuple(_managed(secrets, directory_id))
            seen.update(secret.secret_name for secret in secrets)
            count = page.total_count
            if count < most:
                return False
            first, most = count if first is None else first, count
            # A full page that is not the last by the count is not the last, whichever way the count is wrong.
            if len(secrets) < PAGE or number * PAGE == count:
                return len(seen) >= first
            number += 1

    def _page(self, number: int) -> _SecretsPage:
        request = models.ListSecretsRequest(fetch_tags="true", page_number=number, page_size=PAGE)
        page = _checked(self._send(_LIST, request), _SecretsPage, _LIST, None)
        if page.page_number != number:
            message = f"KMS answered ListSecrets for page {number} with another page."
            raise SecretStoreUnavailable(message)
        return page

    def _send(
        self,
        operation: Operation,
        request: Any,  # noqa: ANN401 - the SDK is untyped
        send_by: datetime | None = None,
        *,
        value: SecretValue | None = None,
        answer_within: timedelta | None = None,
    ) -> bytes | Failure:
        def send() -> bytes:
            form = None if value is None else {"SecretData": value.reveal()}
            return operation.call(self._client, request, openapi.runtime(answer_within), form=form)

        with connections.sending_until(self._clock, send_by):
            return openapi.attempt(send)

    def _written(
        self,
        answer: bytes | Failure,
        operation: Operation,
        secret: SecretName,
        version: VersionId,
        *,
        otherwise: type[SecretStoreError] = SecretRefused,
    ) -> RequestId:
        written = _checked(answer, _WrittenAnswer, operation, secret, otherwise=otherwise)
        if written.version_id != version:
            message = (
                f"KMS answered {operation.action} for secret {quoted(secret)} with another version than the one sent."
            )
            raise SecretStoreUnavailable(message)
        return RequestId(written.request_id)


def _version(wire: _WireVersion) -> Version:
    return Version(VersionId(wire.version_id), wire.create_time, frozenset(wire.version_stages.version_stage))


def _managed(secrets: Iterable[_WireSecret], directory_id: DirectoryId) -> Iterator[Managed]:
    for secret in secrets:
        tags = _tagged(secret)
        if tags.get("ManagedBy") == OURS and tags.get("DirectoryId") == directory_id:
            yield Managed(
                SecretName(secret.secret_name),
                rfc3339(tags.get("RotatedAt")),
                in_deletion=bool(secret.planned_delete_time),
                gone_at=moment(secret.planned_delete_time),
                user_id=UserId(tags["UserId"]) if tags.get("UserId") else None,
                updated=rfc3339(secret.update_time),
                notes=tuple(tags[key] for key in sorted(tags) if key.startswith(_NOTE)),
            )


def _tagged(answer: _SecretAnswer) -> dict[str, str]:
    return {tag.tag_key: tag.tag_value for tag in answer.tags.tag}


def _tags(tags: Mapping[str, str]) -> str:
    return msgspec.json.encode([{"TagKey": key, "TagValue": value} for key, value in tags.items()]).decode()


def _checked(
    answer: bytes | Failure,
    shape: type[openapi.Shape],
    operation: Operation,
    secret: SecretName | None,
    *,
    otherwise: type[SecretStoreError] = SecretRefused,
) -> openapi.Shape:
    if isinstance(answer, Failure):
        raise _error(answer, operation, secret, otherwise=otherwise)
    found = openapi.shaped(answer, shape)
    if isinstance(found, openapi.Unreadable):
        message = f"KMS's answer to {operation.action} for {_whom(secret)} cannot be read: {found.what}."
        raise SecretStoreUnavailable(message)
    return found


def _error(
    failure: Failure,
    operation: Operation,
    secret: SecretName | None,
    *,
    otherwise: type[SecretStoreError] = SecretRefused,
) -> SecretStoreError:
    whom = f"{operation.action} for {_whom(secret)} ({failure})."
    if failure.throttled or not failure.refused:
        return SecretStoreUnavailable(f"KMS did not carry out, or did not acknowledge, {whom}")
    meaning = next((error for code, error in _MEANING if failure.code.startswith(code)), otherwise)
    return meaning(f"KMS refused {whom}")


def _whom(secret: SecretName | None) -> str:
    return "all secrets" if secret is None else f"secret {quoted(secret)}"
