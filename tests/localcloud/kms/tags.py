"""KMS's calls about tags: the older pair for one secret, the newer three for many.

Source: the pages of TagResource, UntagResource, TagResources, UntagResources and ListTagResources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from tests.localcloud.api import ApiError, Call, Handler, Json
from tests.localcloud.kms import names
from tests.localcloud.kms.secrets import Secret, Shelf
from tests.localcloud.parameters import (
    choice,
    flag,
    json_texts,
    pairs,
    refuse_invalid,
    refuse_missing,
    repeated,
    required,
    whole,
)

_MOST_RESOURCES = 50
_PAGE = 50  # tags per page of ListTagResources; the page gives no number

Retag = Callable[[dict[str, str]], dict[str, str]]


@dataclass(frozen=True)
class TagCalls:
    """The calls, on one shelf of secrets."""

    shelf: Shelf

    def handlers(self) -> dict[str, Handler]:
        """Return the calls by their names."""
        return {
            "TagResource": self._tag_one,
            "UntagResource": self._untag_one,
            "TagResources": self._tag_many,
            "UntagResources": self._untag_many,
            "ListTagResources": self._list,
        }

    def _tag_one(self, call: Call) -> Json:
        name = names.one_secret(call)
        required(call, "Tags")
        return self._retag([name], _with(names.tags(call)))

    def _untag_one(self, call: Call) -> Json:
        """Take tags away; `TagKeys` is a JSON array, as in the documented sample."""
        name = names.one_secret(call)
        required(call, "TagKeys")
        return self._retag([name], _without(json_texts(call, "TagKeys") or []))

    def _tag_many(self, call: Call) -> Json:
        secrets, tags = _resources(call), names.checked_tags(pairs(call, "Tag"))
        if not tags:
            refuse_missing("Tag.1.Key")
        return self._retag(secrets, _with(tags))

    def _untag_many(self, call: Call) -> Json:
        secrets, keys, everything = _resources(call), repeated(call, "TagKey"), flag(call, "All")
        if not (keys or everything):
            refuse_missing("TagKey.1")
        return self._retag(secrets, _with_none if everything and not keys else _without(keys))

    def _retag(self, names: list[str], change: Retag) -> Json:
        """Change the tags of all, or of none when one of them cannot be changed."""
        changed = [self._retagged(self.shelf.usable(name), change) for name in names]
        for secret in changed:
            self.shelf.keep(secret)
        return {}

    def _retagged(self, secret: Secret, change: Retag) -> Secret:
        """Return the secret with other tags; a twenty-first is refused with a code that is a guess."""
        tags = change(secret.tags)
        if len(tags) > names.MOST_TAGS:
            raise ApiError(400, "Rejected.LimitExceeded", f"A secret has at most {names.MOST_TAGS} tags.")
        return msgspec.structs.replace(secret, tags=tags)

    def _list(self, call: Call) -> Json:
        _check_kind(call)
        wanted = pairs(call, "Tag")
        secrets = [self.shelf.get(name) for name in repeated(call, "ResourceId")] or self.shelf.in_order()
        tags = [_shown(secret.name, *tag) for secret in secrets for tag in _chosen(secret, wanted)]
        start = whole(call, "NextToken", 0, 0, 2**31)
        more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(tags) else {}
        return {"TagResources": {"TagResource": tags[start : start + _PAGE]}, **more}


def _with(tags: dict[str, str]) -> Retag:
    return lambda old: {**old, **tags}


def _without(keys: Iterable[str]) -> Retag:
    gone = set(keys)
    return lambda old: {key: value for key, value in old.items() if key not in gone}


def _with_none(_old: dict[str, str]) -> dict[str, str]:
    return {}


def _check_kind(call: Call) -> None:
    required(call, "RegionId")
    required(call, "ResourceType")
    choice(call, "ResourceType", ("secret",))


def _resources(call: Call) -> list[str]:
    _check_kind(call)
    required(call, "ResourceId.1")
    secrets = repeated(call, "ResourceId")
    if len(secrets) > _MOST_RESOURCES:
        refuse_invalid("ResourceId", f"is given more than {_MOST_RESOURCES} times")
    return secrets


def _chosen(secret: Secret, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """Return the tags to be shown: of a secret that has every wanted tag (a wanted value may be empty), all of them."""
    meets = all(key in secret.tags and value in ("", secret.tags[key]) for key, value in wanted.items())
    return list(secret.tags.items()) if meets else []


def _shown(name: str, key: str, value: str) -> Json:
    return {"ResourceId": name, "ResourceType": "secret", "TagKey": key, "TagValue": value}
