"""KMS's calls about secrets as such: create, describe, list, update, delete, restore.

Source: the pages of CreateSecret, DescribeSecret, ListSecrets, UpdateSecret, DeleteSecret and RestoreSecret.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from tests.localcloud.api import ApiError, Call, Handler, Json
from tests.localcloud.kms import names
from tests.localcloud.kms.secrets import GENERIC, Question, Secret, Shelf
from tests.localcloud.kms.values import page_asked, read_version
from tests.localcloud.kms.versions import Versions
from tests.localcloud.parameters import choice, flag, optional, refuse_invalid, required, shown, whole

_TYPES = (GENERIC, "Rds", "Redis", "RAMCredentials", "ECS", "PolarDB")


@dataclass(frozen=True)
class LifecycleCalls:
    """The calls, on one shelf of secrets."""

    shelf: Shelf
    quota: int | None  # secrets per account here; per KMS instance and bought in reality
    known_keys: Collection[str] | None
    known_instances: Collection[str] | None

    def handlers(self) -> dict[str, Handler]:
        """Return the calls by their names."""
        return {
            "CreateSecret": self._create,
            "DescribeSecret": self._describe,
            "ListSecrets": self._list,
            "UpdateSecret": self._update,
            "DeleteSecret": self._delete,
            "RestoreSecret": self._restore,
        }

    def _create(self, call: Call) -> Json:
        """Create a secret; its first version is ACSCurrent."""
        secret, first = self._asked(call), read_version(call, self.shelf)
        self._check_creation(secret)
        versions = Versions().append(first).make_current(first.version_id, previous_follows=True)
        self.shelf.keep(msgspec.structs.replace(secret, versions=versions))
        identity = {"Arn": names.secret_arn(call, secret.name), "SecretName": secret.name}
        answer = {**identity, "VersionId": first.version_id, "SecretType": secret.secret_type}
        return {**answer, **({"DKMSInstanceId": secret.instance_id} if secret.instance_id else {})}

    def _asked(self, call: Call) -> Secret:
        now = self.shelf.clock.now()
        secret_type = choice(call, "SecretType", _TYPES) or GENERIC
        if secret_type == GENERIC and flag(call, "EnableAutomaticRotation"):
            refuse_invalid("EnableAutomaticRotation", "is not for generic secrets")
        return Secret(
            number=self.shelf.next_number(),
            name=names.new_name(call, secret_type),
            create_time=now,
            update_time=now,
            secret_type=secret_type,
            description=optional(call, "Description") or "",
            key_id=optional(call, "EncryptionKeyId") or "",
            instance_id=optional(call, "DKMSInstanceId") or "",
            tags=_few(names.tags(call)),
        )

    def _check_creation(self, secret: Secret) -> None:
        """Refuse with the codes that the CreateSecret page and the common table give."""
        if self.known_instances is not None and secret.instance_id not in {"", *self.known_instances}:
            raise ApiError(404, "Forbidden.DKMSInstanceNotFound", "The KMS instance is not found.")
        if self.known_keys is not None and secret.key_id not in {"", *self.known_keys}:
            raise ApiError(404, "Forbidden.KeyNotFound", "The key is not found.")
        old = self.shelf.find(secret.name)
        if old is not None and old.planned_delete_time is not None:
            raise ApiError(409, "Rejected.ResourceInDeleteWindow", "The secret is planned to be deleted.")
        if old is not None:
            raise ApiError(409, "Rejected.ResourceExist", "The resource already exists.")
        if self.quota is not None and len(self.shelf) >= self.quota:
            raise ApiError(400, "Rejected.LimitExceeded", "The secret quota is exceeded.")

    def _describe(self, call: Call) -> Json:
        """Describe a secret, also one that waits for its deletion; neither versions nor stages are shown."""
        name, with_tags = required(call, "SecretName"), flag(call, "FetchTags")
        secret = self.shelf.get(name)
        given = {"EncryptionKeyId": secret.key_id, "DKMSInstanceId": secret.instance_id}
        return {
            "Arn": names.secret_arn(call, name),
            **_secret_shown(secret, with_tags=with_tags),
            "Description": secret.description,
            **{field: value for field, value in given.items() if value},
        }

    def _list(self, call: Call) -> Json:
        """List secrets, the oldest first, with those that wait for their deletion."""
        number, size = page_asked(call, default_size=10)
        question = Question(names.filters(call), self.shelf.switches().name_filter == "exact")
        with_tags = flag(call, "FetchTags")
        page, total = self.shelf.matching(question, (number - 1) * size, number * size)
        secrets = [_secret_shown(secret, with_tags=with_tags) for secret in page]
        return {"SecretList": {"Secret": secrets}, "PageNumber": number, "PageSize": size, "TotalCount": total}

    def _update(self, call: Call) -> Json:
        """Change the description; without one nothing changes."""
        name, description = required(call, "SecretName"), optional(call, "Description")
        secret = self.shelf.usable(name)
        if description is not None:
            now = self.shelf.clock.now()
            self.shelf.keep(msgspec.structs.replace(secret, description=description, update_time=now))
        return {"SecretName": name}

    def _delete(self, call: Call) -> Json:
        """Delete at once and for good, or after 7 to 30 days.

        Undocumented: deleting again what waits already. Here only force is let through.
        """
        name, force = required(call, "SecretName"), flag(call, "ForceDeleteWithoutRecovery")
        days = whole(call, "RecoveryWindowInDays", 30, 7, 30)
        secret = self.shelf.get(name) if force else self.shelf.usable(name)
        now = self.shelf.clock.now()
        planned = now if force else now + timedelta(days=days)
        if force:
            self.shelf.remove(name)
        else:
            self.shelf.keep(msgspec.structs.replace(secret, planned_delete_time=planned))
        return {"SecretName": name, "PlannedDeleteTime": shown(planned)}

    def _restore(self, call: Call) -> Json:
        """Call a deletion off. The status of Rejected.ResourceInUse for a live secret is a guess."""
        secret = self.shelf.get(required(call, "SecretName"))
        if secret.planned_delete_time is None:
            raise ApiError(409, "Rejected.ResourceInUse", "The secret is not planned to be deleted.")
        self.shelf.keep(msgspec.structs.replace(secret, planned_delete_time=None))
        return {"SecretName": secret.name}


def _few(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > names.MOST_TAGS:
        refuse_invalid("Tags", f"has more than {names.MOST_TAGS} tags")
    return tags


def _secret_shown(secret: Secret, *, with_tags: bool) -> Json:
    """Write what DescribeSecret and ListSecrets have in common; `Tags` is absent unless it was asked for."""
    fields: Json = {
        "SecretName": secret.name,
        "SecretType": secret.secret_type,
        "CreateTime": shown(secret.create_time),
        "UpdateTime": shown(secret.update_time),
    }
    if secret.planned_delete_time is not None:
        fields["PlannedDeleteTime"] = shown(secret.planned_delete_time)
    if with_tags:
        fields["Tags"] = {"Tag": [{"TagKey": key, "TagValue": value} for key, value in secret.tags.items()]}
    return fields
