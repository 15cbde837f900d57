"""CloudSSO's calls about the directory itself: what it is, its password policy, its SSO logon.

Source: the pages of GetDirectory, ListDirectories, GetDirectoryStatistics, GetServiceStatus, Get/SetPasswordPolicy
and Get/SetExternalSAMLIdentityProvider; the answers have the shapes of their examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from tests.localcloud.api import Call, Handler, Json
from tests.localcloud.cloudsso.directory import Directory, Saml, Settings
from tests.localcloud.cloudsso.policy import HISTORY, PasswordPolicy
from tests.localcloud.parameters import choice, flag, optional, refuse_invalid, shown, whole


@dataclass(frozen=True)
class SettingsCalls:
    """The calls, on one directory."""

    directory: Directory
    quota: int

    def handlers(self) -> dict[str, Handler]:
        """Return the calls by their names."""
        return {
            "GetDirectory": self._get_directory,
            "ListDirectories": self._list_directories,
            "GetDirectoryStatistics": self._get_statistics,
            "GetServiceStatus": self._get_service_status,
            "GetPasswordPolicy": self._get_policy,
            "SetPasswordPolicy": self._set_policy,
            "GetExternalSAMLIdentityProvider": self._get_saml,
            "SetExternalSAMLIdentityProvider": self._set_saml,
        }

    def _get_directory(self, call: Call) -> Json:
        self.directory.check(call)
        return {"Directory": _directory_shown(self.directory.settings)}

    def _list_directories(self, _call: Call) -> Json:
        return {"Directories": [_directory_shown(self.directory.settings)], "TotalCounts": 1}

    def _get_service_status(self, call: Call) -> Json:
        status = {"Status": "Enabled", "AccountId": call.account_id, "PrerequisiteCheckResult": "Success"}
        return {"ServiceStatus": {**status, "RegionsInUse": [self.directory.settings.region]}}

    def _get_statistics(self, call: Call) -> Json:
        """Return the counts; what this cloud does not have counts zero, with the quotas of the example."""
        self.directory.check(call)
        settings = self.directory.settings
        here = {
            "DirectoryId": settings.directory_id,
            "DirectoryName": settings.directory_name,
            "Region": settings.region,
            "UserCount": len(self.directory.roll.numbers),
            "UserQuota": self.quota,
            "GroupCount": len(self.directory.groups),
            "SSOEnabled": settings.saml.sso_enabled,
            "SCIMSyncEnabled": settings.scim_enabled,
        }
        return {"DirectoryStatistics": {**here, **_ABSENT}}

    def _get_policy(self, call: Call) -> Json:
        self.directory.check(call)
        return {"PasswordPolicy": msgspec.to_builtins(self.directory.settings.policy)}

    def _set_policy(self, call: Call) -> Json:
        """Change the policy. What is not given stays, which the page does not say."""
        policy = _policy_asked(call, self.directory.settings.policy)
        self.directory.check(call)
        self._keep(policy=policy)
        return {}

    def _get_saml(self, call: Call) -> Json:
        self.directory.check(call)
        return {"SAMLIdentityProviderConfiguration": _saml_shown(self.directory.settings)}

    def _set_saml(self, call: Call) -> Json:
        """Change the identity provider; SSO logon may be enabled without one, which the real service refuses."""
        now = self.directory.clock.now()
        saml = _saml_asked(call, self.directory.settings.saml, now)
        self.directory.check(call)
        self._keep(saml=saml)
        return {"SAMLIdentityProviderConfiguration": _saml_shown(self.directory.settings)}

    def _keep(self, **changes: PasswordPolicy | Saml) -> None:
        self.directory.keep_settings(msgspec.structs.replace(self.directory.settings, **changes))


_ABSENT = {
    "GroupQuota": 500,
    "AccessConfigurationQuota": 1000,
    "AccessConfigurationCount": 0,
    "AccessAssignmentCount": 0,
    "SCIMServerCredentialCount": 0,
    "InProgressTaskCount": 0,
    "SystemPolicyPerAccessConfigurationQuota": 20,
    "InlinePolicyPerAccessConfigurationQuota": 1,
}


def _policy_asked(call: Call, old: PasswordPolicy) -> PasswordPolicy:
    """Read SetPasswordPolicy's parameters; the ranges are those of "Set a password policy"."""
    length = whole(call, "MinPasswordLength", old.min_password_length, 8, old.max_password_length)
    different = whole(call, "MinPasswordDifferentChars", old.min_password_different_chars, 0, old.max_password_length)
    if different > length:
        refuse_invalid("MinPasswordDifferentChars", "is more than MinPasswordLength")
    return msgspec.structs.replace(
        old,
        min_password_length=length,
        min_password_different_chars=different,
        password_not_contain_username=_flag_or(call, "PasswordNotContainUsername", old.password_not_contain_username),
        max_password_age=whole(call, "MaxPasswordAge", old.max_password_age, 1, 120),
        password_reuse_prevention=whole(call, "PasswordReusePrevention", old.password_reuse_prevention, 0, HISTORY),
        max_login_attempts=whole(call, "MaxLoginAttempts", old.max_login_attempts, 0, 32),
    )


def _saml_asked(call: Call, old: Saml, now: datetime) -> Saml:
    status = choice(call, "SSOStatus", ("Enabled", "Disabled"))
    return Saml(
        sso_enabled=old.sso_enabled if status is None else status == "Enabled",
        entity_id=optional(call, "EntityId") or old.entity_id,
        login_url=optional(call, "LoginUrl") or old.login_url,
        encoded_metadata_document=optional(call, "EncodedMetadataDocument") or old.encoded_metadata_document,
        binding_type=choice(call, "BindingType", ("Post", "Redirect")) or old.binding_type,
        want_request_signed=_flag_or(call, "WantRequestSigned", old.want_request_signed),
        create_time=old.create_time or now,
        update_time=now,
    )


def _flag_or(call: Call, name: str, old: bool) -> bool:  # noqa: FBT001 - the third column of a table, not an option
    return old if optional(call, name) is None else flag(call, name)


def _directory_shown(settings: Settings) -> Json:
    return {
        "DirectoryId": settings.directory_id,
        "DirectoryName": settings.directory_name,
        "Region": settings.region,
        "CreateTime": shown(settings.create_time),
        "UpdateTime": shown(settings.update_time),
    }


def _saml_shown(settings: Settings) -> Json:
    """Write the provider as the example does; before one was ever set, only whose it would be and that it is off."""
    saml = settings.saml
    always = {"DirectoryId": settings.directory_id, "SSOStatus": "Enabled" if saml.sso_enabled else "Disabled"}
    if saml.create_time is None or saml.update_time is None:
        return always
    times = {"CreateTime": shown(saml.create_time), "UpdateTime": shown(saml.update_time)}
    given = {
        "EntityId": saml.entity_id,
        "LoginUrl": saml.login_url,
        "EncodedMetadataDocument": saml.encoded_metadata_document,
        "BindingType": saml.binding_type,
    }
    shape = {"WantRequestSigned": saml.want_request_signed, "CertificateIds": []}
    return {**always, **times, **shape, **{name: value for name, value in given.items() if value}}
