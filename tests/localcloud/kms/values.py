"""KMS's calls about the values of a secret: put, get, list versions, move stages.

Source: the pages of PutSecretValue, GetSecretValue, ListSecretVersionIds and UpdateSecretVersionStage.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tests.localcloud.api import ApiError, Call, Handler, Json
from tests.localcloud.kms import names
from tests.localcloud.kms.secrets import GENERIC, Secret, Shelf
from tests.localcloud.kms.versions import CURRENT, PREVIOUS, Version, Versions
from tests.localcloud.parameters import (
    choice,
    flag,
    optional,
    refusal,
    refuse_invalid,
    refuse_missing,
    required,
    shown,
    whole,
)

_BUILT_IN = (CURRENT, PREVIOUS)


@dataclass(frozen=True)
class ValueCalls:
    """The calls, on one shelf of secrets."""

    shelf: Shelf

    def handlers(self) -> dict[str, Handler]:
        """Return the calls by their names."""
        return {
            "PutSecretValue": self._put,
            "GetSecretValue": self._get,
            "ListSecretVersionIds": self._list,
            "UpdateSecretVersionStage": self._update_stage,
        }

    def _put(self, call: Call) -> Json:
        name, stages = names.named(call), names.version_stages(call)
        asked = read_version(call, self.shelf)
        secret = self.shelf.usable(name)
        if secret.secret_type != GENERIC:
            refuse_invalid("SecretName", "names a secret that is not generic")
        kept = secret.versions.find(asked.version_id)
        versions = self._repeated(secret, kept, asked, stages) if kept else self._added(secret, asked, stages)
        self._keep(secret, versions)
        return {"SecretName": name, "VersionId": asked.version_id, **_stages_shown(versions.get(asked.version_id))}

    def _added(self, secret: Secret, new: Version, stages: tuple[str, ...] | None) -> Versions:
        """Add a version. Undocumented: whether an id that was purged may be written again."""
        switches = self.shelf.switches()
        if new.version_id in secret.versions.purged and not switches.purged_id_returns:
            raise refusal(switches.put_other_data, "The version existed before.")
        placed = self._placed(secret.versions.append(new), new.version_id, stages)
        return placed.purge(spare_staged=switches.purge == "earliest-without-stage")

    def _repeated(self, secret: Secret, kept: Version, new: Version, stages: tuple[str, ...] | None) -> Versions:
        """Compare with the stored value: "the request is ignored and a success message is returned", or rejected.

        Undocumented: whether SecretDataType counts as a part of the value; whether the named stages are still placed.
        """
        switches = self.shelf.switches()
        other_type = switches.data_type_counts and kept.data_type != new.data_type
        if kept.data != new.data or other_type:
            raise refusal(switches.put_other_data, "The version exists and has another value.")
        if not switches.repeated_put_moves_stages:
            return secret.versions
        return self._placed(secret.versions, kept.version_id, stages)

    def _placed(self, versions: Versions, version_id: str, stages: tuple[str, ...] | None) -> Versions:
        """Place the stages of a put: ACSPrevious surely follows when none is named."""
        if stages is None:
            return versions.place_all((CURRENT,), version_id, previous_follows=True)
        for stage in stages:
            self._refuse_taking(versions, stage, version_id)
        return versions.place_all(stages, version_id, previous_follows=self.shelf.switches().previous_follows)

    def _refuse_taking(self, versions: Versions, stage: str, version_id: str | None) -> None:
        """Refuse to take a custom stage from another version, if that is the reading; the code is a guess."""
        holder = versions.holder(stage)
        taken = holder is not None and holder.version_id != version_id and stage not in _BUILT_IN
        if taken and not self.shelf.switches().stage_can_be_taken:
            raise ApiError(400, "InvalidParameter", "The version stage is on another version.")

    def _get(self, call: Call) -> Json:
        """Return a value. DryRun "always returns a failure"; its status is a guess."""
        name, version_id, stage = names.named(call), optional(call, "VersionId"), optional(call, "VersionStage")
        dry_run = flag(call, "DryRun")
        secret = self.shelf.usable(name)
        version = _version_asked(secret.versions, version_id, stage)
        if dry_run:
            raise ApiError(400, "DryRunOperationError", "The request would have succeeded; DryRun was set.")
        return {
            "SecretName": secret.name,
            "VersionId": version.version_id,
            "SecretData": version.data,
            "SecretType": secret.secret_type,
            "SecretDataType": version.data_type,
            **_stages_shown(version),
            "CreateTime": shown(version.create_time),
        }

    def _list(self, call: Call) -> Json:
        """List the versions, the oldest first as in the public sample; without a stage only on demand."""
        name, deprecated = names.named(call), flag(call, "IncludeDeprecated")
        number, size = page_asked(call, default_size=20)
        versions = self.shelf.usable(name).versions.kept
        listed = [version for version in versions if deprecated or version.stages]
        page = listed[(number - 1) * size : number * size]
        paging = {"PageNumber": number, "PageSize": size, "TotalCount": len(listed)}
        return {"SecretName": name, **paging, "VersionIds": {"VersionId": [_version_shown(each) for each in page]}}

    def _update_stage(self, call: Call) -> Json:
        """Add, remove or move a stage: by MoveToVersion only, by RemoveFromVersion only, by both."""
        name, stage = names.named(call), required(call, "VersionStage")
        source, target = optional(call, "RemoveFromVersion"), optional(call, "MoveToVersion")
        if source is None and target is None:
            refuse_missing("MoveToVersion")
        secret = self.shelf.usable(name)
        self._check_source(secret.versions, stage, source)
        if target is None:
            self._keep(secret, self._removed(secret.versions, stage, source))
        else:
            self._keep(secret, self._moved(secret.versions, stage, source, target))
        return {"SecretName": name}

    def _check_source(self, versions: Versions, stage: str, source: str | None) -> None:
        """Check RemoveFromVersion. Undocumented: what happens when the stage is elsewhere; the code is a guess."""
        if source is None or stage in versions.get(source).stages:
            return
        if self.shelf.switches().wrong_remove_from == "refused":
            refuse_invalid("RemoveFromVersion", "does not carry the version stage")

    def _removed(self, versions: Versions, stage: str, source: str | None) -> Versions:
        if stage in _BUILT_IN:
            refuse_invalid("VersionStage", "is reserved by the system and cannot be removed")
        holder = versions.holder(stage)
        return versions.lift(stage) if holder and holder.version_id == source else versions

    def _moved(self, versions: Versions, stage: str, source: str | None, target: str) -> Versions:
        if source is None or stage not in versions.get(source).stages:
            self._refuse_taking(versions, stage, target)
        return versions.place_all((stage,), target, previous_follows=self.shelf.switches().previous_follows)

    def _keep(self, secret: Secret, versions: Versions) -> None:
        """Keep the versions; that their change moves the secret's UpdateTime is inferred."""
        if versions != secret.versions:
            changed = msgspec.structs.replace(secret, versions=versions, update_time=self.shelf.clock.now())
            self.shelf.keep(changed)


def read_version(call: Call, shelf: Shelf) -> Version:
    """Read the version that a put or a creation brings."""
    data_type = choice(call, "SecretDataType", ("text", "binary")) or "text"
    return Version(names.version_id(call), names.secret_data(call), data_type, shelf.clock.now())


def page_asked(call: Call, *, default_size: int) -> tuple[int, int]:
    """Return PageNumber and PageSize; the largest page is documented for ListSecrets only."""
    return whole(call, "PageNumber", 1, 1, 2**31), whole(call, "PageSize", default_size, 1, 100)


def _version_asked(versions: Versions, version_id: str | None, stage: str | None) -> Version:
    """Find by id, by stage, or by both, which must then agree (documented for the instance's API)."""
    if version_id is None:
        return versions.staged(stage or CURRENT)
    version = versions.get(version_id)
    if stage is not None and stage not in version.stages:
        refuse_invalid("VersionStage", "is not on the version")
    return version


def _version_shown(version: Version) -> Json:
    return {
        "VersionId": version.version_id,
        "CreateTime": shown(version.create_time),
        **_stages_shown(version),
    }


def _stages_shown(version: Version) -> Json:
    return {"VersionStages": {"VersionStage": list(version.stages)}}
