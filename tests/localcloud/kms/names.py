"""How KMS wants names, tags, filters and ARNs to be written.

Source: the pages of CreateSecret, PutSecretValue, TagResource and ListSecrets.
"""

from __future__ import annotations

import re
from typing import Any

from tests.localcloud.api import ApiError, Call
from tests.localcloud.kms.secrets import GENERIC
from tests.localcloud.parameters import json_array, json_texts, refuse_invalid, refuse_missing, required

MOST_TAGS = 20
_MOST_DATA = 30_720  # bytes; documented for CreateSecret, inferred for PutSecretValue
_NAME = re.compile(r"[A-Za-z0-9_/+=.@-]{1,192}")
_TAG = re.compile(r"[A-Za-z0-9/\\_.+=:@-]{0,128}")
_ARN = re.compile(r"acs:kms:(?P<region>[^:]*):(?P<account>[^:]*):secret/(?P<name>.+)")
_FILTER_KEYS = ("SecretName", "Description", "TagKey", "TagValue", "DKMSInstanceId", "SecretType", "Creator")
_MOST_FILTERS = 10


def new_name(call: Call, secret_type: str) -> str:
    """Return the name of a secret to be created."""
    name = required(call, "SecretName")
    if not _NAME.fullmatch(name) or (secret_type == GENERIC and name.startswith("acs/")):
        refuse_invalid("SecretName", "is not 1 to 192 of letters, digits and _/+=.-@, or begins with acs/")
    return name


def named(call: Call) -> str:
    """Return the name of a secret that is given by name or by ARN; a foreign ARN names nothing here."""
    given = required(call, "SecretName")
    arn = _ARN.fullmatch(given)
    if arn is None:
        return given
    if (arn["region"], arn["account"]) != (call.region, call.account_id):
        raise ApiError(404, "Forbidden.ResourceNotFound", "The secret is not found.")
    return arn["name"]


def name_in(given: str) -> str:
    """Return the name in what is a name or an ARN."""
    arn = _ARN.fullmatch(given)
    return arn["name"] if arn else given


def secret_arn(call: Call, name: str) -> str:
    """Return the ARN of a secret that is given by name or by ARN."""
    return name if _ARN.fullmatch(name) else f"acs:kms:{call.region}:{call.account_id}:secret/{name}"


def version_id(call: Call) -> str:
    """Return the id of a version to be written; the page limits its length and no more."""
    given = required(call, "VersionId")
    if len(given) > 64:
        refuse_invalid("VersionId", "is longer than 64 characters")
    return given


def secret_data(call: Call) -> str:
    """Return the value to be kept."""
    data = required(call, "SecretData")
    if len(data.encode()) > _MOST_DATA:
        refuse_invalid("SecretData", f"is larger than {_MOST_DATA} bytes")
    return data


def version_stages(call: Call) -> tuple[str, ...] | None:
    """Return the stages named by a put, each once, or None if it names none."""
    stages = json_texts(call, "VersionStages")
    if stages is not None and not stages:
        refuse_invalid("VersionStages", "names no stage")
    return None if stages is None else tuple(dict.fromkeys(stages))


def tags(call: Call) -> dict[str, str]:
    """Return `Tags`, a JSON array of objects with TagKey and TagValue."""
    entries = json_array(call, "Tags") or []
    if not all(isinstance(entry, dict) for entry in entries):
        refuse_invalid("Tags", "is not an array of objects")
    return checked_tags({entry.get("TagKey"): entry.get("TagValue", "") for entry in entries})


def checked_tags(found: dict[Any, Any]) -> dict[str, str]:
    """Return tags if keys and values are as documented."""
    for key, value in found.items():
        if not (_is_tag(key) and _is_tag(value)) or not key or key.startswith(("aliyun", "acs:")):
            refuse_invalid("Tags", "has a key or a value that is not allowed")
    return found


def filters(call: Call) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return ListSecrets' `Filters`: at most 10 pairs of a documented key and at most 10 values."""
    entries = json_array(call, "Filters") or []
    if len(entries) > _MOST_FILTERS or not all(_is_filter(entry) for entry in entries):
        refuse_invalid("Filters", "is not an array of at most 10 objects with Key and Values")
    return tuple((entry["Key"], tuple(entry["Values"])) for entry in entries)


def one_secret(call: Call) -> str:
    """Return the secret that a tag call is about; keys and certificates are not part of this cloud."""
    given = [name for name in ("SecretName", "KeyId", "CertificateId") if call.params.get(name)]
    if not given:
        refuse_missing("SecretName")
    if len(given) > 1:
        refuse_invalid(given[1], f"cannot be given together with {given[0]}")
    if given == ["KeyId"]:
        raise ApiError(404, "Forbidden.KeyNotFound", "The key is not found.")
    if given == ["CertificateId"]:
        raise ApiError(404, "Forbidden.ResourceNotFound", "The certificate is not found.")
    return call.params["SecretName"]


def _is_tag(text: object) -> bool:
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def _is_filter(entry: object) -> bool:
    if not isinstance(entry, dict) or entry.get("Key") not in _FILTER_KEYS:
        return False
    values = entry.get("Values")
    return (
        isinstance(values, list)
        and 1 <= len(values) <= _MOST_FILTERS
        and all(isinstance(value, str) for value in values)
    )
