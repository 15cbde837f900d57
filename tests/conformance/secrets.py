"""Throwaway secrets of KMS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alibabacloud_kms20160120 import models

from tests.conformance.account import Account
from tests.conformance.gate import Kms
from tests.conformance.names import Names
from tests.conformance.verdicts import ACCEPTED, outcome_of

GONE = "Forbidden.ResourceNotFound"
LARGEST = 30_720  # bytes
_MARK = "conformance"  # the tag of every secret made here, by which left-over ones are found


class Secrets:
    """What writers, readers and administrators do with secrets; every one made here is deleted again, for good."""

    def __init__(self, client: Kms, account: Account, names: Names) -> None:
        self.made = 0
        self.most = 0  # at the same time
        self._client = client
        self._account = account
        self._names = names
        self._there: set[str] = set()

    def create(self, data: str = "first", version: str = "v1", name: str | None = None) -> str:
        """Create a secret with one version; return its name."""
        name = name or self.name()
        request = models.CreateSecretRequest(
            secret_name=name,
            version_id=version,
            secret_data=data,
            tags=json.dumps([{"TagKey": _MARK, "TagValue": "throwaway"}]),
            dkmsinstance_id=self._account.kms_instance,
            encryption_key_id=self._account.kms_key,
        )
        self._client.create_secret(request)
        return name

    def name(self) -> str:
        """Return a name for a secret; from now on whatever has it is deleted in the end."""
        name = self._names()
        self.made += 1
        self._there.add(name)  # before it is sent: the answer may be lost
        self.most = max(self.most, len(self._there))
        return name

    def put(self, name: str, version: str, data: str, *stages: str, kind: str | None = None) -> None:
        """Put a version, with these stages if any are named."""
        request = models.PutSecretValueRequest(
            secret_name=name,
            version_id=version,
            secret_data=data,
            secret_data_type=kind,
            version_stages=json.dumps(stages) if stages else None,
        )
        self._client.put_secret_value(request)

    def move(self, name: str, stage: str, *, to: str | None = None, away_from: str | None = None) -> None:
        """Put a stage on a version, take it off another, or both."""
        request = models.UpdateSecretVersionStageRequest(
            secret_name=name, version_stage=stage, move_to_version=to, remove_from_version=away_from
        )
        self._client.update_secret_version_stage(request)

    def read(self, name: str, *, version: str | None = None, stage: str | None = None) -> str:
        """Return a value."""
        request = models.GetSecretValueRequest(secret_name=name, version_id=version, version_stage=stage)
        data: str = self._client.get_secret_value(request).body.secret_data
        return data

    def versions(self, name: str, *, all_of_them: bool = True) -> dict[str, set[str]]:
        """Return the versions and their stages; those without a stage only if all are asked for."""
        listed = self.listing(name, all_of_them=all_of_them).version_ids.version_id
        return {one.version_id: set(one.version_stages.version_stage) for one in listed}

    def listing(self, name: str, *, all_of_them: bool = True) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Return ListSecretVersionIds' answer."""
        request = models.ListSecretVersionIdsRequest(
            secret_name=name, include_deprecated="true" if all_of_them else "false", page_size=100
        )
        return self._client.list_secret_version_ids(request).body

    def holder(self, name: str, stage: str) -> str | None:
        """Return the version that carries a stage."""
        found = [version for version, stages in self.versions(name).items() if stage in stages]
        return found[0] if found else None

    def names(self, key: str, value: str) -> list[str]:
        """Return the names that ListSecrets finds by a filter, page after page."""
        found: list[str] = []
        number = 1
        while True:
            request = models.ListSecretsRequest(
                filters=json.dumps([{"Key": key, "Values": [value]}]), page_number=number, page_size=100
            )
            page = self._client.list_secrets(request).body
            found += [secret.secret_name for secret in page.secret_list.secret]
            if number * 100 >= page.total_count:
                return found
            number += 1

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        given = json.dumps([{"TagKey": key, "TagValue": value} for key, value in tags.items()])
        self._client.tag_resource(models.TagResourceRequest(secret_name=name, tags=given))

    def untag(self, name: str, key: str) -> None:
        """Take a tag off."""
        self._client.untag_resource(models.UntagResourceRequest(secret_name=name, tag_keys=json.dumps([key])))

    def tags(self, name: str) -> dict[str, str]:
        """Return the tags."""
        request = models.DescribeSecretRequest(secret_name=name, fetch_tags="true")
        return {tag.tag_key: tag.tag_value for tag in self._client.describe_secret(request).body.tags.tag}

    def delete(self, name: str, *, for_good: bool) -> None:
        """Delete at once and for good, or after the shortest recovery window."""
        request = models.DeleteSecretRequest(
            secret_name=name,
            force_delete_without_recovery="true" if for_good else None,
            recovery_window_in_days=None if for_good else "7",
        )
        self._client.delete_secret(request)

    def restore(self, name: str) -> None:
        """Call a deletion off."""
        self._client.restore_secret(models.RestoreSecretRequest(secret_name=name))

    def find_left_over(self) -> None:
        """Take charge of the secrets that an earlier run has left."""
        self._there |= {name for name in self.names("TagKey", _MARK) if self._names.has_made(name)}

    def clean(self) -> list[str]:
        """Delete every secret that was made; return what could not be, and why."""
        problems = []
        for name in sorted(self._there):
            answer = outcome_of(lambda name=name: self.delete(name, for_good=True))  # type: ignore[misc]
            if answer != ACCEPTED and GONE not in answer:  # one in deletion may have to be restored before
                outcome_of(lambda name=name: self.restore(name))  # type: ignore[misc]
                answer = outcome_of(lambda name=name: self.delete(name, for_good=True))  # type: ignore[misc]
            if answer == ACCEPTED or GONE in answer:
                self._there.discard(name)
            else:
                problems.append(f"secret {name}: {answer}")
        return problems
